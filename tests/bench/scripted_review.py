"""A reviewer who knows the truth: it answers as a person would in Label Studio, and its answers lie where theirs do.

a ticket labelled "damage" whose truth is "billing"   ->  edit, "billing"
one labelled rightly                                  ->  accept

It writes its answers straight to the folder of answers, or gives them to a real Label Studio, task by task.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from annotation.connection import Connection
from annotation.projects import find_projects
from pipeline.annotations import add_annotations
from pipeline.screen import screen
from schemas import Annotation
from schemas.annotation import Verdict

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


def review_in_label_studio(connection: Connection, store: Path, recipe: str, truth: Truth) -> list[str]:
    """Answer all open tasks of a recipe in Label Studio; return the ids of the examples that were asked about."""
    asked: dict[str, list[tuple[int, str]]] = {}
    for project in find_projects(connection, recipe).values():
        for task in connection.tasks(project.id, ["data"], page_size=5000):
            asked.setdefault(task["data"]["example_id"], []).append((task["id"], task["data"]["screen"]))
    for row in _rows(store, frozenset(asked)):
        verdict, response = _opinion(row, truth)
        for number, screen_ in asked[row["id"]]:
            result = [_control("verdict", "choices", verdict)]
            if response is not None:
                result.append(_control("response", "choices" if screen_ == "classify" else "text", response))
            connection.send("POST", f"/api/tasks/{number}/annotations/", {"result": result, "lead_time": 1})
    return [*asked]


def _control(name: str, kind: str, value: str) -> dict[str, Any]:
    type_ = "textarea" if kind == "text" else kind
    return {"from_name": name, "to_name": "messages", "type": type_, "value": {kind: [value]}}


def _opinion(row: dict[str, Any], truth: Truth) -> tuple[Verdict, str | None]:
    right = truth.of(row["origin"])
    if right is None:
        return "accept", None
    # A call of a tool, or a text that the truth is a part of, is not put right by a text: such a row is rejected.
    last = row["completion"][-1]
    is_text = last["content"] and not last["tool_calls"]
    shown = screen(row["prompt"], row["completion"]).response
    return ("edit", right) if is_text and shown != right else ("reject", None)


def _answer(row: dict[str, Any], truth: Truth, round_: str) -> Annotation:
    verdict, response = _opinion(row, truth)
    return Annotation(
        key=f"script:{round_}:{row['id']}",
        example=row["id"],
        source=row["source"],
        seen=screen(row["prompt"], row["completion"]),
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
