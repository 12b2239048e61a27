"""Short customer messages with one order, one product and two people, over which small tasks are set.

A message::

    Ada Kern from Ashford called on Friday. The Alpine kettle in order K-48213 is scratched; order
    R-50119 is already closed. Her visit to the shop, for a Fjord tent, is noted. Leon Shaw will answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from name_pools import Pool, with_article


@dataclass(frozen=True)
class Mail:
    """A message and the things that stand in it.

    Attributes:
        sentences: The sentences of the message, in order; the first names the writer.
        person: The customer who wrote or called.
        colleague: The member of staff who will answer.
        order: The number of the order that the message is about.
        other_order: The number of an order that is mentioned by the way.
        product: The article that the message is about.
        other_product: An article that is mentioned by the way.
    """

    sentences: tuple[str, ...]
    person: str
    colleague: str
    order: str
    other_order: str
    product: str
    other_product: str

    @property
    def text(self) -> str:
        """The whole message in one line."""
        return " ".join(self.sentences)


_OPENINGS = (
    "{person} from {town} called on {day}.",
    "On {day} {person} came to our counter in {town}.",
    "A note from {person} reached us from {town}.",
    "{person} wrote from {town} on {day}.",
    "{person} of {company} wrote to us on {day}.",
    "We heard from {person}, a customer in {town}.",
    "A mail from {person} in {town} came on {day}.",
    "On {day} there was a call from {person}.",
    "{day} morning, {town}: {person} left a message.",
    "{person} has been with us since {year}.",
)
_MATTERS = (
    "The {product} from order {order} is missing a screw.",
    "In order {order} the {product} has the wrong colour.",
    "A second {product} should go into order {order}.",
    "Order {order} came without the {product}.",
    "Please wrap the {product} in order {order} as a present.",
    "The lid of the {product} in order {order} does not close.",
    "The question is whether order {order}, {a_product}, can be sent to {town2}.",
    "Order {order} is about {a_product}, and it is urgent.",
    "Nobody has packed the {product} for order {order} yet.",
    "For order {order}, the {product} has to be black.",
)
_ASIDES = (
    "Order {other_order} with the {other_product} is already closed.",
    "The earlier order {other_order}, {a_other}, was fine.",
    "That has nothing to do with the {other_product} in order {other_order}.",
    "The {other_product} from {other_order} came last year and may stay.",
    "Do not mix it up with {other_order}, which was {a_other}.",
    "An old order, {other_order}, was for {a_other}.",
)
_ENDINGS = (
    "{colleague} will answer.",
    "{colleague} is looking after it.",
    "Please let {colleague} in our {town2} office reply.",
    "The reply will come from {colleague}.",
    "{colleague} takes care of the rest on {day}.",
    "Our {colleague} has promised an answer.",
)

ASKED: dict[str, tuple[str, ...]] = {
    "order_number": (
        "Give the number of the order that the message is about.",
        "Which order is open here? Answer with its number only.",
        "Pull out the order number that needs work.",
        "Write down the number of the order in question, not of the finished one.",
        "Order number, please: the one with the problem or wish.",
    ),
    "upper": (
        "Write the customer's name in capital letters.",
        "Who is the customer? Use upper case only.",
        "For the card index: the name of the customer, all in capitals.",
        "Put the customer's full name in upper case.",
    ),
    "lower": (
        "Write the name of our colleague in small letters.",
        "Who will answer? Use lower case only.",
        "Give the name of the person in charge of the reply, all in lower case.",
    ),
    "initials": (
        "Give the initials of the customer.",
        "Shorten the customer's name to initials.",
        "Which initials does the customer have?",
    ),
    "colleague": (
        "Who on our side answers the customer?",
        "Name the member of staff who deals with this.",
        "Which colleague is in charge? Give the full name.",
        "From whom will the reply come?",
    ),
    "product": (
        "Which article is the message about?",
        "Name the product of the open order.",
        "Give the full name of the article in question.",
        "What product does the customer have a question or wish about?",
    ),
    "first_sentence": (
        "Copy the first sentence.",
        "Return only the opening sentence of the message.",
        "How does the message begin? Give its first sentence.",
    ),
    "turn_name": (
        "Write the customer's name as last name, first name.",
        "Give the name of the customer for the phone book, family name first.",
        "Turn the customer's name around, with a comma.",
    ),
    "sort_words": (
        "Sort these words from A to Z.",
        "Put the list in alphabetical order.",
        "Arrange the articles by the alphabet.",
    ),
    "turn_list": (
        "Turn the order of this list around.",
        "Write the list from back to front.",
        "Give the same names, last one first.",
    ),
    "third_item": (
        "Give the third item of the list.",
        "Which product stands in third place?",
        "Name item number three.",
    ),
    "iso_date": (
        "Give the date as year-month-day.",
        "Write the date in digits, year first.",
        "On which day was it? Use the form 2020-12-31.",
    ),
}


def short_mail(pool: Pool) -> Mail:
    """A message of three or four sentences is returned with the things that stand in it."""
    person, colleague = pool.some(pool.person, 2)
    order, other_order = pool.some(pool.order, 2)
    product, other_product = pool.some(pool.product, 2)
    town, town2 = pool.some(pool.town, 2)
    slots = {
        "person": person,
        "colleague": colleague,
        "order": order,
        "other_order": other_order,
        "product": product,
        "a_product": with_article(product),
        "other_product": other_product,
        "a_other": with_article(other_product),
        "town": town,
        "town2": town2,
        "company": pool.company(),
        "day": pool.day(),
        "year": pool.year(),
    }
    middle = [pool.pick(_MATTERS), pool.pick(_ASIDES)]
    shapes = [pool.pick(_OPENINGS), *middle, pool.pick(_ENDINGS)]
    sentences = tuple(shape.format_map(slots) for shape in shapes)
    return Mail(sentences, person, colleague, order, other_order, product, other_product)
