"""How much of the test side people have checked: every page that shows a model's results says it.

354 test rows, 20 of them accepted or edited  ->  "People have checked 20 of the 354 test examples (5 %) ..."
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import refs
from pipeline.snapshot import Snapshot

_CHECKED = ("accepted", "edited")


def checked_share(data_root: Path, recipe: str) -> str:
    """Return the share of the newest test side that people have checked, in a sentence; empty before the first split.

    Raises:
        SnapshotError: The split is damaged.
    """
    record = refs.newest(data_root, "split", recipe)
    if record is None:
        return ""
    n = n_checked = 0
    for batch in Snapshot.open(data_root / "split", record.version).batches(["split", "status"]):
        status = batch.filter(pc.equal(batch.column("split"), "test")).column("status")
        n += len(status)
        n_checked += pc.sum(pc.is_in(status, value_set=pa.array(_CHECKED))).as_py() or 0
    return share_in_words(n, n_checked)


def share_in_words(n: int, n_checked: int) -> str:
    """Return it for counts; a share is rounded down, so that not all is never 100 %."""
    if not n:
        return "There are no test examples."
    # Where a reference is wrong, a right answer counts as a mistake.
    tail = "the test figures are as good as these answers are."
    if not n_checked:
        return f"People have checked none of the {n:,} test examples: {tail}"
    if n_checked >= n:
        return f"People have checked all {n:,} test examples."
    return f"People have checked {n_checked:,} of the {n:,} test examples ({100 * n_checked // n} %): {tail}"
