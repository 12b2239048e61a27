r"""A chat template in the template language of Ollama, found by asking the template itself.

    template  {% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if ... %}<|assistant|>
    probes    user "Q1" -> "<|user|>Q1<|end|><|assistant|>";  user, assistant, user -> ...
    Modelfile TEMPLATE \"\"\"{{ range .Messages }}{{ if eq .Role "user" }}<|user|>{{ .Content }}<|end|>{{ ... }}

What is found is put together again for conversations it was not learnt from. A template that writes one of these
differently, such as one that moves the system message into the user's turn, is refused.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from schemas import ConfigError

Turns = Sequence[tuple[str, str]]
# Letters alone: no template trims, escapes or splits them, and no tokenizer's control token holds them.
_S, _A, _B, _C, _D, _E = "qsysteminq", "qfirstaskq", "qfirstsaidq", "qnextaskq", "qnextsaidq", "qlastaskq"
_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class ChatShape:
    """How a chat template writes a conversation, where it does so turn by turn.

    Attributes:
        start: What stands before the first turn.
        around: For each role it takes, what stands before and after the content.
        default: What it writes in the place of a system message if there is none; with its frame.
        ask: What invites the assistant to speak.
    """

    start: str
    around: dict[str, tuple[str, str]]
    default: str
    ask: str

    def render(self, turns: Turns) -> str:
        """Return a conversation as the template would write it for generation."""
        told = "" if turns and turns[0][0] == "system" else self.default
        spoken = [self.around[role][0] + content + self.around[role][1] for role, content in turns]
        return self.start + told + "".join(spoken) + self.ask


def chat_shape(tokenizer: PreTrainedTokenizerBase, stop: str, where: str) -> ChatShape:
    """Return how the tokenizer's chat template writes conversations.

    Args:
        tokenizer: With the chat template.
        stop: The token that ends an answer.
        where: What the template is called in messages.

    Raises:
        ConfigError: It does not write them turn by turn.
    """
    one, two, three = (_render(tokenizer, turns) for turns in _conversations()[:3])
    _, user_answer, answer_user, user_end = _between(two, (_A, _B, _C), where)
    one_start, one_end = _between(one, (_A,), where)
    third = _between(three, (_A, _B, _C, _D, _E), where)
    # Twice the same words between an answer and the next question: the frame of the turns, split by what repeats.
    if one_end != user_end or third[3] != user_answer or third[4] != answer_user:
        raise _refused("a turn is written differently when more turns follow", where)
    after_user, before_answer, ask = _user_end(tokenizer, user_answer, user_end, where)
    after_answer = _answer_end(answer_user, one_start, (after_user, stop))
    before_user = answer_user[len(after_answer) :]
    start = one_start[: len(one_start) - len(before_user)]
    around = {"user": (before_user, after_user), "assistant": (before_answer, after_answer)}
    default = ""
    told = _try(tokenizer, [("system", _S), ("user", _A)])
    if told is not None:
        opening, rest = _between(told, (_S, _A), where)[:2]
        if not rest.endswith(before_user):
            raise _refused("the system message is no turn of its own", where)
        after_system = rest[: len(rest) - len(before_user)]
        start, default = _shared_start(start, opening, tokenizer.bos_token or "")
        around["system"] = (opening[len(start) :], after_system)
    shape = ChatShape(start, around, default, ask)
    for turns in _conversations():
        if ("system" in dict(turns)) <= (told is not None) and _render(tokenizer, turns) != shape.render(turns):
            raise _refused(f"{' - '.join(role for role, _ in turns)} is not the sum of its turns", where)
    return shape


def modelfile(shape: ChatShape, stop: str, folder: str, *, adds_bos: str | None) -> str:
    """Return the text of a Modelfile.

    Args:
        shape: How the chat template writes conversations.
        stop: The token that ends an answer.
        folder: Of the model, beside the Modelfile.
        adds_bos: The token that the tokenizer itself puts first, as Ollama then does too; None if it puts none.

    Raises:
        ConfigError: A piece of the template cannot stand in a Modelfile.
    """
    start = shape.start
    if adds_bos is not None:
        start = start.removeprefix(adds_bos)
    system, lines = _system(shape), [f"FROM ./{folder}"]
    default = "" if system is not None else shape.default
    pieces = [start, default, shape.ask, *(text for pair in shape.around.values() for text in pair)]
    if bad := next((text for text in (*pieces, system or "") if "{{" in text or '"""' in text), None):
        raise _refused(f"it writes {bad!r}, which has a meaning of its own in a Modelfile", "the Modelfile")
    body = start
    if default:
        body += f'{{{{ if ne (index .Messages 0).Role "system" }}}}{default}{{{{ end }}}}'
    body += "{{ range .Messages }}"
    for place, role in enumerate(role for role in _ROLES if role in shape.around):
        before, after = shape.around[role]
        word = "else if" if place else "if"
        body += f'{{{{ {word} eq .Role "{role}" }}}}{before}{{{{ .Content }}}}{after}'
    body += "{{ end }}{{ end }}" + shape.ask
    if "system" not in shape.around:
        lines.append("# The chat template takes no system message: Ollama leaves it out without a word.")
    lines.append(f'TEMPLATE """{body}"""')
    if system is not None:
        lines.append(f'SYSTEM """{system}"""')
    return "\n".join([*lines, f"PARAMETER stop {json.dumps(stop, ensure_ascii=False)}", "PARAMETER temperature 0", ""])


def _conversations() -> list[Turns]:
    """Return the probes; the first three are learnt from, all are checked."""
    asked: list[tuple[str, str]] = [("user", _A)]
    twice = [*asked, ("assistant", _B), ("user", _C)]
    thrice = [*twice, ("assistant", _D), ("user", _E)]
    return [asked, twice, thrice, *([("system", _S), *turns] for turns in (asked, twice, thrice))]


def _render(tokenizer: PreTrainedTokenizerBase, turns: Turns, *, ask: bool = True) -> str:
    messages = [{"role": role, "content": content} for role, content in turns]
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask))


def _try(tokenizer: PreTrainedTokenizerBase, turns: Turns) -> str | None:
    """Return a rendered conversation, or None where the template forbids it."""
    try:
        return _render(tokenizer, turns)
    except TemplateError:
        return None


def _between(text: str, contents: Sequence[str], where: str) -> list[str]:
    """Return what stands before, between and after contents that must stand in the text once each, in order."""
    parts = []
    for content in contents:
        before, found, text = text.partition(content)
        if not found or content in text:
            raise _refused("a message is left out, repeated or moved", where)
        parts.append(before)
    return [*parts, text]


def _user_end(tokenizer: PreTrainedTokenizerBase, middle: str, end: str, where: str) -> tuple[str, str, str]:
    """Return what ends a user's turn, what begins an assistant's in the past, and what invites it to speak."""
    silent = _between(_render(tokenizer, [("user", _A)], ask=False), (_A,), where)[1]
    if not (middle.startswith(silent) and end.startswith(silent)):
        raise _refused("a user's turn ends differently when it is answered", where)
    return silent, middle[len(silent) :], end[len(silent) :]


def _answer_end(answer_user: str, one_start: str, likely: Sequence[str]) -> str:
    """Return what ends an answer: all that stands before the next question's frame.

    Where one ends and the other begins, the texts often leave open; every choice renders alike, but one that cuts
    between turns can be read by people.
    """
    size = 0
    while size < min(len(one_start), len(answer_user)) and one_start[-1 - size] == answer_user[-1 - size]:
        size += 1
    least = len(answer_user) - size
    for words in likely:
        end = answer_user.find(words) + len(words)
        if words and words in answer_user and end >= least:
            return answer_user[:end]
    return answer_user[:least]


def _shared_start(without: str, opening: str, bos: str) -> tuple[str, str]:
    """Return what stands first with and without a system message, and what stands there only without."""
    if opening.startswith(without):
        return without, ""
    # A default system message begins as a given one does: only the first token is surely no part of its frame.
    start = bos if bos and without.startswith(bos) and opening.startswith(bos) else ""
    return start, without.removeprefix(start)


def _system(shape: ChatShape) -> str | None:
    """Return the words of the default system message, if a given one would be framed as it is."""
    before, after = shape.around.get("system", ("", ""))
    fits = shape.default and "system" in shape.around and len(shape.default) >= len(before) + len(after)
    if fits and shape.default.startswith(before) and shape.default.endswith(after):
        return shape.default[len(before) : len(shape.default) - len(after)] or None
    return None


def _refused(what: str, where: str) -> ConfigError:
    return ConfigError(
        f"the chat template cannot be written for Ollama: {what}",
        where=where,
        fix="serve merged/ with what reads chat templates (transformers, vLLM, llama.cpp --jinja), "
        "or write the TEMPLATE by hand; golden.jsonl says what must come out",
    )
