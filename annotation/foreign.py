r"""What a task that somebody else made showed: the usual names for prompts and responses.

The task data ``{"instruction": "Add.", "input": "2 + 2", "output": "4"}`` showed the user message
``Add.\n\n2 + 2`` and the response ``4``.
"""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue, ValidationError

from schemas import Message, Seen

PROMPTS = ("prompt", "instruction", "text", "question")
RESPONSES = ("response", "output", "answer", "completion")


def foreign_seen(
    data: Mapping[str, JsonValue], prompt_keys: Sequence[str] = (), shown_keys: Sequence[str] = ()
) -> Seen | str:
    """Return what was shown, or a phrase that says why it cannot be told.

    A list of messages whose last is the assistant's showed that one as the response. Without any
    response the task was to write one.

    Args:
        data: The task's data.
        prompt_keys: Keys that hold the prompt, before the usual ones; the first that holds text is taken.
        shown_keys: Likewise for the response.
    """
    messages = data.get("messages")
    responses = (*shown_keys, *RESPONSES)
    if isinstance(messages, list) and not prompt_keys:
        return _conversation(messages, data, responses)
    prompts = (*prompt_keys, *PROMPTS)
    name = next((name for name in prompts if _text(data, name)), None)
    if name is None:
        keys = ", ".join(sorted(data)) or "none"
        return f"no prompt among the task's data; looked for {', '.join(prompts)}; found: {keys}"
    prompt = _text(data, name)
    if name == "instruction" and _text(data, "input"):
        prompt = f"{prompt}\n\n{_text(data, 'input')}"
    return _seen([{"role": "user", "content": prompt}], _response(data, responses))


def _conversation(messages: list[JsonValue], data: Mapping[str, JsonValue], responses: Sequence[str]) -> Seen | str:
    response, last = _response(data, responses), messages[-1] if messages else None
    if not response and isinstance(last, dict) and last.get("role") == "assistant":
        return _seen(messages[:-1], str(last.get("content") or ""))
    return _seen(messages, response)


def _seen(messages: list[JsonValue], response: str) -> Seen | str:
    try:
        # Only who spoke and what: a foreign message may carry keys of its own.
        plain = [
            Message.model_validate({key: message.get(key) for key in ("role", "content")})
            for message in messages
            if isinstance(message, dict)
        ]
        return Seen(prompt=plain, response=response)
    except ValidationError as error:
        return f"messages cannot be read: {error.errors()[0]['msg']}"


def _response(data: Mapping[str, JsonValue], names: Sequence[str]) -> str:
    return next((text for name in names if (text := _text(data, name))), "")


def _text(data: Mapping[str, JsonValue], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""
