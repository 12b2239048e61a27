"""The rows that wait for people, the most urgent first: the queue until there is a model to rank by.

Stale rows come first, then reopened and disputed ones, conflicts, unsure ones, those that lack a second word, those
to be written, and the rest; within each in order of id, which is a digest and so as good as random.

Rows on the test side never wait here, nor rows of their groups: what people see while they look for
mistakes must not be what the model is judged by.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import ledger, refs
from pipeline.reopening import REOPENED
from pipeline.snapshot import BATCH_ROWS, Snapshot
from schemas import ConfigError, Formatted, RunRecord, arrow_schema

_WHY = {
    "stale": "The text has changed since somebody answered it: please look again.",
    "reopened": "Please answer this again",
    "disputed": "People have answered this differently.",
    "conflict": "Another example has the same prompt and a different response.",
    "unsure": "Somebody could not say.",
    "unconfirmed": "One person has answered this; a second look is wanted.",
    "to_write": "There is no response yet: please write one.",
    "unreviewed": "",
}
ORDER = tuple(_WHY)
_ROW = [field.name for field in arrow_schema(Formatted)]


@dataclass(frozen=True)
class Queue:
    """What waits.

    Attributes:
        table: Columns id, group and why, in order of urgency.
        files: Parquet files that hold the rows.
        stage: Where the rows come from: annotate, or format if annotate never ran.
        n_test: Rows left out because they or their groups are on the test side; None without a split.
    """

    table: pa.Table
    files: list[Path]
    stage: str
    n_test: int | None

    def tasks_by_reason(self) -> dict[str, int]:
        """Return how many rows wait for each reason, the most urgent first."""
        counts = {item["values"]: item["counts"] for item in pc.value_counts(self.table["why"]).to_pylist()}
        return {why: counts[why] for why in ORDER if why in counts}

    def rows(self, limit: int | None = None) -> Iterator[tuple[dict[str, Any], str]]:
        """Yield the first `limit` rows as Python values, each with what its reviewer is told."""
        first = self.table if limit is None else self.table.slice(0, limit)
        wanted = first["id"].combine_chunks()
        found = [
            batch.filter(pc.is_in(batch.column("id"), value_set=wanted))
            for path in self.files
            for batch in Snapshot.read_part(path, _ROW)
        ]
        table = pa.Table.from_batches(found) if found else arrow_schema(Formatted).empty_table()
        places = pc.index_in(wanted, value_set=table["id"].combine_chunks())
        for start in range(0, len(places), BATCH_ROWS):
            rows = table.take(places.slice(start, BATCH_ROWS)).to_pylist()
            why = first["why"].slice(start, BATCH_ROWS).to_pylist()
            yield from ((row, _told(row, reason)) for row, reason in zip(rows, why, strict=True))


def waiting(data_root: Path, recipe: str) -> Queue:
    """Return what waits for people in the newest data of a recipe.

    Raises:
        ConfigError: The recipe has no data yet.
    """
    record = refs.newest(data_root, "annotate", recipe) or refs.newest(data_root, "format", recipe)
    if record is None:
        raise ConfigError(
            f"recipe {recipe!r} has no examples yet",
            where=str(data_root),
            fix="run `tuneloop data` first, or name another --recipe or --data-root",
        )
    kept, dropped = _files(data_root, record)
    everything = [_seen_from(path, "") for path in kept]
    if record.stage == "annotate":
        everything = [_seen_from(path, "status") for path in kept] + [_seen_from(path, "reason") for path in dropped]
    table = pa.concat_tables(everything) if everything else _seen_schema().empty_table()
    table, n_test = _without_test(table, data_root, recipe)
    open_rows = table.filter(pc.is_in(table["why"], value_set=pa.array(ORDER)))
    rank = pc.index_in(open_rows["why"], value_set=pa.array(ORDER))
    ordered = open_rows.append_column("rank", rank).sort_by([("rank", "ascending"), ("id", "ascending")])
    return Queue(ordered.drop_columns(["rank"]), kept + dropped, record.stage, n_test)


def _files(data_root: Path, record: RunRecord) -> tuple[list[Path], list[Path]]:
    """Return the files of the kept rows, and of those dropped rows that may wait."""
    folder = data_root / record.stage
    version = Snapshot.open(folder, record.version)
    kept = [version.folder / file.name for file in version.manifest.files]
    # What format dropped, such as rows that are too long, no person can mend by an answer.
    dropped = record.dropped if record.stage == "annotate" else []
    return kept, [folder / "dropped" / file.name for file in dropped]


def _seen_schema() -> pa.Schema:
    return pa.schema([("id", pa.string()), ("group", pa.string()), ("why", pa.string())])


def _seen_from(path: Path, column: str) -> pa.Table:
    """Return id, group and why of every row of a file.

    Args:
        path: A part.
        column: Where the status stands; empty for rows that nobody can have answered.
    """
    parts = []
    for batch in Snapshot.read_part(path, ["id", "group", "marks", "completion", *([column] if column else [])]):
        is_empty = pc.equal(pc.list_value_length(batch.column("completion")), 0)
        why = batch.column(column) if column else pc.if_else(is_empty, "to_write", "unreviewed")
        is_open = pc.equal(why, "unreviewed")
        why = pc.if_else(pc.and_(is_open, _marked(batch, "conflict")), "conflict", why)
        why = pc.if_else(_marked(batch, "stale"), "stale", why)
        why = pc.if_else(_marked(batch, f"{REOPENED}: .*"), "reopened", why)
        parts.append(
            pa.RecordBatch.from_arrays([batch.column("id"), batch.column("group"), why], schema=_seen_schema())
        )
    return pa.Table.from_batches(parts, _seen_schema())


def _told(row: dict[str, Any], reason: str) -> str:
    """Return what the reviewer is told; why a row was reopened stands in its mark."""
    start = f"{REOPENED}: "
    added = next((mark.removeprefix(start) for mark in row["marks"] if mark.startswith(start)), "")
    return f"{_WHY[reason]}: {added}" if reason == "reopened" and added else _WHY[reason]


def _marked(batch: pa.RecordBatch, mark: str) -> pa.Array:
    # Marks hold no line feed, so a joined text tells a whole mark from a part of one.
    joined = pc.binary_join(batch.column("marks"), "\n")
    return pc.match_substring_regex(joined, f"(?m)^{mark}$")


def _without_test(table: pa.Table, data_root: Path, recipe: str) -> tuple[pa.Table, int | None]:
    known = ledger.newest_ledger(data_root, recipe)
    if known is None:
        return table, None
    decided = ledger.decisions(known)
    test_ids = decided.filter(pc.equal(decided["split"], "test"))["id"].combine_chunks()
    groups = pc.unique(table.filter(pc.is_in(table["id"], value_set=test_ids))["group"])
    is_test = pc.or_(pc.is_in(table["id"], value_set=test_ids), pc.is_in(table["group"], value_set=groups))
    left = table.filter(pc.invert(is_test))
    return left, table.num_rows - left.num_rows
