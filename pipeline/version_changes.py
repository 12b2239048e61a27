"""What became other between two versions of a split, at memory speed: by digests of columns, never row by row.

4,365 rows before, 4,402 now: 41 came (40 new in the sources, 1 was a near_duplicate), 4 went (as benchmark), 12 changed
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.hashing import mix, text_hashes
from pipeline.snapshot import Snapshot

U64 = NDArray[np.uint64]
Ints = NDArray[np.int64]
# What follows from where a row stands rather than from what it says, and what prompt and completion are made of.
_LEFT_OUT = ("id", "origin", "group", "fields", "turns")
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class VersionChanges:
    """Rows by id.

    Attributes:
        came: Places in the newer version of rows that the older one lacks; `went`: places in the older one.
        changed: Places in the older and the newer version of rows with other contents.
        columns: How many of the changed rows differ in each column, the most first.
        same: Rows equal in both, but for what `_LEFT_OUT` names.
    """

    came: Ints
    went: Ints
    changed: tuple[Ints, Ints]
    columns: dict[str, int]
    same: int


def version_changes(older: Snapshot, newer: Snapshot) -> VersionChanges:
    """Return what changed; ids stand once in a split.

    Raises:
        SnapshotError: A file is damaged.
    """
    names = [name for name in newer.manifest.columns if name in older.manifest.columns and name not in _LEFT_OUT]
    old, new = _digests(older, names), _digests(newer, names)
    _, left, right = np.intersect1d(old["id"], new["id"], return_indices=True)
    differs = {name: old[name][left] != new[name][right] for name in names}
    changed = np.flatnonzero(np.any(list(differs.values()), axis=0)) if names else np.zeros(0, np.int64)
    columns = {name: int(flags.sum()) for name, flags in differs.items() if flags.any()}
    return VersionChanges(
        came=np.setdiff1d(np.arange(len(new["id"])), right),
        went=np.setdiff1d(np.arange(len(old["id"])), left),
        changed=(left[changed], right[changed]),
        columns=dict(sorted(columns.items(), key=lambda item: -item[1])),
        same=len(left) - len(changed),
    )


def fates(snapshot: Snapshot, places: Ints, dropped: Iterable[tuple[str, Sequence[Path]]]) -> dict[str, int]:
    """Return how many of some rows another run dropped, by "stage reason"; "" counts those it never saw.

    Args:
        snapshot: Where the rows stand.
        places: Which they are.
        dropped: Stage and its parts of dropped rows, of the other run.
    """
    if not len(places):
        return {}
    wanted = _digests(snapshot, [])["id"][places]
    told = np.full(len(wanted), -1, np.int64)
    names: list[str] = []
    order = np.argsort(wanted)
    for stage, paths in dropped:
        for path in paths:
            for batch in Snapshot.read_part(path, ["id", "reason"]):
                ids = text_hashes(pc.fill_null(batch.column("id"), ""))[:, 0]
                at = np.minimum(np.searchsorted(wanted, ids, sorter=order), len(wanted) - 1)
                hits = wanted[order[at]] == ids
                for row in np.flatnonzero(hits).tolist():
                    name = f"{stage} {batch.column('reason')[row].as_py()}"
                    if name not in names:
                        names.append(name)
                    told[order[at[row]]] = names.index(name)
    counts = {name: int((told == code).sum()) for code, name in enumerate(names)}
    return {**{name: n for name, n in counts.items() if n}, "": int((told < 0).sum())}


def _digests(snapshot: Snapshot, names: list[str]) -> dict[str, NDArray[Any]]:
    """Return 64 bits a row for the id and 32 for each named column.

    Two of a million ids agree by chance once in 10^7 runs; of 10^9 changed values one is taken for the same.
    """
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in ("id", *names)}
    for batch in snapshot.batches(["id", *names]):
        for name, parts in found.items():
            hashes = _hashes(batch.column(name))
            parts.append(hashes if name == "id" else hashes.astype(np.uint32))
    return {name: np.concatenate(parts) if parts else np.zeros(0, np.uint64) for name, parts in found.items()}


def _hashes(column: pa.Array) -> U64:
    """Return 64 bits a value, whatever its type; null differs from all else."""
    kind = column.type
    if pa.types.is_struct(kind):
        total = np.zeros(len(column), np.uint64)
        for number, child in enumerate(kind):
            total += mix(_hashes(pc.struct_field(column, child.name)) + _nth(number))
        return total
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _list_hashes(column)
    texts = column if pa.types.is_string(kind) else column.cast(pa.string())
    found: U64 = text_hashes(pc.fill_null(texts, ""))[:, 0].copy()
    found[pc.is_null(column).to_numpy(zero_copy_only=False)] = _ODD
    return found


def _nth(number: int) -> np.uint64:
    """Return a constant that tells the n-th child of a struct from the others."""
    return np.uint64((number + 1) * int(_ODD) % (1 << 64))


def _list_hashes(column: pa.Array) -> U64:
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    within = np.arange(bounds[-1]) - np.repeat(bounds[:-1], lengths)
    items = mix(_hashes(column.flatten()) + (within.astype(np.uint64) + np.uint64(1)) * _ODD)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(items, dtype=np.uint64)])
    return mix(sums[bounds[1:]] - sums[bounds[:-1]] + lengths.astype(np.uint64))
