r"""Rows of assistant.jsonl: an assistant that looks things up with a tool before it answers.

A raw row::

    {"messages": [{"role": "user", "content": "Where is order K-48213?"}, {"role": "assistant", "content": "",
     "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "order_status", "arguments":
     "{\"order\":\"K-48213\"}"}}]}, {"role": "tool", "tool_call_id": "call_1", "content": "..."}, ...],
     "tools": [{"type": "function", "function": {"name": "order_status", ...}}]}
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from name_pools import Pool
from row_shape import SampleRow
from support_rows import chat_slots


class Tool(NamedTuple):
    """A tool with its questions: what a user asks, what goes in, what comes back, what is answered.

    Attributes:
        name: The function's name.
        about: What it does.
        takes: Its arguments, each with the slot that fills it.
        gives: The keys of its result, each with the slot that fills it.
        asked: Ways to ask for it.
        answered: Ways to answer from the result.
        slot: The slot of the answer that may go wrong.
        other: The slot it then takes instead.
    """

    name: str
    about: str
    takes: tuple[tuple[str, str], ...]
    gives: tuple[tuple[str, str], ...]
    asked: tuple[str, ...]
    answered: tuple[str, ...]
    slot: str
    other: str


TOOLS = (
    Tool(
        "order_status",
        "Look up where an order is.",
        (("order", "order"),),
        (("last_stop", "town2"), ("next_stop", "town"), ("day", "day")),
        ("Where is order {order}?", "{person} asks when {order} arrives.", "Is {order} on its way to us?"),
        ("Order {order} comes to {town} on {day}.", "The next stop of {order} is {town}, on {day}."),
        "town",
        "town2",
    ),
    Tool(
        "stock_level",
        "Count the pieces of an article.",
        (("article", "product"), ("shop", "town")),
        (("pieces", "n"), ("ordered", "n2")),
        ("How many {product} are there in {town}?", "{person} needs {a_product} in {town}. Any left?"),
        ("There are {n} pieces of the {product} in {town}.", "In {town} we have {n} of the {product}."),
        "n",
        "n2",
    ),
    Tool(
        "contact_of",
        "Find the person in charge of a firm.",
        (("firm", "company"),),
        (("in_charge", "person"), ("before", "person2")),
        ("Who looks after {company}?", "Please find the contact for {company} in {town}."),
        ("{person} looks after {company}.", "The contact for {company} is {person}."),
        "person",
        "person2",
    ),
    Tool(
        "book_visit",
        "Book a visit at a customer's.",
        (("name", "person"), ("day", "day2")),
        (("wished", "day2"), ("booked", "day"), ("hour", "hour")),
        ("Send somebody to {person} on {day2}.", "{person} in {town} would like a visit on {day2}."),
        ("{person} gets the visit on {day} at {hour} o'clock.", "{person} is booked for {day}, {hour} o'clock."),
        "day",
        "day2",
    ),
)
# (asked, answered, the two slots that a wrong answer swaps)
_PLAIN = (
    (
        "{person} will be late by {n} minutes. Tell {person2}.",
        "{person2}, {person} is {n} minutes late.",
        ("person", "person2"),
    ),
    (
        "Tell {person} that the {product} is ready in {town}, not in {town2}.",
        "{person}, your {product} is ready in {town}.",
        ("town", "town2"),
    ),
    (
        "Ask {person} of {company} for the bill of order {order}; we have the one of {order2}.",
        "{person}, please send us the bill of {order}.",
        ("order", "order2"),
    ),
    (
        "Let {company} know that {n} boxes leave {town} on {day} and {n2} boxes on {day2}.",
        "{company}, the first {n} boxes leave {town} on {day}.",
        ("n", "n2"),
    ),
)
_SYSTEM = ("You help the staff of {company2}.", "You are the desk assistant of {company2} in {town3}.")


def assistant_row(pool: Pool) -> SampleRow:
    """One dialogue is returned; six in ten call a tool and answer from what it gives back."""
    slots = chat_slots(pool)
    messages: list[dict[str, Any]] = []
    if pool.chance(0.3):
        messages.append({"role": "system", "content": pool.pick(_SYSTEM).format_map(slots)})
    asked_at = len(messages)
    tool = pool.pick(TOOLS)
    if pool.chance(0.6):
        wrong = _with_tool(pool, tool, slots, messages)
    else:
        asked, answered, (slot, other) = pool.pick(_PLAIN)
        messages.append({"role": "user", "content": asked.format_map(slots)})
        messages.append({"role": "assistant", "content": answered.format_map(slots)})
        wrong = answered.format_map(slots | {slot: slots[other], other: slots[slot]})
    return SampleRow(
        fields={"messages": messages, "tools": [_described(tool)]},
        prompt_at=("messages", asked_at, "content"),
        answer_at=("messages", len(messages) - 1, "content"),
        wrong=wrong,
        prose_at=("messages", asked_at, "content"),
        kind=tool.name,
    )


def _with_tool(pool: Pool, tool: Tool, slots: dict[str, str], messages: list[dict[str, Any]]) -> str:
    """The messages of one tool call are appended; a wrong last answer is returned."""
    answered = pool.pick(tool.answered)
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": tool.name, "arguments": _json({key: slots[slot] for key, slot in tool.takes})},
    }
    result = _json({key: slots[slot] for key, slot in tool.gives})
    messages += [
        {"role": "user", "content": pool.pick(tool.asked).format_map(slots)},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": result},
        {"role": "assistant", "content": answered.format_map(slots)},
    ]
    return answered.format_map(slots | {tool.slot: slots[tool.other]})


def _described(tool: Tool) -> dict[str, Any]:
    keys = [key for key, _ in tool.takes]
    schema = {"type": "object", "properties": {key: {"type": "string"} for key in keys}, "required": keys}
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.about, "parameters": schema},
    }


def _json(value: dict[str, str]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
