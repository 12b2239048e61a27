"""Rows of a split, part by part, as rows of the encode snapshot."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.engine import default_workers, map_parts
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
COLUMNS = ("id", "origin", "template", "group", "status", "prompt", "completion", "tools")
_BLOCK_ROWS = 1024
# Rows with problems that are looked for before the run stops.
_MOST_PROBLEMS = 1000


@dataclass(frozen=True)
class _Job:
    """One part to encode, complete: it travels to a worker process."""

    side: str
    source: Path
    target: Path
    encoder: RowEncoder
    settings: Encode
    shots: Shots | None


def encode_parts(
    split: Snapshot, encoder: RowEncoder, settings: Encode, folder: Path, workers: int | None = None
) -> tuple[list[PartFile], dict[str, int]]:
    """Write a split's examples part by part into a folder; return the files and what was counted.

    Args:
        split: Its parts are those of what is written.
        encoder: Of the base; it pickles.
        settings: What carries loss, and how much.
        folder: Where to write.
        workers: Processes; all cores if left out and the work is large.

    Raises:
        SourceError: Rows break what must hold of every row; all at once, up to a thousand a part.
        ConfigError: The chat template or the settings do not fit the rows.
    """
    shots = Shots(split, settings) if settings.shots else None
    jobs = [
        _Job(side, split.folder / part.name, folder / part.name, encoder, settings, shots)
        for side in SPLITS
        for part in files_of(split, side)
    ]
    counts: Counter[str] = Counter({"examples without loss": 0, "train rows without loss": 0})
    longest = {f"{side} longest": 0 for side in SPLITS}
    for side in SPLITS:
        counts.update({f"{side} {what}": 0 for what in ("rows", "examples", "tokens", "tokens with loss")})
    files: list[PartFile] = []
    problems: list[DataError] = []
    for job, (file, counted, wrong) in zip(
        jobs, map_parts(_encode_part, jobs, workers or default_workers(split.manifest.rows)), strict=True
    ):
        files.append(file)
        problems += wrong
        longest[f"{job.side} longest"] = max(longest[f"{job.side} longest"], counted.pop("longest", 0))
        counts.update(counted)
    raise_all(problems)
    return files, {**counts, **longest}


def _encode_part(job: _Job) -> tuple[PartFile, dict[str, int], list[DataError]]:
    """Write one part; return its file, what was counted, and what is wrong with its rows."""
    counts: Counter[str] = Counter()
    longest = 0
    problems: list[DataError] = []
    writer = PartWriter(job.target, SCHEMA)
    for rows in _blocks(job.source, job.settings):
        try:
            lessons = weighed(rows, job.side, job.encoder, job.settings, job.shots)
        except DataError as error:
            problems.append(error)
            if sum(1 + len(one.also) for one in problems) >= _MOST_PROBLEMS:
                break
            continue
        counts.update(_counted(job.side, len(rows), lessons))
        longest = max(longest, int(lessons.encoded.lengths.max(initial=0)))
        writer.write(_batch(rows, job.side, lessons))
    return writer.close(), {**counts, "longest": longest}, problems


def weighed(
    rows: Sequence[Mapping[str, Any]], side: str, encoder: RowEncoder, settings: Encode, shots: Shots | None
) -> Lessons:
    """Return the examples of some rows of a side with the weights they have there.

    Raises:
        SourceError, ConfigError: Rows break what must hold of every row; all of them at once.
    """
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
    columns = [*COLUMNS, *(["meta"] if settings.row_weight else [])]
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


def _counted(side: str, n_rows: int, lessons: Lessons) -> dict[str, int]:
    """Return what a block of rows holds."""
    encoded = lessons.encoded
    supervised = encoded.n_supervised
    learnt = np.bincount(lessons.row, weights=supervised, minlength=n_rows)
    return {
        f"{side} rows": n_rows,
        f"{side} examples": len(encoded),
        f"{side} tokens": len(encoded.ids),
        f"{side} tokens with loss": int(supervised.sum()),
        "examples without loss": int((supervised == 0).sum()),
        "train rows without loss": int((learnt == 0).sum()),
    }


def files_of(snapshot: Snapshot, side: str) -> list[PartFile]:
    """Return the parts of one side, in order."""
    return [file for file in snapshot.manifest.files if file.name.startswith(f"{side}-")]
