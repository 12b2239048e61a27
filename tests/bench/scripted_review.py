"""A reviewer who knows the truth: it answers as a person would in Label Studio, and its answers lie where theirs do.

a ticket labelled "damage" whose truth is "billing"   ->  edit, "billing"
one labelled rightly                                  ->  accept
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.annotations import add_annotations
from pipeline.screen import screen
from schemas import Annotation

REVIEWER = "scripted reviewer"
_WHEN = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Truth:
    """The right responses of the rows with a planted wrong answer, by the origin of the row."""

    right: dict[str, str]

    @classmethod
    def read(cls, faults: Path) -> "Truth":
        """Return the truth of a file of planted faults."""
        found = [json.loads(line) for line in faults.read_text("utf-8").splitlines()]
        return cls({one["origin"]: one["truth"] for one in found if one["kind"] == "wrong_answer"})

    def is_wrong(self, origin: str) -> bool:
        """Return whether a row carries a planted wrong answer."""
        return origin.rpartition("/")[2] in self.right

    def of(self, origin: str) -> str | None:
        """Return the right response of a row that carries a wrong one."""
        return self.right.get(origin.rpartition("/")[2])


def review(store: Path, ids: Collection[str], truth: Truth, round_: str) -> None:
    """Write the reviewer's answers to some rows of the newest split; `tuneloop data` then makes the next version."""
    add_annotations(store, [_answer(row, truth, round_) for row in _rows(store, frozenset(ids))])


def _answer(row: dict[str, Any], truth: Truth, round_: str) -> Annotation:
    seen = screen(row["prompt"], row["completion"])
    right = truth.of(row["origin"])
    verdict, response = "accept", None
    if right is not None:
        # A call of a tool, or a text that the truth is a part of, is not put right by a text: such a row is rejected.
        is_text = row["completion"][-1]["content"] and not row["completion"][-1]["tool_calls"]
        verdict, response = ("edit", right) if is_text and seen.response != right else ("reject", None)
    return Annotation(
        key=f"script:{round_}:{row['id']}",
        example=row["id"],
        source=row["source"],
        seen=seen,
        annotator=REVIEWER,
        verdict=verdict,
        response=response,
        round=round_,
        created_at=_WHEN,
        updated_at=_WHEN,
    )


def _rows(store: Path, ids: frozenset[str]) -> Iterator[dict[str, Any]]:
    columns = ["id", "origin", "source", "prompt", "completion"]
    for path in sorted((store / "split" / "latest-sample").glob("*.parquet")):
        yield from (row for row in pq.read_table(path, columns=columns).to_pylist() if row["id"] in ids)
