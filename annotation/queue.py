"""The queue: which rows people should look at, in one order, each with its reasons in words.

    1  ranked  stale                    "The text has changed since somebody answered it: please look again."
    2  ranked  disputed                 "People have answered this differently."
    3  ranked  wrong_sum, unlikely      "A sum in the answer does not compute. The trained model finds ..."
   10  random                           "Chosen at random, to estimate how many answers are wrong."

Stale rows come first and disputed ones next: people's work has gone into them. Then the rows follow by how likely a
mistake is: one minus the product of (1 - weight) over a row's reasons. Of equals the order is that of their groups, so
that different answers to one prompt stand side by side, then of ids: these are digests, and so as good as random.

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
from annotation.disagreement import disagreements
from annotation.error_rate import RANDOM
from annotation.open_rows import DISPUTED, STATES, UNREVIEWED, OpenRows, open_rows
from annotation.row_scores import RowScores, row_scores
from annotation.rule_checks import RULES
from annotation.suspicion import Floats, reason, suspicion
from pipeline.annotations import annotation_files, read_annotations
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
# How likely a row of a state is to need a change, and what its reviewer is told. The weights are judgement.
_STATES: Mapping[str, tuple[float, str]] = {
    "unreviewed": (0.0, ""),
    "disputed": (0.9, "People have answered this differently."),
    "unsure": (0.6, "Somebody could not say."),
    "unconfirmed": (0.2, "One person has answered this; a second look is wanted."),
    "to_write": (0.3, "There is no response yet: please write one."),
}
_STALE = next(place for place, rule in enumerate(RULES) if rule.name == "stale")
_SURPRISE = "surprise"
_SALT = "review"
_ROW = [field.name for field in arrow_schema(Formatted)]
_ROWS_AT_ONCE = 8192
# Keeps equals apart in the order of their groups, and nothing else.
_TIE = 1e-6


class Queued(NamedTuple):
    """One row for people.

    Attributes:
        row: Its columns as Python values.
        why: Its reasons in sentences for the reviewer; never empty.
        urgency: 0 to 1, never more than that of the row before it; 1 comes first. A random row has its neighbour's.
        kind: ranked, or random: only of these may errors be counted.
        state: unreviewed, disputed, unsure, unconfirmed or to_write.
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
        first = self._order[:limit]
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
            why = why.replace(RULES[_STALE].sentence, "").strip()
        said = [*again, _STATES[state][1], why]
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
    doubt = _doubt(rows, run, _state_weights(data_root, rows))
    is_stale = (rows.bits >> np.uint32(_STALE) & np.uint32(1)).astype(bool)
    band = np.where(is_stale, 2, np.where(rows.state == DISPUTED, 1, 0))
    # Each third of the scale belongs to one band, so that no sum of small reasons passes begun work.
    urgency = (band + doubt) / 3 * (1 - _TIE) + _TIE * (1 - rows.group / 2.0**64)
    lot = lots(rows.ids, _SALT)
    is_random = (rows.state == UNREVIEWED) & ~is_stale & (lot < random_share)
    ranked = np.flatnonzero(~is_random)
    ranked = ranked[np.lexsort((rows.key[ranked], rows.group[ranked], -urgency[ranked]))]
    by_lot = np.flatnonzero(is_random)
    by_lot = by_lot[np.argsort(lot[by_lot], kind="stable")]
    order = _spread(ranked, by_lot, random_share)
    urgency[is_random] = 0.0
    # A random row must be served where it stands: it takes the urgency of the last ranked row before it.
    shown = np.where(is_random[order], 2.0, urgency[order])
    urgency[order] = np.where(shown[:1] > 1, 1.0, np.minimum.accumulate(shown)) if len(order) else []
    return Queue(
        by_reason=_by_reason(rows, run, is_random, is_stale),
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
        _urgency=urgency,
    )


def _state_weights(data_root: Path, rows: OpenRows) -> Floats:
    """Return the weight of each row's state; disputed rows weigh the more, the more their people differ."""
    weights: Floats = np.array([_STATES[name][0] for name in STATES])[rows.state]
    disputed = np.flatnonzero(rows.state == DISPUTED)
    if len(disputed):
        ids = rows.ids.take(pa.array(disputed)).to_pylist()
        differ = disagreements(read_annotations(annotation_files(data_root).values()), frozenset(ids))
        # An answer given for a dropped duplicate has another id: then nothing is known of how far they differ.
        weights[disputed] *= [0.5 + 0.5 * differ.get(id_, 1.0) for id_ in ids]
    return weights


def _doubt(rows: OpenRows, run: RowScores, state: Floats) -> Floats:
    return np.asarray(1 - (1 - suspicion(run.surprise, rows.bits)) * (1 - state))


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


def _by_reason(rows: OpenRows, run: RowScores, is_random: Flags, is_stale: Flags) -> dict[str, int]:
    """Return the weightiest reason to how many rows have it, the most urgent reason first."""
    best, code = np.zeros(len(rows)), np.zeros(len(rows), np.int16)
    names: list[tuple[str, float]] = [("unreviewed", 0.0)]

    def consider(name: str, weight: float, has_it: Flags) -> None:
        names.append((name, weight))
        wins = has_it & (weight > best)
        best[wins], code[wins] = weight, len(names) - 1

    for place, rule in enumerate(RULES):
        consider(rule.name, rule.weight, (rows.bits >> np.uint32(place) & np.uint32(1)).astype(bool))
    for name, (weight, _) in _STATES.items():
        consider(name, weight, rows.state == STATES.index(name))
    consider(_SURPRISE, 0.13, run.surprise.both >= 0.9)  # 0.9 ** 4 / 5: see suspicion
    consider("disputed", 2.0, rows.state == DISPUTED)
    consider("stale", 3.0, is_stale)
    names.append((RANDOM, -1.0))
    code[is_random] = len(names) - 1
    counts = np.bincount(code, minlength=len(names))
    ordered = sorted(zip(names, counts.tolist(), strict=True), key=lambda one: -one[0][1])
    return {name: n for (name, _), n in ordered if n}
