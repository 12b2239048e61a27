"""A row of any stage as people look at it.

    {"id": "9f3c...", "prompt": [user "Hi"], "completion": [assistant "Hello"], "split": "train"}
    ->  badges split train; messages user "Hi", assistant "Hello"

Where there are messages they are shown; before they are rendered the turns or fields; of a row that ingest could not
use the line as it stands in the source.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.reasons import mark_family

_SHORT = 240


@dataclass(frozen=True)
class Said:
    """One message, field or raw line; `is_learnt` where training learns it."""

    who: str
    text: str
    is_learnt: bool = False


@dataclass(frozen=True)
class RowView:
    """One row.

    Attributes:
        stage: Where it was dropped; for a kept row the stage it is shown from.
        badges: Kind and value, such as ("split", "train").
        said: What the row says, in order.
        more: Name and value of what else there is, such as meta.
        reason: Why it was dropped; empty for kept rows.
    """

    stage: str
    id: str
    origin: str
    badges: list[tuple[str, str]]
    said: list[Said]
    more: list[tuple[str, str]]
    reason: str
    detail: str
    partner_id: str
    partner_origin: str
    score: float | None

    @property
    def line(self) -> str:
        """All it says on one line, cut."""
        parts = (f"{one.who}: {one.text}" if len(self.said) > 1 else one.text for one in self.said)
        line = " · ".join(" ".join(part[: 2 * _SHORT].split()) for part in parts)
        return line if len(line) <= _SHORT else f"{line[:_SHORT].rstrip()}…"


def view_of(row: Mapping[str, Any], stage: str) -> RowView:
    """Return a row as it is shown, kept or dropped, of whatever stage."""
    return RowView(
        stage=stage,
        id=row.get("id") or "",
        origin=row.get("origin") or "",
        badges=[(kind, value) for kind, values in facets(row).items() for value in values],
        said=_said(row),
        more=_more(row),
        reason=row.get("reason") or "",
        detail=row.get("detail") or "",
        partner_id=row.get("partner_id") or "",
        partner_origin=row.get("partner_origin") or "",
        score=row.get("score"),
    )


def facets(row: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what rows are sorted by, kind to values; what the stage does not know yet is left out."""
    plain = {kind: [row[kind]] for kind in ("split", "template", "source", "status") if row.get(kind)}
    marks = [*dict.fromkeys(map(mark_family, row.get("marks") or []))]
    return {**plain, **({"mark": marks} if marks else {})}


def _said(row: Mapping[str, Any]) -> list[Said]:
    if "raw" in row:
        return [Said("as it stands in the source", row["raw"] or "")]
    if row.get("prompt"):
        asked = [_message(one, learnt=False) for one in row["prompt"]]
        return asked + [_message(one, learnt=True) for one in row.get("completion") or []]
    if row.get("turns"):
        return [_message(one, learnt=False) for one in row["turns"]]
    return [Said(one["name"], one["value"]) for one in row.get("fields") or []]


def _message(message: Mapping[str, Any], *, learnt: bool) -> Said:
    who = message["role"] + (f" ({message['name']})" if message.get("name") else "")
    calls = message.get("tool_calls")
    text = "\n".join(part for part in (message["content"], calls and f"calls {calls}") if part)
    return Said(who, text, learnt)


def _more(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    votes = zip(row.get("annotators") or [], row.get("votes") or [], strict=False)
    tokens = [str(row[name]) for name in ("n_prompt_tokens", "n_completion_tokens") if row.get(name) is not None]
    told = {
        "before the edit": row.get("edited_from"),
        "votes": ", ".join(f"{who} {vote}" for who, vote in votes),
        "wording": row.get("paraphrase"),
        "tokens": " + ".join(tokens),
        "licence": row.get("license"),
        "tools": row.get("tools"),
        "meta": row.get("meta") if row.get("meta") not in ("{}", "") else None,
        "group": row.get("group") if row.get("group") != row.get("id") else None,
    }
    return [(name, value) for name, value in told.items() if value]
