"""Clusters of a run of dedupe: the row that stays and those that went for it; and the groups that were only marked.

kept support.jsonl:4   <-  support.jsonl:17 near_duplicate, faq.csv:3 exact_duplicate
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.hashing import Codes, Ints, mix
from pipeline.inspection import ROWS_AT_ONCE, Inspection
from pipeline.relations import side_keys
from pipeline.sides import PROMPT, RESPONSE
from pipeline.snapshot import Snapshot
from pipeline.verified import Alike
from schemas import ConfigError, nearest

MARKS = ("conflict", "boilerplate")
_LINE = r":\d{1,18}$"


@dataclass(frozen=True)
class Cluster:
    """Rows that say the same.

    Attributes:
        kept: The row that stays; -1 where a benchmark's item stands for it.
        beside: Its origin, or the item.
        places: Places of the dropped rows in `Inspection.dropped`.
    """

    kept: int
    beside: str
    places: Ints


def largest(run: Inspection, n: int, reason: str | None = None) -> tuple[int, list[Cluster]]:
    """Return how many clusters there are and the n largest, those of one size in order of their first dropped row.

    Args:
        run: The run.
        n: How many.
        reason: Only rows that were dropped for this.

    Raises:
        ConfigError: Nothing was dropped for that reason.
    """
    places = np.arange(len(run.rows))
    if reason:
        places = places[pc.equal(run.dropped["reason"], reason).to_numpy()]
        if not len(places):
            raise ConfigError(
                f"nothing was dropped as {reason!r}",
                where=f"run {run.record.number} of recipe {run.record.recipe}",
                fix=nearest(reason, [*run.record.dropped_by_reason, *MARKS]),
            )
    key = _keys(run)[places]
    _, first, code, size = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    chosen = np.lexsort((first, -size))[:n]
    return len(size), _clusters(run, [places[code == one] for one in chosen])


def clusters_of(run: Inspection, wanted: str) -> list[Cluster]:
    """Return the clusters of the rows with an origin, or with an id that begins so.

    Raises:
        ConfigError: No row fits, or several ids do.
    """
    found = _matching(run, wanted)
    if not len(found):
        raise _unknown(run, wanted)
    if ":" not in wanted and len(ids := set(run.corpus.ids(found).to_pylist())) > 1:
        raise ConfigError(
            f"{len(ids)} ids begin with {wanted!r}", where="--row", fix=f"give more digits: {min(ids)} ..."
        )
    keys = _keys(run)
    stayed = found[run.stays[found]]
    ids = pa.array(run.corpus.ids(stayed).to_pylist(), pa.string())
    for_these = pc.is_in(run.dropped["partner_id"].combine_chunks(), value_set=ids).to_numpy(zero_copy_only=False)
    wanted_keys = dict.fromkeys(keys[np.isin(run.rows, found) | for_these].tolist())
    clusters = _clusters(run, [np.flatnonzero(keys == key) for key in wanted_keys])
    alone = stayed[~np.isin(stayed, [one.kept for one in clusters])]
    origins = run.corpus.origins(alone).to_pylist()
    nothing = np.zeros(0, np.int64)
    return clusters + [Cluster(row, origin, nothing) for row, origin in zip(alone.tolist(), origins, strict=True)]


def marked_groups(run: Inspection, mark: str, n: int, spill: Path) -> tuple[int, list[Ints]]:
    """Return how many groups of rows bear a mark and the n largest: rows with one prompt, or with one response.

    Args:
        run: The run.
        mark: "conflict": same prompt, other responses; or "boilerplate": same long response, other prompts.
        n: How many.
        spill: Folder for what is mapped meanwhile.
    """
    rows = _marked(run, mark)
    keys = _prompts(run, rows, spill) if mark == "conflict" else _responses(run, rows)
    _, first, code, size = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    return len(size), [rows[code == one] for one in np.lexsort((first, -size))[:n]]


def _prompts(run: Inspection, rows: Ints, spill: Path) -> NDArray[np.integer]:
    """Return a number of each row's prompt, one for all that dedupe holds to be the same."""
    corpus, near = run.corpus, run.stage.near

    def search(space: Codes, text: Codes) -> Alike:
        if near >= 1:
            return Alike.joined([])
        return run.search(near)(corpus.nodes(space, text, spill), corpus.node_keys(space, text)).near(near)

    return side_keys(corpus, PROMPT, search, lambda _: np.ones(corpus.n, np.bool_)).strict[rows]


def _responses(run: Inspection, rows: Ints) -> NDArray[np.uint64]:
    """Return a key of each row's response."""
    cells, wanted = run.corpus.cells, np.zeros(run.corpus.n, np.bool_)
    wanted[rows] = True
    said = cells.where((cells.side == RESPONSE) & wanted[cells.row])
    keys = np.zeros(run.corpus.n, np.uint64)
    np.add.at(keys, said.row, mix(said.text.astype(np.uint64)))
    return keys[rows]


def _keys(run: Inspection) -> NDArray[np.integer]:
    """Return for each dropped row a number of its partner or item."""
    named = pc.coalesce(run.dropped["partner_id"], run.dropped["partner_origin"]).combine_chunks()
    keys: NDArray[np.integer] = pc.fill_null(named, "").dictionary_encode().indices.to_numpy()
    return keys


def _clusters(run: Inspection, members: list[Ints]) -> list[Cluster]:
    firsts = run.gone(np.array([places[0] for places in members], np.int64))
    kept = run.staying({one.partner_id for one in firsts if one.partner_id})
    return [
        Cluster(kept.get(one.partner_id or "", -1), one.partner_origin, places)
        for one, places in zip(firsts, members, strict=True)
    ]


def _slices(run: Inspection) -> Iterator[Ints]:
    for start in range(0, run.corpus.n, ROWS_AT_ONCE):
        yield np.arange(start, min(start + ROWS_AT_ONCE, run.corpus.n))


def _matching(run: Inspection, wanted: str) -> Ints:
    found = [np.zeros(0, np.int64)]
    for rows in _slices(run):
        if ":" in wanted:
            # The tail will do: a person types the file's name, not its folder.
            origin = run.corpus.origins(rows)
            fits = pc.or_(pc.equal(origin, wanted), pc.ends_with(origin, f"/{wanted}"))
        else:
            fits = pc.starts_with(run.corpus.ids(rows), wanted.lower())
        found.append(rows[fits.to_numpy(zero_copy_only=False)])
    return np.concatenate(found)


def _unknown(run: Inspection, wanted: str) -> ConfigError:
    """Return the error that names the nearest row there is."""
    file, _, line = wanted.rpartition(":")
    files: set[str] = set()
    lines: list[str] = []
    for rows in _slices(run):
        origin = run.corpus.origins(rows)
        name = pc.replace_substring_regex(origin, _LINE, "")
        files |= set(pc.unique(name).to_pylist())
        own = pc.or_(pc.equal(name, file), pc.ends_with(name, f"/{file}"))
        lines += pc.replace_substring_regex(origin.filter(own), r"^(?s:.*):", "").to_pylist() if file else []
    if not file:
        fix = "give the first digits of an id, or file and line; `tuneloop show dedupe --dropped` prints some"
    elif not lines:
        fix = nearest(file, files | {name.rpartition("/")[2] for name in files})
    else:
        near = min((one for one in lines if one.isdigit()), key=lambda one: abs(int(one) - int(line or 0)), default="")
        fix = f"the nearest is {file}:{near}; of a row that ingest dropped `tuneloop explain {wanted}` tells more"
    record = run.record
    return ConfigError(
        f"no row with id or origin {wanted!r} came to dedupe",
        where=f"run {record.number} of recipe {record.recipe}",
        fix=fix,
    )


def _marked(run: Inspection, mark: str) -> Ints:
    """Return the rows that stay with a mark."""
    kept, start = np.flatnonzero(run.stays), 0
    found = [np.zeros(0, np.int64)]
    for batch in Snapshot.open(run.place.data_root / "dedupe", run.record.version).batches(["marks"]):
        marks = batch.column("marks")
        bears = np.zeros(batch.num_rows, np.bool_)
        bears[pc.list_parent_indices(marks).filter(pc.equal(pc.list_flatten(marks), mark)).to_numpy()] = True
        found.append(kept[start : start + batch.num_rows][bears])
        start += batch.num_rows
    return np.concatenate(found)
