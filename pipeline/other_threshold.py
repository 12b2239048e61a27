"""What dedupe would do at another threshold, from what a run knows already; nothing is written.

near 0.95 instead of 0.9  ->  31 rows that went would stay, none that stayed would go
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.benchmarks import read_items
from pipeline.difference import forget_texts
from pipeline.hashing import Ints
from pipeline.inspection import Gone, Inspection
from pipeline.key import code_of_stage, input_files, key_parts, what_changed
from pipeline.text_verdicts import VerdictMemory
from pipeline.verdicts import REASONS, Verdicts


@dataclass(frozen=True)
class OtherThreshold:
    """A run beside what it would be.

    Attributes:
        near: The other threshold.
        reasons: Reason to how many rows go for it now and then.
        marks: Mark to how many rows bear it now and then.
        goes: Rows that stay now and would go.
        stays: Rows that have gone and would stay, by their places in `Inspection.dropped`.
    """

    near: float
    reasons: dict[str, tuple[int, int]]
    marks: dict[str, tuple[int, int]]
    goes: Ints
    stays: Ints
    verdicts: Verdicts

    def gone(self, rows: Ints) -> list[tuple[Gone, int]]:
        """Return why rows would go, each with the number of the row that stays for it, or -1."""
        found = []
        for row in rows.tolist():
            told = self.verdicts.columns(slice(row, row + 1))
            one = {name: told[name][0].as_py() for name in told if name != "group"}
            found.append((Gone(row=row, **one), int(self.verdicts.partner[row])))
        return found


def at_threshold(run: Inspection, near: float, spill: Path) -> OtherThreshold:
    """Return what a run at another threshold would do with the same rows.

    Args:
        run: The run.
        near: The other threshold, 0.5 to 1.
        spill: Folder for what is mapped meanwhile.

    Raises:
        ConfigError: A benchmark's file is no longer there.
    """
    stage = run.stage.model_copy(update={"near": near})
    inputs = stage.inputs(run.place)
    parts = key_parts(run.stage, inputs, input_files(inputs), run.record.parents, code_of_stage(stage))
    if changed := what_changed(parts, run.record.key_parts):
        run.notices.append(
            f"since run {run.record.number}: {'; '.join(changed[:5])}{' ...' if changed[5:] else ''}; "
            "what comes of that is in the differences too"
        )
    items = read_items({name: inputs.files[name] for name in stage.benchmarks})
    verdicts = stage.verdicts(run.corpus, inputs, items, spill, VerdictMemory(run.corpus, run.index), run.search(near))
    forget_texts()
    then = dict(
        zip(REASONS, np.bincount(verdicts.reason[~verdicts.stays], minlength=len(REASONS)).tolist(), strict=True)
    )
    now = run.record.dropped_by_reason
    names = [name for name in (*then, *now) if then.get(name) or now.get(name)]
    return OtherThreshold(
        near=near,
        reasons={name: (now.get(name, 0), then.get(name, 0)) for name in dict.fromkeys(names)},
        marks={mark: (run.record.counts.get(mark, 0), verdicts.counts[mark]) for mark in verdicts.new_marks},
        goes=np.flatnonzero(run.stays & ~verdicts.stays),
        stays=np.flatnonzero(verdicts.stays[run.rows]),
        verdicts=verdicts,
    )
