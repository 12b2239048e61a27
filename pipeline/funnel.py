"""What a stage kept and dropped, with its reasons in words and a few rows of each.

dedupe 4,567 in, 4,405 kept, 162 dropped: exact_duplicate 81 "another row has the same ...", alpaca.json:34, ...
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.ancestry import dropped_files
from pipeline.chosen_rows import rows_at, spread
from pipeline.example_rows import EXAMPLES, ExampleRow, example_row
from pipeline.reasons import REASON_WORDS
from pipeline.snapshot import Snapshot
from schemas import RunRecord


@dataclass(frozen=True)
class ReasonFacts:
    """Rows that one stage dropped for one reason; `before` is what the split before had, None for the first."""

    reason: str
    words: str
    rows: int
    before: int | None
    command: str
    examples: list[ExampleRow]


@dataclass(frozen=True)
class StageFacts:
    """One stage of the funnel."""

    stage: str
    run: int
    version: str
    started_at: str
    seconds: float
    rows_in: int
    rows_kept: int
    rows_dropped: int
    reasons: list[ReasonFacts]


def stage_facts(data_root: Path, record: RunRecord, earlier: RunRecord | None) -> StageFacts:
    """Return what one run of a stage did; `earlier` is its run for the split before."""
    paths = dropped_files(data_root, record)
    found = _dropped_examples(paths, record.stage)
    before = earlier.dropped_by_reason if earlier else None
    reasons = sorted(record.dropped_by_reason.items(), key=lambda item: (-item[1], item[0]))
    gone = [(name, 0) for name in sorted(before or {}) if name not in record.dropped_by_reason]
    named = f" --recipe {record.recipe}" if record.recipe != "sample" else ""
    return StageFacts(
        stage=record.stage,
        run=record.number,
        version=record.version,
        started_at=record.started_at,
        seconds=record.seconds,
        rows_in=record.rows_in,
        rows_kept=record.rows_kept,
        rows_dropped=record.rows_dropped,
        reasons=[
            ReasonFacts(
                reason=reason,
                words=REASON_WORDS.get(reason, ""),
                rows=n,
                before=None if before is None else before.get(reason, 0),
                command=f"tuneloop show {record.stage} --reason {reason}{named} -n 20",
                examples=found.get(reason, []),
            )
            for reason, n in [*reasons, *gone]
        ],
    )


def _dropped_examples(paths: Sequence[Path], stage: str) -> dict[str, list[ExampleRow]]:
    """Return a few rows of each reason, spread over all there are."""
    reasons = [batch.column("reason") for path in paths for batch in Snapshot.read_part(path, ["reason"])]
    if not reasons:
        return {}
    encoded = pa.chunked_array(reasons).combine_chunks().dictionary_encode()
    codes, names = encoded.indices.to_numpy(), encoded.dictionary.to_pylist()
    wanted = [spread(np.flatnonzero(codes == code), EXAMPLES) for code in range(len(names))]
    found: dict[str, list[ExampleRow]] = {}
    for _, row in rows_at(paths, np.concatenate(wanted)):
        found.setdefault(row["reason"], []).append(example_row(row, stage))
    return found
