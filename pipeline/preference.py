r"""Preference pairs: a source's better and worse answer become one conversation and the answer that lost.

    {"prompt": "2 + 2?", "chosen": "4", "rejected": "5"}
    {"chosen": "\n\nHuman: 2 + 2?\n\nAssistant: 4", "rejected": "\n\nHuman: 2 + 2?\n\nAssistant: 5"}
    {"chosen": [{user, "2 + 2?"}, {assistant, "4"}], "rejected": [{user, "2 + 2?"}, {assistant, "5"}]}
        all   ->   turns [user "2 + 2?", assistant "4"], field rejected "5"

The worse answer travels as a field of the example, so that repair, redaction, review and the split see it.
"""

import re
from typing import Any

from pipeline.reading import ABSENT, Reading, RowError
from pipeline.strict_json import parse
from pipeline.turns import Turn, TurnsError, answered, turns_of

REJECTED = "rejected"
PROMPT = "prompt"
_SAID = re.compile(r"(?:\A|\n\n)(Human|Assistant): ?")
_ROLES = {"Human": "user", "Assistant": "assistant"}


def as_conversation(reading: Reading, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a row with the pair as a conversation and a text; as they are for other shapes.

    Raises:
        RowError: bad_pair, if one of the two is no answer, they answer different prompts, or are the same;
            missing_field.
    """
    if reading.shape != "preference":
        return values
    columns = {name: reading.columns[name] for name in ("turns", REJECTED)}
    for name, column in columns.items():
        if values[column] in (ABSENT, None, "", []):
            field = "chosen" if name == "turns" else REJECTED
            raise RowError("missing_field", f"column {column!r}, the {field} answer, is empty or not there")
    asked = values.get(reading.columns.get(PROMPT, ""), ABSENT)
    chosen, rejected = (_turns(values[column], asked, column) for column in columns.values())
    if chosen[:-1] != rejected[:-1]:
        raise RowError("bad_pair", "chosen and rejected answer different conversations")
    if chosen[-1].content.strip() == rejected[-1].content.strip():
        raise RowError("bad_pair", "chosen and rejected say the same")
    if rejected[-1].tool_calls:
        raise RowError("bad_pair", "rejected calls a tool; only texts can be compared")
    turns = [{name: value for name, value in turn._asdict().items() if value is not None} for turn in chosen]
    for turn in turns:
        if "tool_calls" in turn:
            turn["tool_calls"] = parse(turn["tool_calls"])
    return {**values, columns["turns"]: turns, columns[REJECTED]: rejected[-1].content}


def _turns(answer: Any, asked: Any, column: str) -> list[Turn]:  # noqa: ANN401 - as found in a source
    """Return the whole conversation that ends with an answer."""
    messages = _messages(answer, "assistant")
    if not any(_is_user(message) for message in messages):
        if asked in (ABSENT, None, "", []):
            raise RowError("bad_pair", f"column {column!r} holds an answer alone, and no column the prompt")
        messages = _messages(asked, "user") + messages
    try:
        turns = turns_of(messages)
    except TurnsError as error:
        raise RowError("bad_pair", f"column {column!r}: {error}") from None
    if not answered(turns):
        raise RowError("bad_pair", f"column {column!r} does not end with an answer")
    return turns


def _messages(value: Any, role: str) -> list[Any]:  # noqa: ANN401 - as found in a source
    """Return a list of messages; a text is one message of the role, or the turns written out in it."""
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list):
        return list(value)
    text = value if isinstance(value, str) else str(value)
    said = _SAID.split(text)
    if len(said) < 3 or said[0].strip():
        return [{"role": role, "content": text}]
    spoken = zip(said[1::2], said[2::2], strict=True)
    messages = [{"role": _ROLES[who], "content": what.strip()} for who, what in spoken]
    # A prompt written out this way ends with an empty "Assistant:" for the answer to follow.
    return messages[:-1] if role == "user" and not messages[-1]["content"] else messages


def _is_user(message: Any) -> bool:  # noqa: ANN401 - as found in a source
    return isinstance(message, dict) and message.get("role", message.get("from")) in ("user", "human")
