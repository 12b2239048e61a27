"""Rows of support.jsonl: a chat of two to four turns between a customer and the service.

A raw row::

    {"id": "C-000012", "conversations": [{"from": "human", "value": "Hello, where is my Alpine kettle?"},
     {"from": "gpt", "value": "Which order is it, please?"}, {"from": "human", "value": "K-48213."}, ...]}
"""

from __future__ import annotations

from typing import NamedTuple

from name_pools import Pool, capital, with_article
from row_shape import SampleRow


class Chat(NamedTuple):
    """One sort of chat: its first question, the exchanges that follow, and the slot that may go wrong.

    Attributes:
        opening: Ways in which the customer may begin.
        middle: (what the service asks back, what the customer says) for each further turn.
        closing: Ways of the last reply.
        slot: The slot of the last reply that a wrong reply has from elsewhere in the chat.
        other: The slot it takes instead.
    """

    opening: tuple[str, ...]
    middle: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    closing: tuple[str, ...]
    slot: str
    other: str


_ASK_ORDER = ("Which order is it, please?", "Could you give me the order number?", "What is the number of the order?")
_GIVE_ORDER = ("{order}.", "It is {order}, not {order2}.", "The number is {order}.", "{order}, I think.")

CHATS = (
    Chat(
        (
            "Hello, where is my {product}?",
            "I am still waiting for the {product} that I bought in {town2}.",
            "Has {a_product} left your warehouse for {person}?",
        ),
        (
            (_ASK_ORDER, _GIVE_ORDER),
            (
                ("Does it go to {town2}?", "Is {town2} still the right address?"),
                ("No, to {town}.", "It should go to {town} now.", "Please change that to {town}."),
            ),
        ),
        ("Order {order} will go to {town} today.", "I have sent order {order} to {town}."),
        "town",
        "town2",
    ),
    Chat(
        (
            "{person} here. I need a visit for my {product}.",
            "Can a technician look at the {product} of {person}?",
            "My {product} needs a repair, says {person} in {town}.",
        ),
        (
            (
                ("Would {day2} suit you?", "We have time on {day2}.", "Is {day2} possible?"),
                ("{day} would be better.", "I can only do {day}.", "No, please come on {day}."),
            ),
            (
                ("In the morning at {hour2}?", "Is {hour2} o'clock all right?"),
                ("Rather at {hour}.", "{hour} o'clock is better.", "Please at {hour}."),
            ),
        ),
        ("{person}, the visit is on {day} at {hour} o'clock.", "Booked: {person}, {day}, {hour} o'clock."),
        "day",
        "day2",
    ),
    Chat(
        (
            "What does the {product} cost?",
            "How much is {a_product} at the moment?",
            "{person} asks for the price of the {product}.",
        ),
        (
            (
                ("It is {price} euros. Do you need {n2} again?", "One costs {price} euros. Are {n2} enough?"),
                ("I take {n} for {company}.", "No, {n} please, for {company}.", "For {company} we need {n}."),
            ),
        ),
        (
            "I have put {n} pieces of the {product} aside for {company}.",
            "{company} gets {n} pieces of the {product} at {price} euros each.",
        ),
        "n",
        "n2",
    ),
    Chat(
        (
            "Please change the address of {company}.",
            "We at {company} are moving.",
            "The address of {company} in your files is out of date.",
        ),
        (
            (
                ("So far we have {town2}. What is the new town?", "From {town2} to which town?"),
                ("{town}.", "We go to {town}.", "It is {town} from {day} on."),
            ),
            (
                ("Who is the person to write to there?", "Whom do we address?"),
                ("{person}.", "Please write to {person}.", "{person} opens the letters."),
            ),
        ),
        ("{company} is now in {town}, for the attention of {person}.", "Noted: {company}, {person}, {town}."),
        "town",
        "town2",
    ),
    Chat(
        (
            "I would like to swap {a_product2} for another thing.",
            "The {product2} from order {order} is not for me.",
            "Could {person} exchange the {product2}?",
        ),
        (
            (
                ("What would you like instead?", "Which article shall we send?", "What shall it be?"),
                ("The {product}.", "{A_product}, please.", "I have seen the {product}."),
            ),
            (_ASK_ORDER, _GIVE_ORDER),
        ),
        (
            "In order {order} you now have the {product}.",
            "Done, {order} holds the {product} from now on.",
        ),
        "product",
        "product2",
    ),
    Chat(
        (
            "Who looks after {company}?",
            "I need somebody for a question of {company}.",
            "Hello, {company} would like to speak to a person.",
        ),
        (
            (
                ("Is it about the {product} or a bill?", "What is it about?"),
                ("The {product}, not the bill.", "It is about the {product}.", "We have a problem with the {product}."),
            ),
            (
                ("For that we have {person} and {person2}. Which town?", "{person2} is away, {person} is in. Where?"),
                ("We are in {town}.", "{town}.", "From {town}."),
            ),
        ),
        (
            "{person} will call {company} in {town} about the {product}.",
            "I have told {person} about the {product} of {company}.",
        ),
        "person",
        "person2",
    ),
)  # fmt: skip
_HELLO = ("Hello, is somebody there?", "Good morning from {town3}.", "Am I right at {company2}?")
_YES = ("Yes, {person3} speaking.", "You speak to {person3}.", "Good morning, this is {person3}.")
_SYSTEM = (
    "You answer for {company2} in {town3}.",
    "You work at the service desk of {company2}. Be short and friendly.",
    "Customer service of {company2}, on duty: {person3}.",
)


def support_row(pool: Pool) -> SampleRow:
    """One chat is returned; in its wrong last reply one value comes from elsewhere."""
    chat = pool.pick(CHATS)
    slots = chat_slots(pool)
    said = [("human", pool.pick(chat.opening))]
    if pool.chance(0.2):
        said = [("human", pool.pick(_HELLO)), ("gpt", pool.pick(_YES)), *said]
    for asked, told in chat.middle:
        said += [("gpt", pool.pick(asked)), ("human", pool.pick(told))]
    closing = pool.pick(chat.closing)
    turns = [{"from": who, "value": shape.format_map(slots)} for who, shape in said]
    if pool.chance(0.3):
        turns.insert(0, {"from": "system", "value": pool.pick(_SYSTEM).format_map(slots)})
    turns.append({"from": "gpt", "value": closing.format_map(slots)})
    # The last reply follows all exchanges of its chat, so every value in it was said before.
    asked_at = len(turns) - 2 - 2 * len(chat.middle)
    opening = ("conversations", asked_at, "value")
    return SampleRow(
        fields={"id": "C-000000", "conversations": turns},
        prompt_at=opening,
        answer_at=("conversations", len(turns) - 1, "value"),
        wrong=closing.format_map(slots | {chat.slot: slots[chat.other]}),
        prose_at=opening,
        id_key="id",
        kind="chat",
    )


def chat_slots(pool: Pool) -> dict[str, str]:
    """Names and numbers for one chat are returned."""
    product, product2 = pool.some(pool.product, 2)
    order, order2 = pool.some(pool.order, 2)
    town, town2, town3 = pool.some(pool.town, 3)
    person, person2, person3 = pool.some(pool.person, 3)
    company, company2 = pool.some(pool.company, 2)
    day, day2 = pool.some(pool.day, 2)
    hour, hour2 = pool.some(lambda: str(pool.number(8, 17)), 2)
    n, n2 = pool.some(lambda: str(pool.number(2, 60)), 2)
    return {
        "product": product,
        "a_product": with_article(product),
        "A_product": capital(with_article(product)),
        "product2": product2,
        "a_product2": with_article(product2),
        "order": order,
        "order2": order2,
        "town": town,
        "town2": town2,
        "town3": town3,
        "person": person,
        "person2": person2,
        "person3": person3,
        "company": company,
        "company2": company2,
        "day": day,
        "day2": day2,
        "hour": hour,
        "hour2": hour2,
        "n": n,
        "n2": n2,
        "price": f"{pool.number(4, 149)}.{pool.pick(('95', '49', '25'))}",
    }
