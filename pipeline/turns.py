"""Conversations: ShareGPT's and OpenAI's spellings become one list of turns, or a sentence why they cannot.

    [{"from": "human", "value": "2 + 2?"}, {"from": "gpt", "value": "4"}]
    [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]
        both ->   [Turn("user", "2 + 2?"), Turn("assistant", "4")]

Order that holds afterwards: at most one system turn, first; then a user turn; never two of user or of assistant in a
row; every tool turn answers a call of the assistant turn before it, and every call that is not the last is answered.
"""

from typing import Any, NamedTuple

from pipeline.strict_json import MalformedError, canonical, parse

ROLES = {
    "system": "system", "developer": "system", "user": "user", "human": "user",
    "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bing": "assistant", "bard": "assistant",
    "model": "assistant", "function_call": "assistant", "tool": "tool", "function": "tool", "observation": "tool",
}  # fmt: skip


class TurnsError(ValueError):
    """The conversation cannot be used; the message names the turn, counted from 0."""


class Turn(NamedTuple):
    """One turn, with the fields of `schemas.Message`."""

    role: str
    content: str
    name: str | None = None
    tool_calls: str | None = None
    tool_call_id: str | None = None
    weight: float | None = None


def turns_of(value: Any, system: Any = None) -> list[Turn]:  # noqa: ANN401 - as found in a source
    """Return the turns of a conversation, a system text from beside it put first.

    Args:
        value: A list of messages, or its JSON text.
        system: Text of a column beside the conversation; empty means none.

    Raises:
        TurnsError: Anything the module's order forbids, unknown roles, contents that are no text, an empty turn
            (the last may be one: nobody has answered yet).
    """
    if isinstance(value, str):
        try:
            value = parse(value)
        except MalformedError as error:
            raise TurnsError(f"the conversation is text, but no JSON: {error}") from None
    if not isinstance(value, list):
        raise TurnsError(f"the conversation is {_kind(value)}, not a list")
    turns, calls = [], 0
    for i, message in enumerate(value):
        turn = _turn(message, f"turns[{i}]", calls)
        calls += turn.tool_calls.count('"function":') if turn.tool_calls else 0
        # An empty system text says nothing; many sources write one into every conversation.
        if turn.role != "system" or turn.content:
            turns.append(turn)
    if system not in (None, ""):
        turns = _with_system(turns, system)
    return _in_order(turns)


def answered(turns: list[Turn]) -> bool:
    """Whether the last turn is an answer."""
    last = turns[-1]
    return last.role == "assistant" and bool(last.content.strip() or last.tool_calls)


def _turn(message: Any, at: str, calls: int) -> Turn:  # noqa: ANN401 - as found in a source
    if not isinstance(message, dict):
        raise TurnsError(f"{at} is {_kind(message)}, not an object")
    said = message.get("role", message.get("from"))
    role = ROLES.get(said) if isinstance(said, str) else None
    if role is None:
        raise TurnsError(f"{at} has role {said!r}; known: {', '.join(ROLES)}")
    content = message["content"] if "content" in message else message.get("value")
    found: Any = message.get("tool_calls") or message.get("function_call")
    if said == "function_call":
        found, content = _json(content, at), None
    name, call_id = message.get("name"), message.get("tool_call_id")
    for key, text in (("name", name), ("tool_call_id", call_id)):
        if not isinstance(text, str | None):
            raise TurnsError(f"{at} has {key} {text!r}, not text")
    return Turn(role, _text(content, at), name, _calls(found, at, calls), call_id, _weight(message, at))


def _text(content: Any, at: str) -> str:  # noqa: ANN401 - as found in a source
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise TurnsError(f"{at} has content that is {_kind(content)}, not text")
    pieces = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else _kind(part)
        text = part.get("text", part.get("value")) if isinstance(part, dict) else None
        if kind != "text" or not isinstance(text, str):
            raise TurnsError(f"{at} has a part of type {kind!r}; only text can be used")
        pieces.append(text)
    return "".join(pieces)


def _calls(found: Any, at: str, before: int) -> str | None:  # noqa: ANN401 - as found in a source
    """Return calls as JSON in OpenAI's form; those without an id are numbered through the conversation."""
    if not found:
        return None
    calls: list[dict[str, Any]] = []
    for call in found if isinstance(found, list) else [found]:
        function = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise TurnsError(f"{at} has a call without a function name")
        arguments = function.get("arguments", {})
        calls.append(
            {
                "id": str(call.get("id") or f"call_{before + len(calls)}"),
                "type": "function",
                "function": {
                    "name": function["name"],
                    "arguments": arguments if isinstance(arguments, str) else canonical(arguments),
                },
            }
        )
    return canonical(calls)


def _weight(message: dict[str, Any], at: str) -> float | None:
    weight = message.get("weight", message.get("loss_weight"))
    if weight is None:
        return None
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= 1:
        raise TurnsError(f"{at} has weight {weight!r}, not a number from 0 to 1")
    return float(weight)


def _with_system(turns: list[Turn], system: Any) -> list[Turn]:  # noqa: ANN401 - as found in a source
    if not isinstance(system, str):
        raise TurnsError(f"the system column holds {_kind(system)}, not text")
    if turns and turns[0].role == "system":
        if turns[0].content != system:
            raise TurnsError("turns[0] and the system column both hold a system text, and they differ")
        return turns
    return [Turn("system", system), *turns]


def _in_order(turns: list[Turn]) -> list[Turn]:
    """Return the turns with their tool turns tied to calls, or raise at the first that is out of order."""
    if not any(turn.role == "user" for turn in turns):
        raise TurnsError("no user turn" if turns else "the conversation is empty")
    done: list[Turn] = []
    waiting: list[str] = []
    previous = "system"
    for i, turn in enumerate(turns):
        at, role = f"turns[{i}]", turn.role
        if role == "system" and i:
            raise TurnsError(f"{at} is a system turn; only the first may be one")
        if role == previous and role in ("user", "assistant"):
            raise TurnsError(f"{at} follows another {role} turn")
        if role == "assistant" and previous == "system":
            raise TurnsError(f"{at} is the assistant's before any user turn")
        if role == "tool":
            turn = _tied(turn, waiting, at)
        elif waiting:
            raise TurnsError(f"{at} comes before call {waiting[0]!r} is answered")
        if i < len(turns) - 1 and role != "tool" and not (turn.content.strip() or turn.tool_calls):
            raise TurnsError(f"{at} is empty")
        if turn.tool_calls:
            waiting = [call["id"] for call in parse(turn.tool_calls)]
        previous = role
        done.append(turn)
    return done


def _tied(turn: Turn, waiting: list[str], at: str) -> Turn:
    """Return the tool turn with the id of the call it answers, which then waits no more."""
    if not waiting:
        raise TurnsError(f"{at} answers no call")
    if turn.tool_call_id is not None and turn.tool_call_id not in waiting:
        raise TurnsError(f"{at} answers call {turn.tool_call_id!r}; open: {', '.join(waiting)}")
    call_id = turn.tool_call_id or waiting[0]
    waiting.remove(call_id)
    return turn._replace(tool_call_id=call_id)


def _json(content: Any, at: str) -> Any:  # noqa: ANN401 - as found in a source
    if not isinstance(content, str):
        return content
    try:
        return parse(content)
    except MalformedError as error:
        raise TurnsError(f"{at} is a call that is no JSON: {error}") from None


def _kind(value: object) -> str:
    """Return what a JSON value is, in words."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
