r"""What is done to the texts of examples after they are identified: spelling, wrong decodings and personal data.

    value "cafe\u0301\r\n" ->  with normalize "caf\u00e9\n"
    value "schÃ¶n" ->  marks ["mojibake"], or with repair the value "schön"
    value "ann@example.org" ->  marks ["pii:email"], with redaction also the value "[EMAIL]"

All leave a row's id as it is, since ids are made of what the source says.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from pipeline import pii
from pipeline.examples import Examples
from pipeline.mojibake import is_bad, repaired, suspects
from pipeline.normal_form import normalize_all
from pipeline.strict_json import MalformedError, canonical, parse

Pii = Literal["off", "find", "redact"]


def take_care(examples: Examples, *, repair: bool, personal: Pii, normalize: bool = False) -> Counter[str]:
    """Mark, normalize, repair and redact the texts in place; return what was counted.

    Counted are texts that were normalized, mojibake or repaired, and findings as pii:<kind>.
    """
    counts: Counter[str] = Counter()
    if normalize:
        for texts in (examples.values, examples.turns["content"]):
            counts["normalized"] += normalize_all(texts)
    kept_json = set(examples.json_values)
    for texts, owners, is_json in (
        (examples.values, examples.value_owners(), kept_json),
        (examples.turns["content"], examples.turn_owners(), set[int]()),
    ):
        _mend(texts, owners, is_json, examples.marks, counts, repair=repair)
        if personal != "off":
            _find(texts, owners, is_json, examples.marks, counts, redact=personal == "redact")
    if personal != "off":
        _find_in_json(examples.meta, range(len(examples.meta)), examples.marks, counts, redact=personal == "redact")
        calls: list[Any] = examples.turns["tool_calls"]
        _find_in_json(calls, examples.turn_owners(), examples.marks, counts, redact=personal == "redact")
        values = [text if i in kept_json else None for i, text in enumerate(examples.values)] if kept_json else []
        _find_in_json(values, examples.value_owners(), examples.marks, counts, redact=personal == "redact")
        for i in kept_json:
            examples.values[i] = values[i] or ""
    return counts


def _mend(
    texts: list[str],
    owners: Sequence[int],
    is_json: set[int],
    marks: list[set[str]],
    counts: Counter[str],
    *,
    repair: bool,
) -> None:
    for i in suspects(texts):
        better = repaired(texts[i]) if repair and i not in is_json else texts[i]
        if better != texts[i]:
            texts[i] = better
            counts["repaired"] += 1
        if is_bad(better):
            marks[owners[i]].add("mojibake")
            counts["mojibake"] += 1


def _find(
    texts: list[str],
    owners: Sequence[int],
    is_json: set[int],
    marks: list[set[str]],
    counts: Counter[str],
    *,
    redact: bool,
) -> None:
    for i, findings in pii.find(texts).items():
        if i in is_json:
            continue
        _tell(findings, marks[owners[i]], counts)
        if redact:
            texts[i] = pii.redact(texts[i], findings)


def _find_in_json(
    texts: list[str | None],
    owners: Sequence[int],
    marks: list[set[str]],
    counts: Counter[str],
    *,
    redact: bool,
) -> None:
    """Look at the values inside JSON texts, so that what is left after redaction is JSON still."""
    for i in pii.hinted(texts):
        mine = marks[owners[i]]

        def change(text: str, mine: set[str] = mine) -> str:
            # Arguments of a tool call are JSON in a text.
            if text.startswith("{"):
                try:
                    return canonical(_with_texts(parse(text), change))
                except MalformedError:
                    pass
            findings = pii.find_one(text)
            _tell(findings, mine, counts)
            return pii.redact(text, findings)

        changed = canonical(_with_texts(parse(texts[i] or ""), change))
        if redact:
            texts[i] = changed


def _with_texts(value: Any, change: Any) -> Any:  # noqa: ANN401 - JSON holds any value
    """Return a JSON value with every text and whole number in it changed; keys of objects stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_with_texts(child, change) for child in value]
    if isinstance(value, dict):
        return {key: _with_texts(child, change) for key, child in value.items()}
    if isinstance(value, int) and not isinstance(value, bool):
        changed = change(str(value))
        return value if changed == str(value) else changed
    return value


def _tell(findings: Sequence[pii.Finding], marks: set[str], counts: Counter[str]) -> None:
    for finding in findings:
        marks.add(f"pii:{finding.kind}")
        counts[f"pii:{finding.kind}"] += 1
