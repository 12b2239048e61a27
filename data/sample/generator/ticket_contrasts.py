"""Ticket sentences that set one thing that is fine against one that is not.

Both things stand in the same sentence, as in ``The Fjord kettle reached me on Friday, my 35.20 euros did
not.``: which label is right depends on which of the two is not fine, and on what is said of it.
"""

from __future__ import annotations

from typing import NamedTuple


class Event(NamedTuple):
    """What may be said of things: the sentences with slots {bad} and {good}, and the things by label."""

    said: tuple[str, ...]
    things: dict[str, tuple[str, ...]]


CONTRASTS: dict[str, tuple[Event, ...]] = {
    "en": (
        Event(
            (
                "{Good} reached me on {day}, {bad} did not.",
                "I have {good}, but {bad} has still not come.",
                "{Bad} has not come yet, unlike {good}.",
                "While {good} came after {n} days, there is no sign of {bad}.",
                "Nobody can tell me where {bad} is; {good} is here.",
                "I am waiting for {bad}, not for {good}.",
            ),
            {
                "delivery": ("{the}", "order {order}", "the box from {town2}"),
                "refund": ("my {amount} euros", "the money for order {order}"),
                "access": ("the mail with the password", "the code for my account"),
                "billing": ("the bill", "the bill for {the}"),
            },
        ),
        Event(
            (
                "Something is wrong with {bad}, nothing with {good}.",
                "I have trouble with {bad}, none with {good}.",
                "{Good} is fine; {bad} is not.",
                "It is {bad} that causes trouble, not {good}.",
                "Please look at {bad}; there is nothing to do about {good}.",
                "Since {day} we cannot use {bad}, while {good} is all right.",
            ),
            {
                "warranty": ("{the}, now {n} months old,", "{the} that we have used for {n} months"),
                "damage": ("{the} that I unpacked today", "{the}, fresh out of the box,"),
                "access": ("the sign-in page", "my password"),
                "billing": ("the sum on the bill", "the discount on the bill"),
            },
        ),
        Event(
            (
                "We no longer need {bad}, but we do need {good}.",
                "{Good} stays with us, {bad} does not.",
                "We have decided to do without {bad} and to keep {good}.",
                "I would like to be rid of {bad}, but not of {good}.",
                "{Bad} is one thing too many for us, {good} is not.",
            ),
            {
                "return": ("{the}", "the second {noun} from order {order}", "the unopened {noun}"),
                "cancellation": ("the monthly plan", "the contract from {month}", "our account in {town2}"),
            },
        ),
    ),
    "de": (
        Event(
            (
                "{Good} ist seit {day} da, {bad} nicht.",
                "{Bad} ist noch nicht gekommen, {good} schon.",
                "Hier fehlt {bad}, nicht {good}.",
            ),
            {
                "delivery": ("{the}", "die Bestellung {order}"),
                "refund": ("die Zahlung von {amount} Euro an mich", "das Geld für {order}"),
                "access": ("die Mail mit dem Passwort", "der Code für mein Konto"),
                "billing": ("die Rechnung", "die Rechnung für {the}"),
            },
        ),
        Event(
            (
                "{Good} ist in Ordnung, {bad} nicht.",
                "Ärger macht {bad}, nicht {good}.",
                "Bitte prüfen: {bad} ist das Problem, nicht {good}.",
            ),
            {
                "warranty": ("{the} nach {n} Monaten", "{the} aus dem letzten Jahr"),
                "damage": ("{the} frisch aus dem Karton", "{the} von heute Morgen"),
                "access": ("die Anmeldung", "mein Passwort"),
                "billing": ("die Summe auf der Rechnung", "der Rabatt auf der Rechnung"),
            },
        ),
        Event(
            (
                "{Good} bleibt bei uns, {bad} nicht.",
                "{Bad} ist uns zu viel, {good} nicht.",
                "Weg soll {bad}, bleiben soll {good}.",
            ),
            {
                "return": ("{the}", "die zweite Ware aus {order}"),
                "cancellation": ("das Abo", "der Vertrag vom {month}", "unser Konto in {town2}"),
            },
        ),
    ),
    "fr": (
        Event(
            (
                "{Good} est ici depuis {day}, mais pas {bad}.",
                "Je n'ai pas encore reçu {bad}, mais j'ai {good}.",
                "Il me manque {bad}, pas {good}.",
            ),
            {
                "delivery": ("{the}", "la commande {order}"),
                "refund": ("la somme de {amount} euros", "l'argent pour {order}"),
                "access": ("le message avec le mot de passe", "le code de mon compte"),
                "billing": ("la facture", "la facture pour {the}"),
            },
        ),
        Event(
            (
                "Tout va bien pour {good}, mais pas pour {bad}.",
                "Le problème est {bad}, pas {good}.",
                "Merci de regarder {bad} ; il n'y a rien à dire sur {good}.",
            ),
            {
                "warranty": ("{the} après {n} mois", "{the} de l'an dernier"),
                "damage": ("{the} à peine sortie du carton", "{the} reçue ce matin"),
                "access": ("la connexion", "mon mot de passe"),
                "billing": ("la somme sur la facture", "la remise sur la facture"),
            },
        ),
        Event(
            (
                "Nous gardons {good}, mais pas {bad}.",
                "{Bad}, c'est trop pour nous, mais pas {good}.",
                "Nous n'avons plus besoin de ceci : {bad}. Il nous faut encore {good}.",
            ),
            {
                "return": ("{the}", "le deuxième article de {order}"),
                "cancellation": ("l'abonnement", "le contrat de {person2}", "notre compte à {town2}"),
            },
        ),
    ),
}
