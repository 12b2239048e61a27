"""Rows of products.parquet: a note about an article and the record that it holds.

A raw row::

    note    "The Alpine kettle now costs 24.95 euros instead of 29.95. Colour: green. In stock: 12."
    record  '{"name":"Alpine kettle","price":"24.95","colour":"green","stock":12}'
"""

from __future__ import annotations

import json

from name_pools import Pool, with_article
from name_words import COLOURS, COLOURS_DE, COLOURS_FR
from row_shape import SampleRow

_ENGLISH = (
    "The {name} in {colour} now costs {price} euros instead of {old}. We have {stock} pieces, {more} more come "
    "in {month}, then also in {colour2}.",
    "New in {town}: {a_name}, {colour}, for {price} euros. Stock {stock}. The {colour2} one was {old} and sold "
    "{more} times.",
    "{person} counted {stock} pieces of the {name} ({colour}). Price {price} euros, last year {old}. {more} went "
    "back to {town} because they were {colour2}.",
    "Please list the {name} at {price} euros. Colour {colour}, not {colour2}. {stock} on the shelf, {more} on "
    "order. The old price of {old} no longer holds.",
    "We got {more} boxes from {town} and {stock} of them are {name} in {colour}. They sell at {price} euros; the "
    "{colour2} ones, at {old}, are gone.",
    "For the web shop: {name}, {stock} in stock, {price} euros ({old} last season). It is {colour} with a "
    "{colour2} box of {more} by 40 cm.",
    "{person} wants the {name} on page {more}: {colour} on {colour2} ground, {price} euros, last month {old}. Only "
    "{stock} are left.",
    "Was {old}, now {price} euros: {a_name}. {stock} {colour} pieces in {town}. The {colour2} stock of {more} is "
    "reserved for {company}.",
    "{company} sent us {stock} {colour} pieces of the {name}. They should cost {price} euros, though {old} is "
    "printed on the {colour2} label. Weight of a box: {more} kg.",
    "Stock list of {town}, {month}. {name}: {stock}. Colour: {colour} (until {month}: {colour2}). Price: {price} "
    "euros. Price abroad: {old}. Sold in {month}: {more}.",
)
_GERMAN = (
    "Neu in {town}: {name} in {colour} für {price} Euro statt {old}. Auf Lager sind {stock} Stück, {more} weitere "
    "in {colour2} sind bestellt.",
    "{person} hat {stock} Stück gezählt: {name}, Farbe {colour}, Preis {price} Euro. Früher in {colour2} für "
    "{old} Euro, Karton zu {more} Stück.",
    "Bitte {name} auf {price} Euro setzen, bisher {old}. Farbe {colour}, nicht {colour2}. {stock} liegen im "
    "Regal, {more} gehen an {company}.",
)
_FRENCH = (
    "Nouveau à {town} : {name}, couleur {colour}, à {price} euros au lieu de {old}. Il en reste {stock}, et {more} "
    "en {colour2} arrivent bientôt.",
    "{person} a compté {stock} pièces : {name}, couleur {colour}, prix {price} euros. L'an dernier en {colour2} à "
    "{old} euros, par carton de {more}.",
    "Merci de mettre {name} à {price} euros, avant {old}. Couleur {colour}, pas {colour2}. {stock} en rayon, "
    "{more} pour {company}.",
)
_LANGUAGES = {"en": (_ENGLISH, COLOURS), "de": (_GERMAN, COLOURS_DE), "fr": (_FRENCH, COLOURS_FR)}
# No price ends in 0, so that a price has one way of being written.
_CENTS = ("95", "49", "99", "25", "75", "45")


def product_row(pool: Pool) -> SampleRow:
    """One note is returned with its record; the wrong record takes a value from elsewhere in the note."""
    language = "en" if pool.chance(0.8) else pool.pick(("de", "fr"))
    shapes, colours = _LANGUAGES[language]
    name, stock, more = pool.product(), *pool.some(lambda: pool.number(3, 97), 2)
    # A record keeps the price as its note writes it, with a comma in German and French.
    point = "." if language == "en" else ","
    price, old = pool.some(lambda: f"{pool.number(4, 149)}{point}{pool.pick(_CENTS)}", 2)
    colour, colour2 = pool.some(lambda: pool.pick(colours), 2)
    note = pool.pick(shapes).format_map({
        "name": name,
        "a_name": with_article(name),
        "price": price,
        "old": old,
        "colour": colour,
        "colour2": colour2,
        "stock": stock,
        "more": more,
        "town": pool.town(),
        "person": pool.person(),
        "company": pool.company(),
        "month": pool.month(),
    })  # fmt: skip
    right: dict[str, str | int] = {"name": name, "price": price, "colour": colour, "stock": stock}
    # Each of these stands in the note, so that no look at the row alone tells which one is wrong.
    swaps: list[dict[str, str | int]] = [{"price": old}, {"colour": colour2}, {"stock": more}]
    return SampleRow(
        fields={"note": note, "record": compact(right)},
        prompt_at=("note",),
        answer_at=("record",),
        wrong=compact(right | pool.pick(swaps)),
        prose_at=("note",),
        language=language,
        kind="record",
    )


def compact(record: dict[str, str | int]) -> str:
    """The record is returned as JSON text without spaces."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))
