"""Rows in short, for a page: where they stand, what they say, why they went; personal data blanked.

{"origin": "tickets.jsonl:12", "fields": [...], "reason": "malformed", "detail": "..."}  ->  one line and its reason
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.chosen_rows import Places, rows_at, spread
from pipeline.row_view import view_of
from pipeline.safe_text import blanked
from pipeline.snapshot import Snapshot

EXAMPLES = 3
_LINE_CHARS = 220


@dataclass(frozen=True)
class ExampleRow:
    """A row in short: where it stands, what it says, and why it went."""

    origin: str
    text: str
    detail: str = ""
    partner: str = ""


def example_row(row: Mapping[str, Any], stage: str) -> ExampleRow:
    """Return a row in short, personal data blanked."""
    view = view_of(row, stage)
    text = blanked(view.line, _LINE_CHARS)
    return ExampleRow(view.origin, text, blanked(view.detail, 2 * _LINE_CHARS), view.partner_origin)


def files_of(snapshot: Snapshot) -> list[Path]:
    """Return the parquet files of a version, in order."""
    return [snapshot.folder / file.name for file in snapshot.manifest.files]


def examples_at(snapshot: Snapshot, places: Places) -> list[ExampleRow]:
    """Return a few of some rows of a version, as far apart as can be."""
    return [
        example_row(row, snapshot.manifest.stage) for _, row in rows_at(files_of(snapshot), spread(places, EXAMPLES))
    ]
