"""Rows of a split, part by part, as rows of the encode snapshot."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.snapshot import PartWriter, Snapshot
from schemas import SPLITS, DataError, PartFile
from schemas.training import Encode
from train.encode import RowEncoder, TurnEncoder, raise_all
from train.row_weights import row_weights
from train.shots import Shots
from train.turns import Lessons

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("template", pa.string(), nullable=False),
        pa.field("input_ids", pa.list_(pa.int32()), nullable=False),
        pa.field("loss_weights", pa.list_(pa.float32()), nullable=False),
        # Tokens before the first that may carry loss: the prompt of the completion, or of the first turn learnt.
        pa.field("n_prompt", pa.int64(), nullable=False),
        # Tokens before the completion of the row; null in an example that ends at an earlier turn.
        pa.field("completion_at", pa.int64(), nullable=True),
    ]
)
_COLUMNS = ("id", "origin", "template", "group", "status", "prompt", "completion", "tools")
_BLOCK_ROWS = 1024
# Rows with problems that are looked for before the run stops.
_MOST_PROBLEMS = 1000


def encode_parts(
    split: Snapshot, encoder: RowEncoder, settings: Encode, folder: Path
) -> tuple[list[PartFile], dict[str, int]]:
    """Write a split's examples part by part into a folder; return the files and what was counted.

    Raises:
        SourceError: Rows break what must hold of every row; all at once, up to a thousand.
        ConfigError: The chat template or the settings do not fit the rows.
    """
    shots = Shots(split, settings) if settings.shots else None
    counts: dict[str, int] = {"examples without loss": 0, "train rows without loss": 0}
    files: list[PartFile] = []
    problems: list[DataError] = []
    for side in SPLITS:
        counts |= {f"{side} {what}": 0 for what in ("rows", "examples", "tokens", "tokens with loss", "longest")}
        for part in files_of(split, side):
            writer = PartWriter(folder / part.name, SCHEMA)
            for rows in _blocks(split.folder / part.name, settings):
                try:
                    lessons = _lessons(rows, side, encoder, settings, shots)
                except DataError as error:
                    problems.append(error)
                    if sum(1 + len(one.also) for one in problems) >= _MOST_PROBLEMS:
                        raise_all(problems)
                    continue
                _count(counts, side, len(rows), lessons)
                writer.write(_batch(rows, side, lessons))
            files.append(writer.close())
    raise_all(problems)
    return files, counts


def _lessons(
    rows: Sequence[Mapping[str, Any]], side: str, encoder: RowEncoder, settings: Encode, shots: Shots | None
) -> Lessons:
    """Return the examples of some rows of a side, weighed."""
    asked = rows if shots is None else [shots.before(row) for row in rows]
    if side == "train" and settings.learn == "all-turns" and isinstance(encoder, TurnEncoder):
        made = encoder.encode_turns(asked)
    else:
        encoded = encoder.encode(asked)
        made = Lessons(encoded, np.arange(len(rows)), encoded.n_prompt)
    if side != "train":
        return made
    return Lessons(made.encoded.times(row_weights(rows, settings)[made.row]), made.row, made.completion_at)


def _blocks(path: Path, settings: Encode) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a part as Python values, few at a time."""
    columns = [*_COLUMNS, *(["meta"] if settings.row_weight else [])]
    for batch in Snapshot.read_part(path, columns):
        for start in range(0, batch.num_rows, _BLOCK_ROWS):
            yield batch.slice(start, _BLOCK_ROWS).to_pylist()


def _batch(rows: Sequence[Mapping[str, Any]], side: str, lessons: Lessons) -> pa.RecordBatch:
    encoded, places = lessons.encoded, lessons.row.tolist()
    starts = pa.array(encoded.starts.astype(np.int32))
    at = lessons.completion_at
    columns = {
        **{name: pa.array([rows[place][name] for place in places], pa.string()) for name in ("id", "origin")},
        "split": pa.array([side] * len(places), pa.string()),
        "template": pa.array([rows[place]["template"] for place in places], pa.string()),
        "input_ids": pa.ListArray.from_arrays(starts, pa.array(encoded.ids, pa.int32())),
        "loss_weights": pa.ListArray.from_arrays(starts, pa.array(encoded.weights, pa.float32())),
        "n_prompt": pa.array(encoded.n_prompt, pa.int64()),
        "completion_at": pa.array(at, pa.int64(), mask=at < 0),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=SCHEMA)


def _count(counts: dict[str, int], side: str, n_rows: int, lessons: Lessons) -> None:
    """Add what a block of rows holds."""
    encoded = lessons.encoded
    supervised = encoded.n_supervised
    counts[f"{side} rows"] += n_rows
    counts[f"{side} examples"] += len(encoded)
    counts[f"{side} tokens"] += len(encoded.ids)
    counts[f"{side} tokens with loss"] += int(supervised.sum())
    counts[f"{side} longest"] = max(counts[f"{side} longest"], int(encoded.lengths.max(initial=0)))
    counts["examples without loss"] += int((supervised == 0).sum())
    learnt = np.bincount(lessons.row, weights=supervised, minlength=n_rows)
    counts["train rows without loss"] += int((learnt == 0).sum())


def files_of(snapshot: Snapshot, side: str) -> list[PartFile]:
    """Return the parts of one side, in order."""
    return [file for file in snapshot.manifest.files if file.name.startswith(f"{side}-")]
