r"""Mistakes that can be seen without a model: what marks say of a row, and what shows in its text.

A row of template translate whose response is ``Where is the station?``, word for word as in its prompt, breaks the
rule `untranslated`. A rule's weight is about the share of the answers that break it which need a change, 0 to 1.

Kernels look at all rows; Python looks only at the few that a kernel has picked, or at those of one kind of template.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.answer_form import has_another_count, is_not_offered, is_unfinished
from annotation.answer_language import is_other_language, leaves_word
from annotation.arithmetic import HAS_EQUATION, PLAIN_SUM, has_wrong_sum, misses_sum
from annotation.checked_texts import Kinds, Texts, each, of_templates, texts_of
from annotation.out_of_reach import lacks_media, names_page, needs_page, wants_media
from pipeline.refusals import refuses

Bits = NDArray[np.uint32]


def _is_blank(texts: Texts, kinds: Kinds) -> pa.Array:
    # An empty list says that no function is to be called.
    is_empty_json = pc.and_(
        of_templates(texts, kinds.json), pc.match_substring_regex(texts.answer, r"^\[\s*\]$|^\{\s*\}$")
    )
    return pc.invert(pc.or_(pc.match_substring_regex(texts.answer, r"[\p{L}\p{N}]"), is_empty_json))


def _is_placeholder(texts: Texts, _: Kinds) -> pa.Array:
    nothing = r"n/a|nan|null|undefined|todo|tbd|xxx+|no ?(output|input|answer|response)( required| needed| given)?"
    pattern = rf"(?i)^[\[<(]?({nothing})[\])>]?\.?$|^<no ?(output|input)>"
    return pc.match_substring_regex(texts.answer, pattern)


def _is_prompt(texts: Texts, _: Kinds) -> pa.Array:
    return pc.and_(pc.equal(texts.answer, texts.prompt), pc.not_equal(texts.answer, ""))


def _is_broken_json(texts: Texts, kinds: Kinds) -> pa.Array:
    return each(texts, of_templates(texts, kinds.json), lambda answer, _: not _is_json(answer))


def _is_untranslated(texts: Texts, kinds: Kinds) -> pa.Array:
    # Names and single words are the same in many languages, three words in a row seldom.
    is_asked = of_templates(texts, kinds.translation)
    return each(texts, is_asked, lambda answer, prompt: answer.count(" ") >= 2 and answer in prompt)


def _is_refusal(texts: Texts, kinds: Kinds) -> pa.Array:
    return pc.and_(refuses(texts.answer), pc.invert(of_templates(texts, kinds.declining)))


def _is_cut_off(texts: Texts, _: Kinds) -> pa.Array:
    # An author who ends one sentence with a mark and the next on its line without has been cut off; a line of its
    # own may be a signature, and hashtags have no end.
    stops = pc.match_substring_regex(texts.answer, r"\p{Ll}{3}[.!?][\"'»”)]* +\p{L}[^\n#.!?]* [^\n#.!?]*[\p{L},;:–-]$")
    ends_a_letter = pc.match_substring_regex(
        texts.answer, r"(?i)\b(yours|sincerely|regards|love|wishes|cheers)\b[^\n]{0,60}$"
    )
    return pc.or_(pc.and_(stops, pc.invert(ends_a_letter)), is_unfinished(texts))


def _has_wrong_sum(texts: Texts, _: Kinds) -> pa.Array:
    return each(texts, pc.match_substring_regex(texts.answer, HAS_EQUATION), lambda answer, _: has_wrong_sum(answer))


def _misses_sum(texts: Texts, _: Kinds) -> pa.Array:
    is_asked = pc.match_substring_regex(texts.prompt, PLAIN_SUM)
    return each(texts, is_asked, lambda answer, prompt: misses_sum(prompt, answer))


def _copies_input(texts: Texts, kinds: Kinds) -> pa.Array:
    # A label or a name is often a copy, and rightly so; six words in a row are a text.
    is_text = pc.match_substring_regex(texts.answer, r"^(?:\S+\s+){5}\S")
    last = pc.replace_substring_regex(texts.prompt, r"(?s)^.*\n\s*\n", "")
    is_whole = pc.and_(pc.equal(texts.answer, last), pc.not_equal(texts.answer, texts.prompt))
    return pc.and_(pc.and_(is_text, is_whole), pc.invert(of_templates(texts, [*kinds.translation, *kinds.unchanged])))


def _numbers_differ(texts: Texts, kinds: Kinds) -> pa.Array:
    is_asked = pc.and_(of_templates(texts, kinds.translation), pc.match_substring_regex(texts.prompt, r"\d{2}"))

    def lacks_number(answer: str, prompt: str) -> bool:
        # Marks within a number follow the language: 1,000.5 is 1.000,5 elsewhere.
        plain = re.sub(r"(?<=\d)[.,  ](?=\d)", "", answer)
        asked = re.findall(r"\d{2,}", re.sub(r"(?<=\d)[.,  ](?=\d)", "", prompt))
        return any(number not in plain for number in asked)

    return each(texts, is_asked, lacks_number)


def _wants_media(texts: Texts, kinds: Kinds) -> pa.Array:
    return pc.and_(wants_media(texts), _is_request(texts, kinds))


def _lacks_media(texts: Texts, kinds: Kinds) -> pa.Array:
    return pc.and_(lacks_media(texts), _is_request(texts, kinds))


def _needs_page(texts: Texts, kinds: Kinds) -> pa.Array:
    return pc.and_(needs_page(texts), _is_request(texts, kinds))


def _is_request(texts: Texts, kinds: Kinds) -> pa.Array:
    # What is to be translated, labelled, summarized or put in a record may speak of anything.
    worked_on = [*kinds.json, *kinds.translation, *kinds.label, *kinds.several, *kinds.document]
    return pc.invert(of_templates(texts, worked_on))


def _names_page(texts: Texts, _: Kinds) -> pa.Array:
    return names_page(texts)


def _has_another_count(texts: Texts, _: Kinds) -> pa.Array:
    return has_another_count(texts)


@dataclass(frozen=True)
class Rule:
    """One thing that makes an answer suspicious.

    Attributes:
        name: One word, counted.
        weight: About the share of the answers that break it which need a change, 0 to 1.
        sentence: What the reviewer is told.
        marks: Marks that break the rule; ``pii`` stands for ``pii:email`` and its like.
        breaks: Tells which texts break it, for rules that read the text.
    """

    name: str
    weight: float
    sentence: str
    marks: tuple[str, ...] = ()
    breaks: Callable[[Texts, Kinds], pa.Array] | None = None


# Weights: see docs/review-data.md, which says on how many rows each was measured, and which ones are judgement.
RULES: tuple[Rule, ...] = (
    Rule("blank", 0.95, "The answer holds no letter and no digit.", breaks=_is_blank),
    Rule("placeholder", 0.95, "The answer looks like a placeholder.", breaks=_is_placeholder),
    Rule("broken_json", 0.95, "The answer should be JSON and cannot be read as such.", breaks=_is_broken_json),
    Rule("not_offered", 0.95, "The label is not among the choices.", breaks=is_not_offered),
    Rule("repeats_prompt", 0.9, "The answer is the prompt again.", breaks=_is_prompt),
    Rule("another_count", 0.9, "The list is longer or shorter than the prompt asks for.", breaks=_has_another_count),
    Rule("needs_page", 0.9, "The prompt needs a web page to be read.", breaks=_needs_page),
    Rule("missed_sum", 0.8, "The prompt is a sum, and its result is not in the answer.", breaks=_misses_sum),
    Rule("absent_media", 0.8, "The prompt speaks of a picture or recording that is not there.", breaks=_lacks_media),
    Rule("mojibake", 0.8, "Some letters look garbled, such as Ã¼ for ü.", ("mojibake",)),
    Rule("wrong_sum", 0.7, "A sum in the answer does not compute.", breaks=_has_wrong_sum),
    Rule("copies_input", 0.6, "The answer is the last paragraph of the prompt, unchanged.", breaks=_copies_input),
    Rule("numbers_differ", 0.6, "A number of the prompt is missing in the translation.", breaks=_numbers_differ),
    Rule(
        "other_language", 0.6, "The answer seems to be in another language than the prompt.", breaks=is_other_language
    ),
    Rule("untranslated", 0.55, "The answer stands word for word in the prompt.", breaks=_is_untranslated),
    Rule("stale", 0.5, "The text has changed since somebody answered it: please look again.", ("stale",)),
    Rule("conflict", 0.5, "Another example has the same prompt and a different response.", ("conflict",)),
    Rule("left_word", 0.5, "A word of the original seems to be left untranslated.", breaks=leaves_word),
    Rule("cut_off", 0.7, "The answer seems to stop in mid-sentence.", breaks=_is_cut_off),
    Rule("refusal", 0.4, "The answer refuses to answer.", breaks=_is_refusal),
    Rule("new_address", 0.5, "The answer names a web address that the prompt does not.", breaks=_names_page),
    Rule("wants_media", 0.4, "The prompt asks for a picture or a sound, which no text can be.", breaks=_wants_media),
    Rule("boilerplate", 0.25, "Other prompts have the very same long answer.", ("boilerplate",)),
    Rule("pii", 0.25, "It seems to hold personal data.", ("pii",)),
)


def broken_rules(batch: pa.RecordBatch, kinds: Kinds) -> Bits:
    """Return one number a row: bit k is set where the row breaks RULES[k].

    Args:
        batch: Rows of format or a later stage, at least the columns CHECKED.
        kinds: Which templates ask for what.
    """
    texts = texts_of(batch)
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
    return sorted((rule for place, rule in enumerate(RULES) if bits >> place & 1), key=lambda rule: -rule.weight)


def count_rules(bits: Bits) -> dict[str, int]:
    """Return rule to how many rows break it, the commonest first; rules that none breaks are left out."""
    counts = {rule.name: int((bits >> np.uint32(place) & np.uint32(1)).sum()) for place, rule in enumerate(RULES)}
    return dict(sorted(((name, n) for name, n in counts.items() if n), key=lambda one: -one[1]))


def doubt_of(bits: Bits) -> NDArray[np.float64]:
    """Return for each row how likely a mistake is by its rules alone, 0 to 1: 1 minus the product of 1 - weight.

    That is the chance that at least one broken rule is right, if rules were wrong independently of each other.
    """
    fine = np.ones(len(bits))
    for place, rule in enumerate(RULES):
        fine *= 1 - rule.weight * (bits >> np.uint32(place) & np.uint32(1))
    return 1 - fine


def _marked(marks: pa.ListArray, wanted: tuple[str, ...]) -> NDArray[np.bool_]:
    found = np.zeros(len(marks), bool)
    kind = pc.replace_substring_regex(marks.flatten(), ":.*", "")
    hits = pc.is_in(kind, value_set=pa.array(wanted))
    found[pc.list_parent_indices(marks).filter(hits).to_numpy()] = True
    return found


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
