r"""Mistakes that can be seen without a model: what marks say of a row, and what shows in its text.

A row of template translate whose response is ``Where is the station?``, word for word as in its prompt, breaks the
rule `untranslated`. A rule weighs 1 where an answer that breaks it is nearly always wrong, 0.5 where it often is, and
0.25 where it is worth a look; the weights are judgement, not measurement.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.messages import lengths
from schemas import Template

Bits = np.ndarray[tuple[int], np.dtype[np.uint32]]
CHECKED = ["template", "marks", "prompt", "completion"]
_SURE, _OFTEN, _SOMETIMES = 1.0, 0.5, 0.25
# Said at the start, and of answering: "I can't believe it" begins a story.
_REFUSAL = (
    r"(?i)^((i'm |i am )?sorry|i apologi[sz]e|unfortunately)?[,.]? *(but )?"
    r"(as an ai\b|i('m| am)? ?(cannot|can't|can not|unable to|not able to) "
    r"(help|assist|answer|provide|fulfil|complete|comply|do|create|generate|write|process|translate|summari[sz]e)\b)"
)


class Texts(NamedTuple):
    """The texts of some rows, without white space at their ends.

    Attributes:
        answer: The last message of the completion; null where a tool is called instead.
        prompt: The last message of the prompt.
        template: Name of each row's template.
    """

    answer: pa.Array
    prompt: pa.Array
    template: pa.Array


class Kinds(NamedTuple):
    """Names of the templates whose answers have a form that can be checked."""

    json: Collection[str]
    translation: Collection[str]

    @staticmethod
    def of(templates: Mapping[str, Template]) -> "Kinds":
        """Return which templates ask for JSON or a translation, known by how their answers are scored."""

        def scored(*metrics: str) -> list[str]:
            return [name for name, template in templates.items() if template.metrics[0] in metrics]

        return Kinds(json=scored("json_match", "json_field_f1"), translation=scored("chrf", "bleu"))


def _is_blank(texts: Texts, _: Kinds) -> pa.Array:
    return pc.invert(pc.match_substring_regex(texts.answer, r"[\p{L}\p{N}]"))


def _is_placeholder(texts: Texts, _: Kinds) -> pa.Array:
    return pc.match_substring_regex(texts.answer, r"(?i)^[\[<(]?(n/a|nan|null|undefined|todo|tbd|xxx+)[\])>]?\.?$")


def _is_prompt(texts: Texts, _: Kinds) -> pa.Array:
    return pc.and_(pc.equal(texts.answer, texts.prompt), pc.not_equal(texts.answer, ""))


def _is_broken_json(texts: Texts, kinds: Kinds) -> pa.Array:
    return _each(texts, kinds.json, lambda answer, _: not _is_json(answer))


def _is_untranslated(texts: Texts, kinds: Kinds) -> pa.Array:
    # Names and single words are the same in many languages, three words in a row seldom.
    return _each(texts, kinds.translation, lambda answer, prompt: answer.count(" ") >= 2 and answer in prompt)


def _is_refusal(texts: Texts, _: Kinds) -> pa.Array:
    return pc.match_substring_regex(pc.replace_substring(texts.answer, "’", "'"), _REFUSAL)


def _is_cut_off(texts: Texts, _: Kinds) -> pa.Array:
    # An author who ends one sentence with a mark and the next on its line without has been cut off; a line of its
    # own may be a signature, and hashtags have no end.
    return pc.match_substring_regex(texts.answer, r"\p{Ll}{3}[.!?][\"'»”)]* +\p{L}[^\n#.!?]* [^\n#.!?]*[\p{L},;:–-]$")


@dataclass(frozen=True)
class Rule:
    """One thing that makes an answer suspicious.

    Attributes:
        name: One word, counted.
        weight: How much it adds to the suspicion of a row.
        sentence: What the reviewer is told.
        marks: Marks that break the rule; ``pii`` stands for ``pii:email`` and its like.
        breaks: Tells which texts break it, for rules that read the text.
    """

    name: str
    weight: float
    sentence: str
    marks: tuple[str, ...] = ()
    breaks: Callable[[Texts, Kinds], pa.Array] | None = None


RULES: tuple[Rule, ...] = (
    Rule("blank", _SURE, "The answer holds no letter and no digit.", breaks=_is_blank),
    Rule("placeholder", _SURE, "The answer looks like a placeholder.", breaks=_is_placeholder),
    Rule("broken_json", _SURE, "The answer should be JSON and cannot be read as such.", breaks=_is_broken_json),
    Rule("untranslated", _SURE, "The answer stands word for word in the prompt.", breaks=_is_untranslated),
    Rule("repeats_prompt", _SURE, "The answer is the prompt again.", breaks=_is_prompt),
    Rule("conflict", _OFTEN, "Another example has the same prompt and a different response.", ("conflict",)),
    Rule("stale", _OFTEN, "The text has changed since somebody answered it: please look again.", ("stale",)),
    Rule("mojibake", _OFTEN, "Some letters look garbled, such as Ã¼ for ü.", ("mojibake",)),
    Rule("refusal", _OFTEN, "The answer refuses to answer.", breaks=_is_refusal),
    Rule("cut_off", _SOMETIMES, "The answer seems to stop in mid-sentence.", breaks=_is_cut_off),
    Rule("boilerplate", _SOMETIMES, "Other prompts have the very same long answer.", ("boilerplate",)),
    Rule("pii", _SOMETIMES, "It seems to hold personal data.", ("pii",)),
)


def broken_rules(batch: pa.RecordBatch, kinds: Kinds) -> Bits:
    """Return one number a row: bit k is set where the row breaks RULES[k].

    Args:
        batch: Rows of format or a later stage, at least the columns CHECKED.
        kinds: Which templates ask for JSON or a translation.
    """
    texts = Texts(
        answer=_last_text(batch.column("completion")),
        prompt=_last_text(batch.column("prompt")),
        template=batch.column("template"),
    )
    bits: Bits = np.zeros(batch.num_rows, np.uint32)
    for place, rule in enumerate(RULES):
        if rule.breaks:
            is_broken = pc.fill_null(rule.breaks(texts, kinds), False).to_numpy(zero_copy_only=False)
        else:
            is_broken = _marked(batch.column("marks"), rule.marks)
        bits |= is_broken.astype(np.uint32) << np.uint32(place)
    return bits


def rules_of(bits: int) -> list[Rule]:
    """Return the rules that a row breaks, the heaviest first."""
    return [rule for place, rule in enumerate(RULES) if bits >> place & 1]


def count_rules(bits: Bits) -> dict[str, int]:
    """Return rule to how many rows break it, the commonest first; rules that none breaks are left out."""
    counts = {rule.name: int((bits >> np.uint32(place) & np.uint32(1)).sum()) for place, rule in enumerate(RULES)}
    return dict(sorted(((name, n) for name, n in counts.items() if n), key=lambda one: -one[1]))


def weights_of(bits: Bits) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return for each row the sum of the weights of the rules that it breaks."""
    total = np.zeros(len(bits))
    for place, rule in enumerate(RULES):
        total += rule.weight * (bits >> np.uint32(place) & np.uint32(1))
    return total


def _last_text(messages: pa.ListArray) -> pa.Array:
    """Return the text of each list's last message; null where there is none or it calls a tool."""
    n_each = lengths(messages)
    flat = messages.flatten()
    last = pa.array(np.cumsum(n_each) - 1, pa.int64(), mask=n_each == 0)
    text = pc.utf8_trim_whitespace(pc.struct_field(flat, "content").take(last))
    is_call = pc.is_valid(pc.struct_field(flat, "tool_calls").take(last))
    return pc.if_else(is_call, pa.scalar(None, pa.string()), text)


def _marked(marks: pa.ListArray, wanted: tuple[str, ...]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    found = np.zeros(len(marks), bool)
    kind = pc.replace_substring_regex(marks.flatten(), ":.*", "")
    hits = pc.is_in(kind, value_set=pa.array(wanted))
    found[pc.list_parent_indices(marks).filter(hits).to_numpy()] = True
    return found


def _each(texts: Texts, names: Collection[str], is_bad: Callable[[str, str], bool]) -> pa.Array:
    """Return what a Python function says of the rows of some templates; no kernel parses, or compares two columns."""
    is_asked = pc.and_(pc.is_in(texts.template, value_set=pa.array(names, pa.string())), pc.is_valid(texts.answer))
    places = np.flatnonzero(is_asked.to_numpy(zero_copy_only=False))
    answers, prompts = texts.answer.take(places).to_pylist(), texts.prompt.take(places).to_pylist()
    found = np.zeros(len(texts.answer), bool)
    found[places] = [is_bad(answer, prompt or "") for answer, prompt in zip(answers, prompts, strict=True)]
    return pa.array(found)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
