"""The rows of two splits beside each other: which are the same test rows, and what changed in the data.

A: e1 test "2 + 2?" "4", e2 test "3 + 3?" "5", e3 train     B: e1 test "2 + 2?" "4", e2 test "3 + 3?" "6"
    ->  same: e1; left out: 1 reference differs; train: 1 removed
"""

from collections import Counter

import pandas as pd
import pyarrow as pa

from pipeline.digest import value_digest
from pipeline.snapshot import Snapshot
from schemas import SPLITS
from schemas.versions import LeftOut, SideChange, StatusChange

_COLUMNS = ["id", "split", "template", "group", "status", "prompt", "tools", "completion"]


def rows_of(split: Snapshot) -> pd.DataFrame:
    """Return one row an example, indexed by id: side, template, group, status, and digests of prompt and answer."""
    tables = []
    for batch in split.batches(_COLUMNS):
        prompts = zip(batch.column("prompt").to_pylist(), batch.column("tools").to_pylist(), strict=True)
        plain = {name: batch.column(name) for name in _COLUMNS[:5]}
        digests = {
            "prompt": [value_digest(list(pair)) for pair in prompts],
            "answer": [value_digest(answer) for answer in batch.column("completion").to_pylist()],
        }
        tables.append(pa.table(plain | digests))
    if not tables:
        return pd.DataFrame(columns=[*_COLUMNS[1:5], "prompt", "answer"], index=pd.Index([], name="id"))
    found: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    return found.set_index("id")


def beside(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return both versions' rows joined by id, columns ending in `_a` and `_b`; missing where one lacks the id."""
    return before.add_suffix("_a").join(after.add_suffix("_b"), how="outer")


def same_test_rows(both: pd.DataFrame) -> tuple[pd.Index, list[LeftOut]]:
    """Return the ids of test rows with equal prompt and reference in both, and of all others how many and why.

    Args:
        both: Of `beside`.
    """
    at_a, at_b = both["split_a"] == "test", both["split_b"] == "test"
    shared = at_a & at_b
    prompt, answer = both["prompt_a"] == both["prompt_b"], both["answer_a"] == both["answer_b"]
    reasons = [
        ("only in A: no longer in the data", at_a & both["split_b"].isna()),
        ("only in A: on another side in B", at_a & ~at_b & both["split_b"].notna()),
        ("only in B: new in the data", at_b & both["split_a"].isna()),
        ("only in B: on another side in A", at_b & ~at_a & both["split_a"].notna()),
        ("the prompt differs", shared & ~prompt),
        ("the reference differs", shared & prompt & ~answer),
    ]
    left = [LeftOut(reason=reason, n=int(rows.sum())) for reason, rows in reasons if rows.any()]
    return both.index[shared & prompt & answer], left


def side_changes(both: pd.DataFrame) -> list[SideChange]:
    """Return what became of each side; a row that changes sides is removed from one and added to the other."""
    found = []
    for side in SPLITS:
        before, after = both["split_a"] == side, both["split_b"] == side
        kept = both[before & after]
        found.append(
            SideChange(
                split=side,
                n_before=int(before.sum()),
                n_after=int(after.sum()),
                added=int((after & ~before).sum()),
                removed=int((before & ~after).sum()),
                prompt_edited=int((kept["prompt_a"] != kept["prompt_b"]).sum()),
                answer_edited=int((kept["answer_a"] != kept["answer_b"]).sum()),
                status_changed=int((kept["status_a"] != kept["status_b"]).sum()),
            )
        )
    return found


def status_changes(both: pd.DataFrame) -> list[StatusChange]:
    """Return which review statuses rows in both versions went from and to, the commonest first."""
    kept = both.dropna(subset=["status_a", "status_b"])
    changed = kept[kept["status_a"] != kept["status_b"]]
    counts = Counter(zip(changed["status_a"], changed["status_b"], strict=True))
    return [StatusChange(before=before, after=after, n=n) for (before, after), n in counts.most_common()]
