r"""What a reviewer sees of an example, and the digest that tells whether two screens showed the same.

A row with ``prompt = [user "2 + 2?"]`` and ``completion = [assistant "4"]`` shows the message
``user: 2 + 2?`` as context and ``4`` in the box. Tool calls have no box; they are shown as text in the
context, such as ``get_weather({"city": "Oslo"})``, so a changed call is seen to have changed.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.digest import value_digest
from schemas import Annotation, Message, Seen

ShownPrompt = tuple[tuple[str, str], ...]


def screen(prompt: Sequence[Mapping[str, Any]], completion: Sequence[Mapping[str, Any]]) -> Seen:
    """Return what is shown of a row: the last completion message's text in the box, all before as context.

    An empty completion shows an empty box: the answer is to be written.
    """
    context = [*prompt, *completion[:-1]]
    messages = [Message(role=message["role"], content=_shown(message)) for message in context]
    if not completion:
        return Seen(prompt=messages, response="")
    last = completion[-1]
    if last.get("tool_calls"):
        messages.append(Message(role=last["role"], content=_calls(last["tool_calls"])))
    return Seen(prompt=messages, response=last["content"])


def shown_prompt(seen: Seen) -> ShownPrompt:
    """Return roles and texts of the context, ready to be compared."""
    return tuple((message.role, message.content) for message in seen.prompt)


def seen_digest(seen: Seen) -> str:
    """Return 32 hex digits that are equal exactly when context and response are."""
    return value_digest([[list(pair) for pair in shown_prompt(seen)], seen.response])


def asks_for_text(seen: Seen) -> bool:
    """Return whether the box was empty for somebody to write in, and not because a tool was called."""
    answered_by_call = bool(seen.prompt) and seen.prompt[-1].role == "assistant"
    return not seen.response.strip() and not answered_by_call


def stands(answer: Annotation, now: Seen, n_completion: int) -> bool:
    """Return whether an answer still speaks of what a row shows now.

    Args:
        answer: What a person said, and of what.
        now: What the row shows today.
        n_completion: Messages in the row's completion; a written answer stands only while there is none.
    """
    if answer.verdict == "write" and n_completion:
        return False
    if answer.turn is not None and answer.turn >= n_completion:
        return False
    return shown_prompt(answer.seen) == shown_prompt(now) and answer.seen.response == now.response


def _shown(message: Mapping[str, Any]) -> str:
    calls = message.get("tool_calls")
    return "\n".join(part for part in (message["content"], _calls(calls) if calls else "") if part)


def _calls(text: str) -> str:
    """Return one line for each tool call, or the JSON as it is where it has another form."""
    try:
        functions = [call["function"] for call in json.loads(text)]
        return "\n".join(f"{function['name']}({_arguments(function['arguments'])})" for function in functions)
    except (ValueError, TypeError, KeyError):
        return text


def _arguments(value: Any) -> str:  # noqa: ANN401 - sources write arguments as text or as an object
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
