r"""How like the reference an answer is, from 0 to 1; a template names its metrics, the first one foremost.

    METRICS["token_f1"]("in Lyon", "Lyon")  ->  0.667

Every metric gives 1 to the reference itself, and 0 to an empty answer where the reference is not empty.

Articles are kept, unlike in SQuAD's own script: `a` is a verb in French and a letter in "vitamin A", and a model
that was trained on these references is to write them as they are.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from rapidfuzz.distance import LCSseq
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from pipeline.strict_json import MalformedError, parse
from schemas import ConfigError, nearest

Metric = Callable[[str, str], float]

# First words of the Unicode names of the letters of scripts that are written without blanks between words.
_NO_BLANKS = ("CJK", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC", "THAI", "LAO", "KHMER", "MYANMAR")

# A sign counts where nothing stands before it: `= -3`, but not `5-3` or `covid-19`.
_SIGN = r"(?:(?<![\w)\].])[-+−])?"
_WHOLE = re.compile(rf"({_SIGN}(?<!\w)\d+(?:[.,:/-]\d+)*)")
_MARK = r"[ \u00a0\u2009\u202f'’]"  # between thousands, beside comma and point
_NUMBER = re.compile(
    rf"{_SIGN}(?:(?<!\d)[1-9]\d{{0,2}}(?:{_MARK}\d{{3}})+(?!\d)(?:[.,]\d+)?"
    r"|(?:\d+|(?<![\w.)])\.\d+)(?:[.,:/]\d+)*(?:[eE][-+]?\d{1,3}(?!\d))?)"
)
_START = r"(?P<whole>[-+]?[1-9]\d{0,2}"
_GROUPED = [
    re.compile(rf"{_START}(?:,\d{{3}})+)(?:\.(?P<decimals>\d+))?"),
    re.compile(rf"{_START}(?:{_MARK}\d{{3}})+)(?:[.,](?P<decimals>\d+))?"),
    re.compile(rf"{_START}(?:\.\d{{3}})+),(?P<decimals>\d+)"),
    re.compile(rf"{_START}(?:\.\d{{3}}){{2,}})(?P<decimals>)"),
]
_PLAIN = re.compile(r"[-+]?\d*[.,]?\d+([eE][-+]?\d+)?|[-+]?\d+/0*[1-9]\d*")
_ITEM_END = re.compile(r"[,;\n،؛、，；]")
_LONGEST_CHARS = 100  # Python reads no integer of over 4,300 digits, and nobody means one of over 100


def words(text: str) -> list[str]:
    """Return the runs of letters, marks and digits, casefolded and in NFKC; of scripts without blanks, characters.

    On ASCII text these are the tokens of rouge_score, which knows no other letters. ROUGE is counted here and not
    by that package: its longest common subsequence is a Python loop, 0.2 s for two texts of 700 words.
    """
    return "".join(map(_spaced, fold(text))).split()


def answer_words(text: str) -> list[str]:
    """Return `words`, each symbol (`+`, `<`, `€`, an emoji), and numbers whole: -3, 1.5, 12:30, 2024-05-03.

    Punctuation alone says nothing in a short answer; these do: `-3` is not `3`, and `C++` is not `C`.
    """
    pieces = _WHOLE.split(fold(text).replace("−", "-"))  # every other one is a number
    pieces[::2] = ["".join(map(_symbols_kept, piece)) for piece in pieces[::2]]
    return "".join(pieces).split()


def last_number(text: str) -> Fraction | str | None:
    """Return the last number of the text, None if there is none.

    1,000 and 1.000,5 and 1 000 have marks between thousands; any other comma is a decimal one, as is a single
    point, so 1.000 is 1. 1/2 is a half. What is no number in this sense, such as 12:30 or 1.2.3, comes as text.
    Units, per cent and the whole before a fraction (2 1/2) are not read.
    """
    *_, last = [None, *_NUMBER.finditer(text)]
    if last is None:
        return None
    token = last.group().replace("−", "-")
    if len(token) > _LONGEST_CHARS:
        return token
    for pattern in _GROUPED:
        if found := pattern.fullmatch(token):
            return Fraction(re.sub(r"[^-\d]", "", found["whole"]) + "." + (found["decimals"] or "0"))
    return Fraction(token.replace(",", ".")) if _PLAIN.fullmatch(token) else token


def fold(text: str) -> str:
    """Return the text without differences of case and of compatible characters (NFKC), trimmed."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()


@lru_cache(maxsize=1 << 16)
def _spaced(character: str) -> str:
    if unicodedata.category(character)[0] not in "LMN":
        return " "
    return f" {character} " if unicodedata.name(character, "").startswith(_NO_BLANKS) else character


def _symbols_kept(character: str) -> str:
    return f" {character} " if unicodedata.category(character)[0] == "S" else _spaced(character)


# Word pairs beside letters (chrF++), because letters alone forgive a wrong word order.
_CHRF = CHRF(word_order=2)
_BLEU = {name: BLEU(effective_order=True, tokenize=name) for name in ("13a", "char")}


def _guarded(measure: Metric) -> Metric:
    """Give 1 to the reference itself, which libraries score as they please, and nothing outside 0 to 1."""

    def metric(answer: str, reference: str) -> float:
        answer, reference = answer.strip(), reference.strip()
        if answer == reference:
            return 1.0
        return min(1.0, max(0.0, measure(answer, reference)))

    metric.__doc__ = measure.__doc__
    return metric


def _rouge_n(n: int) -> Metric:
    """Return the F1 of runs of `n` of the `words`; texts of equal words score 1, even where no run fits in."""

    def measure(answer: str, reference: str) -> float:
        one, other = words(answer), words(reference)
        return float(bool(one)) if one == other else _f1(_runs(one, n), _runs(other, n))

    return measure


def _rouge_l(answer: str, reference: str) -> float:
    """Return the F1 of the longest common subsequence of `words`: 2 * its length / (words of both)."""
    one, other = words(answer), words(reference)
    return 2 * LCSseq.similarity(one, other) / max(1, len(one) + len(other))


def _chrf(answer: str, reference: str) -> float:
    """Return chrF++ of the sentence (6 letters, 2 words), by sacrebleu, over 100."""
    return float(_CHRF.sentence_score(answer, [reference]).score) / 100


def _bleu(answer: str, reference: str) -> float:
    """Return BLEU of the sentence, by sacrebleu with effective order, over 100.

    By characters where a reference is in a script without blanks, else with the tokenizer 13a.
    """
    name = "char" if is_without_blanks(reference) else "13a"
    return float(_BLEU[name].sentence_score(answer, [reference]).score) / 100


def is_without_blanks(text: str) -> bool:
    """Return whether a letter of the text is of a script that is written without blanks between words."""
    return any(_spaced(character)[0] == " " for character in fold(text) if character.isalpha())


def _token_f1(answer: str, reference: str) -> float:
    """Return the F1 of `answer_words`, counted as often as they occur."""
    return _f1(answer_words(answer), answer_words(reference))


def _list_f1(answer: str, reference: str) -> float:
    """Return the F1 over the items of a list, each once and in any order, compared as in accuracy.

    Commas, semicolons and line feeds stand between items, of Latin, Arabic or Chinese writing: so labels where
    several fit, or keywords.
    """
    return _f1(_items(answer), _items(reference))


def _items(text: str) -> set[str]:
    return {item for piece in _ITEM_END.split(text) if (item := fold(piece))}


def _exact_match(answer: str, reference: str) -> float:
    """Return 1 if the `answer_words` are the same in the same order."""
    found = answer_words(answer)
    return float(bool(found) and found == answer_words(reference))


def _accuracy(answer: str, reference: str) -> float:
    """Return 1 if the labels are equal but for case and blanks around them; punctuation counts."""
    return float(fold(answer) == fold(reference))


def _json_match(answer: str, reference: str) -> float:
    """Return 1 if both are the same JSON value: keys in any order, items in theirs, 1 equal to 1.0 but not to true.

    Strict JSON and nothing around it, for a program is to read it. A reference that is none: exact match.
    """
    return _json(answer, reference, lambda one, other: float(_leaves(one, True) == _leaves(other, True)))


def _json_field_f1(answer: str, reference: str) -> float:
    """Return the F1 over pairs of path and value, items of a list in any order; 0 if the answer is no JSON.

    A reference that is none: exact match.
    """
    return _json(answer, reference, lambda one, other: _f1(_leaves(one, False), _leaves(other, False)))


def _number_match(answer: str, reference: str) -> float:
    """Return 1 if the last numbers are equal (`last_number` says how they are read); exact match without one."""
    wanted = last_number(reference)
    return _exact_match(answer, reference) if wanted is None else float(last_number(answer) == wanted)


def _runs(tokens: Sequence[str], n: int) -> Iterable[tuple[str, ...]]:
    return zip(*(tokens[start:] for start in range(n)), strict=False)


def _f1(answer: Iterable[Hashable], reference: Iterable[Hashable]) -> float:
    """Return 2 * shared / (answer + reference), the harmonic mean of precision and recall."""
    one, other = Counter(answer), Counter(reference)
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 0.0


def _json(answer: str, reference: str, measure: Callable[[Any, Any], float]) -> float:
    try:
        wanted = parse(reference)
    except MalformedError:
        return _exact_match(answer, reference)
    try:
        return measure(parse(answer), wanted)
    except MalformedError:
        return 0.0


def _leaves(value: Any, in_order: bool) -> Counter[Hashable]:  # noqa: ANN401 - JSON holds any value
    """Return how often each plain value or empty container stands at each path."""
    found: Counter[Hashable] = Counter()
    todo: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while todo:
        path, inner = todo.pop()
        if isinstance(inner, dict) and inner:
            todo += [((*path, key), child) for key, child in inner.items()]
        elif isinstance(inner, list) and inner:
            todo += [((*path, place if in_order else -1), child) for place, child in enumerate(inner)]
        else:
            # Numbers are one kind, as in JSON; Python would also take True for 1.
            kind = "number" if type(inner) in (int, float) else type(inner).__name__
            found[path, kind, inner if isinstance(inner, str | int | float) else None] += 1
    return found


# Labels of one example have no F1 of their own: there `macro_f1` is accuracy, and the function below is for a slice.
METRICS: dict[str, Metric] = {
    name: _guarded(measure)
    for name, measure in {
        "rouge_1": _rouge_n(1),
        "rouge_2": _rouge_n(2),
        "rouge_l": _rouge_l,
        "token_f1": _token_f1,
        "list_f1": _list_f1,
        "exact_match": _exact_match,
        "chrf": _chrf,
        "bleu": _bleu,
        "accuracy": _accuracy,
        "macro_f1": _accuracy,
        "json_match": _json_match,
        "json_field_f1": _json_field_f1,
        "number_match": _number_match,
    }.items()
}


def macro_f1(answers: Sequence[str], references: Sequence[str]) -> float:
    """Return the mean over the labels of the references of each label's F1, labels compared as in accuracy.

    An answer that is no label of the references is a miss of the label that was wanted, and no label of its own,
    since a model can make up any number of them. 0 for nothing at all.
    """
    pairs = [(fold(answer), fold(reference)) for answer, reference in zip(answers, references, strict=True)]
    right = Counter(reference for answer, reference in pairs if answer == reference)
    given = Counter(answer for answer, _ in pairs)
    wanted = Counter(reference for _, reference in pairs)
    if not wanted:
        return 0.0
    return sum(2 * right[label] / (given[label] + n) for label, n in wanted.items()) / len(wanted)


def primary(metrics: Sequence[str], where: str) -> str:
    """Return the metric that is an example's score: the first.

    Args:
        metrics: As the template names them.
        where: The template, for the error.

    Raises:
        ConfigError: None is named, or one that is not known.
    """
    problems: list[ConfigError] = [
        ConfigError(f"unknown metric {name!r}", where=where, fix=nearest(name, METRICS))
        for name in metrics
        if name not in METRICS
    ]
    if not metrics:
        known = ", ".join(sorted(METRICS))
        problems.append(ConfigError("no metric is named", where=where, fix=f"name one under `metrics`: {known}"))
    if error := ConfigError.of(problems):
        raise error
    return metrics[0]
