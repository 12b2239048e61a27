"""Pairs of rows for the data report: duplicates, pairs about the threshold, conflicts.

run 3 of dedupe  ->  the 5 largest clusters, 5 near pairs drawn at random, 4 pairs a kind about the threshold, ...
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from pipeline.border import border
from pipeline.clusters import Cluster, largest, marked_groups
from pipeline.hashing import Ints
from pipeline.inspection import Gone, Inspection
from pipeline.shown_rows import Row
from pipeline.side_by_side import Pair, sides_of

_CLUSTERS, _MEMBERS, _NEAR_PAIRS, _BORDER, _CONFLICTS = 5, 3, 5, 4, 5


@dataclass(frozen=True)
class Group:
    """Some rows that belong together, the first beside each of the others.

    Attributes:
        rows: How many there are; `pairs` shows some.
    """

    rows: int
    pairs: list[Pair]


@dataclass(frozen=True)
class PairExamples:
    """Rows beside rows.

    Attributes:
        n_clusters: How many clusters there are; `clusters` are the largest.
        near: Near pairs drawn at random, always the same for one run.
        items: Rows beside the items of benchmarks that they repeat.
        border: Pairs of prompts about the threshold, by kind: counts, below, apart.
        n_counting: Pairs of prompts that count at the threshold; `n_below`: at one lower by 0.1 at most.
        n_conflicts: Groups of rows with one prompt and several responses; `conflicts` are the largest.
    """

    threshold: float
    n_clusters: int
    clusters: list[Group]
    near: list[Pair]
    items: list[Pair]
    border: dict[str, list[Pair]]
    n_counting: int
    n_below: int
    n_conflicts: int
    conflicts: list[Group]


def pair_examples(run: Inspection) -> PairExamples:
    """Return the pairs of a run of dedupe.

    Raises:
        SnapshotError: The rows it read or dropped are gone or damaged.
    """
    n_clusters, clusters = largest(run, _CLUSTERS) if len(run.rows) else (0, [])
    has_border = run.stage.near < 1
    with tempfile.TemporaryDirectory(prefix="tuneloop-") as spill:
        about = border(run, run.stage.near, _BORDER, Path(spill)) if has_border else None
        n_conflicts, conflicts = _conflicts(run, Path(spill))
    kinds: dict[str, list[Pair]] = {kind: [] for kind in ("counts", "below", "apart")}
    for one in about.pairs if about else []:
        asked = (one.left, one.right)
        left, right = run.texts([side.row for side in asked])
        texts = [
            {side.field: row.prompt.get(side.field, side.text)} for row, side in zip((left, right), asked, strict=True)
        ]
        kinds[one.kind].append(
            Pair(left.origin, right.origin, one.kind, one.why, one.score, sides_of(texts[0], texts[1], "prompt"))
        )
    return PairExamples(
        threshold=run.stage.near,
        n_clusters=n_clusters,
        clusters=[Group(len(one.places) + 1, _gone_pairs(run, one.places[:_MEMBERS], one)) for one in clusters],
        near=_gone_pairs(run, _drawn(run, "near_duplicate")),
        items=_gone_pairs(run, _drawn(run, "benchmark")),
        border=kinds,
        n_counting=about.n_counting if about else 0,
        n_below=about.n_below if about else 0,
        n_conflicts=n_conflicts,
        conflicts=conflicts,
    )


def _drawn(run: Inspection, reason: str) -> Ints:
    """Return places of rows that went for a reason, drawn at random; the same of the same run."""
    places = np.flatnonzero(pc.equal(run.dropped["reason"], reason).to_numpy())
    draw = np.random.default_rng(run.record.number)
    return np.sort(draw.choice(places, min(_NEAR_PAIRS, len(places)), replace=False))


def _gone_pairs(run: Inspection, places: Ints, cluster: Cluster | None = None) -> list[Pair]:
    gone = run.gone(places)
    kept = run.staying({one.partner_id for one in gone if one.partner_id})
    partners = [kept.get(one.partner_id or "", cluster.kept if cluster else -1) for one in gone]
    # Each part of ingest is read once for all that is shown.
    run.texts([*(one.row for one in gone), *(row for row in partners if row >= 0)])
    return [_gone_pair(run, one, partner) for one, partner in zip(gone, partners, strict=True)]


def _gone_pair(run: Inspection, one: Gone, partner: int) -> Pair:
    (row,) = run.texts([one.row])
    if partner >= 0:
        (other,) = run.texts([partner])
        sides = sides_of(other.prompt, row.prompt, "prompt") + sides_of(other.response, row.response, "response")
    else:
        item = run.items.get(one.partner_origin)
        other = Row(
            "", one.partner_origin, {"": item.question} if item else {}, {"": item.answer or ""} if item else {}
        )
        sides = []
        if item:
            sides = sides_of({"question": item.question}, {"prompt": "\n".join(row.prompt.values())}, "prompt")
            if item.answer:
                sides += sides_of({"answer": item.answer}, {"response": "\n".join(row.response.values())}, "response")
    return Pair(other.origin, row.origin, one.reason, one.detail, one.score, sides)


def _conflicts(run: Inspection, spill: Path) -> tuple[int, list[Group]]:
    if not run.record.counts.get("conflict"):
        return 0, []
    total, groups = marked_groups(run, "conflict", _CONFLICTS, spill)
    return total, [Group(len(rows), _conflict_pairs(run.texts(rows[: _MEMBERS + 1].tolist()))) for rows in groups]


def _conflict_pairs(rows: Sequence[Row]) -> list[Pair]:
    first, *others = rows
    return [
        Pair(
            first.origin,
            row.origin,
            "conflict",
            "the same prompt, another response; both are kept",
            None,
            [*sides_of(first.prompt, row.prompt, "prompt"), *sides_of(first.response, row.response, "response")],
        )
        for row in others
    ]
