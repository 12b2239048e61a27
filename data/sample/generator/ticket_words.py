"""The sentences of helpdesk tickets: what is wrong, what is not wrong, and the frame around it.

A ticket holds one sentence that says what is wrong, and often one that says what is *not* wrong, so
that the words of all subjects turn up under all labels: ``The bill is correct. {The} came in two pieces.``
"""

from __future__ import annotations

LABELS = ("delivery", "damage", "warranty", "return", "billing", "refund", "access", "cancellation")

# What may be said to be in order, next to each label, without taking anything back.
FINE_BESIDE: dict[str, tuple[str, ...]] = {
    "delivery": ("billing", "refund", "access", "cancellation"),
    "damage": ("delivery", "billing", "refund", "access", "cancellation"),
    "warranty": ("delivery", "damage", "billing", "access", "cancellation"),
    "return": ("delivery", "damage", "warranty", "billing", "access"),
    "billing": ("delivery", "damage", "warranty", "return", "access", "cancellation"),
    "refund": ("delivery", "damage", "access", "cancellation"),
    "access": ("delivery", "damage", "warranty", "return", "billing", "refund", "cancellation"),
    "cancellation": ("delivery", "damage", "warranty", "billing", "refund", "access"),
}

WRONG: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "delivery": (
            "{The} should have been here on {day}, and I am still waiting.",
            "The tracking page has shown {town2} for {n} days now, and nothing has reached me.",
            "I ordered {the} {n} weeks ago and the box has not come.",
            "Nobody has brought {the} so far, although {day} was promised.",
            "My neighbours got their box on {day}, I got none.",
            "The driver left a card on {day}, but {the} is nowhere.",
        ),
        "damage": (
            "When I opened the box on {day}, {the} had a crack.",
            "{The} came out of the box with a deep dent.",
            "The box was wet, and inside it {the} was stained.",
            "On unpacking I found {the} in two pieces.",
            "One side of {the} was already bent when the driver handed it over.",
        ),
        "warranty": (
            "After {n} months {the} simply stopped working.",
            "{The} did well for {n} months and gave up on {day}.",
            "I have used {the} since {month}, and now it has come apart in normal use.",
            "For {n} months all was good, then {the} broke without a reason.",
            "It is not even {n} months old, yet {the} no longer does its job.",
        ),
        "return": (
            "{The} works, but it is too big for us, so I would like to send it back.",
            "I have changed my mind about {the} and would like to hand it back.",
            "By accident I ordered {the} twice and want to send one back unopened.",
            "{The} is not the colour I hoped for; where can I drop it off?",
            "My sister gave me the same thing, so {the} should go back to you within {n} days.",
        ),
        "billing": (
            "The bill says {amount} euros, but we agreed on {amount2}.",
            "For {the} you wrote down {amount} euros; the offer said {amount2}.",
            "The discount of {n} percent is missing on the bill for {the}.",
            "The bill carries the wrong name, it should be {company}.",
            "On the bill from {day} {the} is listed twice, though I ordered one.",
        ),
        "refund": (
            "{amount} euros left my bank account twice, please give one payment back.",
            "I sent {the} back {n} weeks ago and have not seen my {amount} euros since.",
            "You called off my order on {day}, but my {amount} euros are still with you.",
            "I paid by card and again by transfer, so {amount} euros should come back to me.",
            "The shop in {town2} took {the} back, but the money has not arrived.",
        ),
        "access": (
            "Since {day} the page has not taken my password any more.",
            "I ask for a new password, and the mail never comes.",
            "After my change of name to {person} I cannot sign in.",
            "Your app throws me out each time I want to see {the}.",
            "My account has been locked since {day}, and I do not know why.",
        ),
        "cancellation": (
            "Please end my contract on the last day of {month}.",
            "I no longer need the monthly plan and want to stop it in {month}.",
            "Please close my account, I am moving to {town2}.",
            "Do not renew the plan in the name of {person2}.",
            "We have found another supplier in {town2} and give notice for {month}.",
        ),
    },
    "de": {
        "delivery": (
            "{The} sollte am {day} hier sein, und ich warte immer noch.",
            "Seit {n} Tagen steht in der Verfolgung nur {town2}, und bei mir kam nichts an.",
            "Ich habe {the} vor {n} Wochen bestellt, aber der Karton ist nicht gekommen.",
        ),
        "damage": (
            "Als ich den Karton am {day} öffnete, hatte {the} einen Riss.",
            "{The} kam mit einer tiefen Beule aus dem Karton.",
            "Der Karton war nass, und {the} hatte Flecken.",
        ),
        "warranty": (
            "Nach {n} Monaten ist {the} einfach ausgefallen.",
            "{The} lief {n} Monate gut und gab am {day} auf.",
            "{n} Monate war alles gut, dann ging {the} ohne Grund kaputt.",
        ),
        "return": (
            "{The} ist in Ordnung, aber zu groß für uns, ich möchte sie zurückgeben.",
            "Aus Versehen kam {the} zweimal, eine davon schicke ich gern ungeöffnet zurück.",
            "Ich habe es mir anders überlegt: {the} soll zurück zu Ihnen.",
        ),
        "billing": (
            "Auf der Rechnung stehen {amount} Euro, vereinbart waren {amount2}.",
            "Auf der Rechnung fehlt der Rabatt von {n} Prozent.",
            "Die Rechnung hat den falschen Namen, richtig ist {company}.",
        ),
        "refund": (
            "{amount} Euro wurden zweimal abgebucht, bitte geben Sie eine Zahlung zurück.",
            "Ich habe die Ware vor {n} Wochen zurückgeschickt und meine {amount} Euro nicht gesehen.",
            "Sie haben meine Bestellung am {day} gestrichen, aber meine {amount} Euro sind noch bei Ihnen.",
        ),
        "access": (
            "Seit {day} nimmt die Seite mein Passwort nicht mehr an.",
            "Ich fordere ein neues Passwort an, aber die Mail kommt nie.",
            "Nach der Namensänderung auf {person} kann ich mich nicht anmelden.",
        ),
        "cancellation": (
            "Bitte beenden Sie meinen Vertrag zum Ende des Monats {month}.",
            "Ich brauche das Abo nicht mehr und höre im {month} auf.",
            "Bitte schließen Sie mein Konto, ich ziehe nach {town2}.",
        ),
    },
    "fr": {
        "delivery": (
            "{The} devait être ici {day}, et j'attends toujours.",
            "Depuis {n} jours le suivi indique {town2}, et rien n'est arrivé chez moi.",
            "J'ai commandé {the} il y a {n} semaines, mais le carton n'est pas venu.",
        ),
        "damage": (
            "Quand j'ai ouvert le carton {day}, {the} avait une fissure.",
            "{The} avait une grosse bosse à l'ouverture du carton.",
            "Le carton était mouillé et {the} portait des taches.",
        ),
        "warranty": (
            "Après {n} mois, {the} ne marche plus du tout.",
            "Pendant {n} mois tout allait bien, puis {the} a lâché sans raison.",
            "J'utilise {the} depuis {n} mois, et depuis {day} plus rien.",
        ),
        "return": (
            "{The} est très bien mais trop grande pour nous, je souhaite la renvoyer.",
            "J'ai changé d'avis : {the} doit repartir chez vous.",
            "Par erreur j'ai commandé {the} deux fois et je veux en renvoyer une sans l'ouvrir.",
        ),
        "billing": (
            "La facture indique {amount} euros, mais l'accord était de {amount2}.",
            "La remise de {n} pour cent manque sur la facture.",
            "La facture porte un faux nom, il faut écrire {company}.",
        ),
        "refund": (
            "{amount} euros ont été débités deux fois, merci de rendre un paiement.",
            "J'ai renvoyé l'article il y a {n} semaines et je n'ai pas revu mes {amount} euros.",
            "Vous avez annulé ma commande {day}, mais mes {amount} euros sont encore chez vous.",
        ),
        "access": (
            "Depuis {day}, le site refuse mon mot de passe.",
            "Je demande un nouveau mot de passe et le message n'arrive jamais.",
            "Depuis que je m'appelle {person}, je ne peux plus me connecter.",
        ),
        "cancellation": (
            "Merci d'arrêter mon contrat à la fin du mois : {month}.",
            "Je n'ai plus besoin de l'abonnement et je m'arrête en {month}.",
            "Merci de fermer mon compte, je déménage à {town2}.",
        ),
    },
}

FINE: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "delivery": ("The box came on time.", "Delivery was quick, as always."),
        "damage": ("Nothing was broken on arrival.", "The box looked fine on {day}."),
        "warranty": ("Everything still runs well.", "After {n} months all things work."),
        "return": ("I want to keep it.", "I am not sending anything back."),
        "billing": ("The bill is correct.", "The {amount} euros on the bill are right."),
        "refund": ("I do not want any money back.", "This is not about the {amount} euros."),
        "access": ("I can sign in without trouble.", "My password is fine."),
        "cancellation": ("I want to stay a customer.", "I do not want to end the contract."),
    },
    "de": {
        "delivery": ("Der Karton kam pünktlich.",),
        "damage": ("Bei der Ankunft war nichts kaputt.",),
        "warranty": ("Nach {n} Monaten läuft alles noch gut.",),
        "return": ("Ich möchte nichts zurückgeben.",),
        "billing": ("Die Rechnung stimmt.",),
        "refund": ("Ich will kein Geld zurück.",),
        "access": ("Das Passwort funktioniert.",),
        "cancellation": ("Ich möchte Kunde bleiben.",),
    },
    "fr": {
        "delivery": ("Le carton est arrivé à l'heure.",),
        "damage": ("Rien n'était cassé à l'arrivée.",),
        "warranty": ("Après {n} mois, tout marche encore.",),
        "return": ("Je ne veux rien renvoyer.",),
        "billing": ("La facture est juste.",),
        "refund": ("Je ne demande pas d'argent.",),
        "access": ("Mon mot de passe marche.",),
        "cancellation": ("Je veux rester client.",),
    },
}
