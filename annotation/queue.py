"""The queue: which rows people should look at, in one order, each with its reasons in words.

    1  ranked  stale                    "The text has changed since somebody answered it: please look again."
    2  ranked  disputed                 "People have answered this differently."
    3  ranked  wrong_sum, unlikely      "A sum in the answer does not compute. The trained model finds ..."
   10  random                           "Chosen at random, to estimate how many answers are wrong."

Answers that a model drafted come first, since they are of no use until somebody has looked. Stale rows come next and
disputed ones after them: people's work has gone into them. Then the rows follow by how likely a mistake is: one minus
the product of (1 - weight) over a row's reasons. Of equals the order is that of their groups, so that different
answers to one prompt stand side by side, then of ids: these are digests, and so as good as random.

A share of the rows that nobody has looked at is set apart by lot before anything is ranked. These rows stand among the
others at that rate, in an order of chance, and by them alone the share of wrong answers is estimated. The lot hangs on
the id alone: neither a new row, a larger limit nor a new training run makes a random row a ranked one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.checked_texts import Kinds
from annotation.drafted import sentence_of
from annotation.error_rate import RANDOM
from annotation.open_rows import STATES, UNREVIEWED, OpenRows, open_rows
from annotation.row_scores import RowScores, row_scores
from annotation.suspicion import Floats, reason
from annotation.urgency import STALE_SENTENCE, by_reason, is_stale, state_sentence, urgency_of
from pipeline.lots import lots
from pipeline.recipe import Recipe
from pipeline.reopening import REOPENED
from pipeline.snapshot import Snapshot
from schemas import Formatted, Template, arrow_schema

Kind = Literal["ranked", "random"]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]
BY_CHANCE = "Chosen at random, to estimate how many answers are wrong."
NOTHING_KNOWN = "Nothing speaks against this answer; nobody has checked it yet."
_SALT = "review"
_ROW = [field.name for field in arrow_schema(Formatted)]
_ROWS_AT_ONCE = 8192


class Queued(NamedTuple):
    """One row for people.

    Attributes:
        row: Its columns as Python values.
        why: Its reasons in sentences for the reviewer; never empty.
        urgency: 0 to 1, never more than that of the row before it; 1 comes first. A random row has its neighbour's.
        kind: ranked, or random: only of these may errors be counted.
        state: unreviewed, disputed, unsure, unconfirmed, to_write or draft_unreviewed.
    """

    row: dict[str, Any]
    why: str
    urgency: float
    kind: Kind
    state: str


@dataclass(frozen=True)
class Queue:
    """All rows that may go to people, in order.

    Attributes:
        by_reason: Weightiest reason to how many rows have it, in order of urgency; ``random`` stands for those
            that were set apart, ``unreviewed`` for those against which nothing speaks. It sums to `n`.
        n_left_out: Why rows are not here (test, reviewed, rejected, benchmark) to how many they are.
        n_random: Rows set apart by lot.
        has_split: False before the first split: rows that will be on its test side may be here.
        scores: Which training run was asked, or in a sentence why none was.
        n_scored: Rows that have a score from it.
        n_changed: Rows whose score was left out, since their text has changed after the run.
    """

    by_reason: dict[str, int]
    n_left_out: dict[str, int]
    n_random: int
    has_split: bool
    scores: str
    n_scored: int
    n_changed: int
    _rows: OpenRows
    _run: RowScores
    _order: Numbers
    _is_random: Flags
    _urgency: Floats

    @property
    def n(self) -> int:
        """Rows in the whole queue."""
        return len(self._order)

    def rows(self, limit: int | None = None) -> Iterator[Queued]:
        """Yield the first `limit` rows, all if it is None; texts are read for these rows only.

        Raises:
            SnapshotError: A file is damaged.
        """
        return self._in_turn(self._order[:limit])

    def rows_in(self, states: Collection[str]) -> Iterator[Queued]:
        """Yield the rows in some states, in the queue's order.

        Raises:
            SnapshotError: A file is damaged.
        """
        wanted = [STATES.index(state) for state in states]
        return self._in_turn(self._order[np.isin(self._rows.state[self._order], wanted)])

    def _in_turn(self, first: Numbers) -> Iterator[Queued]:
        for start in range(0, len(first), _ROWS_AT_ONCE):
            some = first[start : start + _ROWS_AT_ONCE]
            texts = self._read(some)
            self._prove_unseen(texts)
            yield from (self._queued(int(row), texts[int(row)]) for row in some)

    def rows_of(self, ids: Collection[str]) -> list[Queued]:
        """Return those of some examples that are in the queue, in its order.

        Raises:
            SnapshotError: A file is damaged.
        """
        is_wanted = pc.is_in(self._rows.ids, value_set=pa.array(ids, pa.string())).to_numpy()
        some = self._order[is_wanted[self._order]]
        texts = self._read(some)
        self._prove_unseen(texts)
        return [self._queued(int(row), texts[int(row)]) for row in some]

    def _queued(self, row: int, text: dict[str, Any]) -> Queued:
        urgency, state = float(self._urgency[row]), STATES[self._rows.state[row]]
        if self._is_random[row]:
            return Queued(text, BY_CHANCE, urgency, RANDOM, state)
        why, again = reason(self._run.surprise, self._rows.bits, row, text["template"]), _asked_again(text["marks"])
        if again:
            # It is stale since the guideline has changed, not its text.
            why = why.replace(STALE_SENTENCE, "").strip()
        said = [sentence_of(text), *again, state_sentence(int(self._rows.state[row])), why]
        return Queued(text, " ".join(filter(None, said)) or NOTHING_KNOWN, urgency, "ranked", state)

    def _read(self, rows: Numbers) -> dict[int, dict[str, Any]]:
        """Return number to row as Python values."""
        found: dict[int, dict[str, Any]] = {}
        for number in np.unique(self._rows.file[rows]):
            wanted = rows[self._rows.file[rows] == number]
            wanted = wanted[np.argsort(self._rows.place[wanted])]
            places, start = self._rows.place[wanted], 0
            for batch in Snapshot.read_part(self._rows.files[number], _ROW):
                low, high = np.searchsorted(places, [start, start + batch.num_rows])
                values = batch.take(pa.array(places[low:high] - start)).to_pylist() if high > low else []
                found.update(zip(wanted[low:high].tolist(), values, strict=True))
                start += batch.num_rows
        return found

    def _prove_unseen(self, texts: Mapping[int, Mapping[str, Any]]) -> None:
        held_out = self._rows.held_out
        if held_out is None:
            return
        for column, hidden in (("id", held_out.ids), ("group", held_out.groups)):
            shown = pa.array([text[column] for text in texts.values()], pa.string())
            assert not pc.any(pc.is_in(shown, value_set=hidden)).as_py(), "a row of the test side stands in the queue"


def _asked_again(marks: Iterable[str]) -> list[str]:
    """Return what a row that was reopened is asked again for; it stands in its mark."""
    start = f"{REOPENED}: "
    return [f"Please answer this again: {mark.removeprefix(start)}" for mark in marks if mark.startswith(start)]


def queue_of(
    data_root: Path,
    recipe: Recipe,
    templates: Mapping[str, tuple[Template, Path]],
    *,
    random_share: float = 0.1,
) -> Queue:
    """Return the queue over the newest data of a recipe.

    Args:
        data_root: Folder of the store.
        recipe: Its name chooses the data.
        templates: All templates, by name.
        random_share: Share of the rows that nobody has looked at which are set apart by lot, 0 to less than 1.

    Raises:
        ConfigError: The recipe has no data yet.
        SnapshotError: A file of the data is damaged.
        AnnotationError: A file of answers is damaged.
    """
    rows = open_rows(data_root, recipe.name, Kinds.of({name: template for name, (template, _) in templates.items()}))
    run = row_scores(data_root, recipe.name, rows)
    urgency = urgency_of(data_root, rows, run)
    by_lot = _set_apart(rows, random_share)
    is_random = np.zeros(len(rows), bool)
    is_random[by_lot] = True
    ranked = np.flatnonzero(~is_random)
    ranked = ranked[np.lexsort((rows.key[ranked], rows.group[ranked], -urgency[ranked]))]
    order = _spread(ranked, by_lot, random_share)
    return Queue(
        by_reason=by_reason(rows, run, is_random),
        n_left_out=rows.n_left_out,
        n_random=len(by_lot),
        has_split=rows.held_out is not None,
        scores=run.source,
        n_scored=run.n_scored,
        n_changed=run.n_changed,
        _rows=rows,
        _run=run,
        _order=order,
        _is_random=is_random,
        _urgency=_as_served(urgency, order, is_random),
    )


def _set_apart(rows: OpenRows, share: float) -> Numbers:
    """Return the rows set apart by lot, in the order of their lots; of what somebody has answered there are none."""
    lot = lots(rows.ids, _SALT)
    drawn = np.flatnonzero((rows.state == UNREVIEWED) & ~is_stale(rows.bits) & (lot < share))
    return drawn[np.argsort(lot[drawn], kind="stable")]


def _spread(ranked: Numbers, by_lot: Numbers, share: float) -> Numbers:
    """Return both in one order: the j-th random row closes the j-th stretch of 1 / share places, while both last."""
    n = len(ranked) + len(by_lot)
    if not len(by_lot):
        return ranked
    at = np.ceil(np.arange(1, len(by_lot) + 1) / share - 1e-9).astype(np.int64) - 1
    # When the ranked ones have run out, random ones follow each other.
    at = np.minimum(at, len(ranked) + np.arange(len(by_lot)))
    order = np.empty(n, np.int64)
    is_taken = np.zeros(n, bool)
    is_taken[at] = True
    order[is_taken], order[~is_taken] = by_lot, ranked
    return order


def _as_served(urgency: Floats, order: Numbers, is_random: Flags) -> Floats:
    """Return the urgency by which rows are served in this order: a random row has that of the ranked one before it."""
    shown = np.where(is_random[order], 2.0, urgency[order])
    served = np.minimum.accumulate(shown)
    # With no ranked row before it there is none at all.
    served[served > 1] = 0.0
    urgency[order] = served
    return urgency
