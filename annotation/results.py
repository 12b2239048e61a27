"""The results of one answer, read by the names of the controls on the labelling screen.

    [{"from_name": "verdict", "type": "choices", "value": {"choices": ["reject"]}},
     {"from_name": "error_types", "type": "choices", "value": {"choices": ["wrong fact"]}}]

gives verdict reject and error_types ["wrong fact"]. Label Studio checks none of this, so anything
may stand here; what is not understood is named and left out.

Label Studio's own Pairwise control is read as well: ``{"type": "pairwise", "value": {"selected": "left"}}`` is a.
It names itself as what it speaks of (`to_name` is `from_name`), so only `from_name` is looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import Field

from annotation.verdict import MEANINGS
from schemas import Strict
from schemas.annotation import Preferred, Verdict

# What a press on the dispute screen says: this side, another text, or none.
Settles = Literal["a", "b", "write", "reject"]
_SIDES = {"left": "a", "right": "b"}


class Names(Strict):
    """Which controls carry what; each may go by several names, in any case of letters."""

    verdict: tuple[str, ...] = Field(
        default=("verdict", "quality", "decision", "judgement"), title="choices: the verdict"
    )
    response: tuple[str, ...] = Field(
        default=("response", "edited_response", "answer", "edited", "output"),
        title="the box with the response",
    )
    error_types: tuple[str, ...] = Field(
        default=("error_types", "error_type", "errors"), title="choices: what is wrong"
    )
    rating: tuple[str, ...] = Field(default=("rating", "quality", "score"), title="stars, 1 to 5")
    comment: tuple[str, ...] = Field(default=("comment", "note", "notes", "feedback"), title="text: a remark")
    preferred: tuple[str, ...] = Field(
        default=("preferred", "preference", "pref"), title="choices or pairwise: the better of two answers"
    )
    settled: tuple[str, ...] = Field(default=("settled",), title="choices: what settles a dispute")
    meanings: dict[str, Verdict] = Field(default={}, title="further words for verdicts, such as Fine = accept")
    prompt_keys: tuple[str, ...] = Field(default=(), title="keys of the task's data with the prompt, if not the usual")
    shown_keys: tuple[str, ...] = Field(default=(), title="likewise with the response that was shown")


@dataclass(frozen=True)
class Results:
    """What one answer says, before verdict and text are compared."""

    verdict: Verdict | None
    response: str | None
    error_types: list[str]
    rating: int | None
    comment: str | None
    controls: list[str]
    preferred: Preferred | None = None
    settled: Settles | None = None

    @property
    def has_reason(self) -> bool:
        """Whether an error type or a remark was given."""
        return bool(self.error_types or self.comment)


def read_results(results: object, names: Names) -> Results | tuple[str, str]:
    """Return what the results say, or a short reason and a sentence why they say nothing.

    A rating outside 1 to 5 is left out. A response may come from a text area or from choices.
    """
    if not isinstance(results, list):
        return "bad result", f"a list was expected, got {type(results).__name__}"
    found: dict[str, list[tuple[str, Any]]] = {}
    for item in results:
        if isinstance(item, dict) and isinstance(item.get("value"), dict):
            kind, name = str(item.get("type", "")).lower(), str(item.get("from_name", ""))
            found.setdefault(name.lower(), []).append((kind, _value(item["value"], kind)))
    choices = _pick(found, names.verdict, ("choices",))
    words = {word.casefold(): meaning for word, meaning in {**MEANINGS, **names.meanings}.items()}
    verdicts = {words.get(choice.strip().casefold()) for choice in choices}
    if None in verdicts:
        return "unknown verdict", f"{', '.join(choices)!r}; say what it means with --means 'WORD=accept'"
    if len(verdicts) > 1:
        return "several verdicts", ", ".join(choices)
    preferred = _pick(found, names.preferred, ("choices", "pairwise"))
    settled = _pick(found, names.settled, ("choices",))
    ratings = [stars for stars in _pick(found, names.rating, ("rating",)) if 1 <= stars <= 5]
    return Results(
        verdict=next(iter(verdicts), None),
        response=_joined(_pick(found, names.response, ("textarea", "choices"))),
        error_types=sorted(set(_pick(found, names.error_types, ("choices",)))),
        rating=ratings[0] if ratings else None,
        comment=_joined(_pick(found, names.comment, ("textarea",))),
        controls=sorted(found),
        preferred=_only(preferred, get_args(Preferred)),
        settled=_only(settled, get_args(Settles)),
    )


def _value(value: Mapping[str, Any], kind: str) -> list[Any]:
    """Return the values of an item: its texts, choices or stars; nothing for other kinds."""
    if kind == "rating":
        stars = value.get("rating")
        return [stars] if isinstance(stars, int) else []
    if kind == "pairwise":
        side = _SIDES.get(str(value.get("selected")))
        return [side] if side else []
    raw = value.get("text" if kind == "textarea" else kind)
    return [text for text in (raw if isinstance(raw, list) else [raw]) if isinstance(text, str)]


def _pick(found: Mapping[str, list[tuple[str, Any]]], names: tuple[str, ...], kinds: tuple[str, ...]) -> list[Any]:
    """Return the values of the first control that was answered under one of the names."""
    for name in names:
        values = [value for kind, given in found.get(name.lower(), []) if kind in kinds for value in given]
        if values:
            return values
    return []


def _only(values: list[Any], known: tuple[Any, ...]) -> Any:  # noqa: ANN401 - one of the known words
    """Return the one value, or None if there is none, there are several or it is none of ours."""
    return values[0] if len(values) == 1 and values[0] in known else None


def _joined(texts: list[str]) -> str | None:
    return "\n".join(texts) if texts else None
