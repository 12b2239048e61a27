"""What people should look at after a training run: its most suspicious train rows, and two samples beside them.

A train row "2 + 2?" -> "5" that the tuned model finds less likely than it finds 99 of 100 answers becomes

    Pick(id="9f3c...", queue="ranked", why="The trained model finds this answer very unlikely: ...", model_answer="")

Three queues make one file: `ranked`, the train rows in order of suspicion; `validation`, what the model answered
otherwise; and `random`, train rows drawn before any ranking, by which the share of wrong answers can be estimated.
Rows on the test side never appear, nor rows of their groups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.checked_texts import CHECKED, Kinds
from annotation.rule_checks import Bits, broken_rules, count_rules, rules_of
from annotation.suspicion import Floats, Surprise, reason, surprise_of, suspicion
from annotation.training_run import Scores, TrainingRun
from pipeline import refs
from pipeline.digest import value_digest
from pipeline.snapshot import Snapshot
from schemas import SPLITS, Formatted, SnapshotError, Split, arrow_schema

QueueName = Literal["ranked", "validation", "random"]
RowNumbers = NDArray[np.int64]
_BY_CHANCE = "Chosen at random, to estimate how many answers are wrong."
_ROW = [field.name for field in arrow_schema(Formatted)]
_UNREVIEWED = ("unreviewed", "unsure")
# What becomes of a row; its place here stands for it where there is one for each row.
_OPEN, _REVIEWED, _TEST, _GONE = range(4)


class Sizes(NamedTuple):
    """How many tasks are wanted in all, and how many of them for two of the queues; the rest is ranked."""

    limit: int
    validation: int
    random: int


class Pick(NamedTuple):
    """One row for people.

    Attributes:
        id: Of the example.
        queue: Why it is here, in a word.
        why: The same in sentences for the reviewer.
        model_answer: What the tuned model answered on a validation row, or one that has not seen it on a train row;
            empty where none was asked.
    """

    id: str
    queue: QueueName
    why: str
    model_answer: str = ""


@dataclass(frozen=True)
class Feedback:
    """What people should look at, in order of work.

    Attributes:
        rows: Each row as Python values, and why it was picked.
        n_open: Train rows that nobody has reviewed: what ranking and chance chose from.
        n_left_out: Why rows were left out (reviewed, test, gone, changed) to how many they are.
        n_unscored: Open train rows without a score; only rules and chance can choose them.
        n_by_rule: Rule to how many of the ranked rows break it, the commonest first.
    """

    rows: list[tuple[dict[str, Any], Pick]]
    n_open: int
    n_left_out: dict[str, int]
    n_unscored: int
    n_by_rule: dict[str, int]

    def n_of(self, queue: QueueName) -> int:
        """Return how many rows are of a queue."""
        return sum(pick.queue == queue for _, pick in self.rows)


def find_feedback(data_root: Path, recipe: str, run: TrainingRun, kinds: Kinds, sizes: Sizes) -> Feedback:
    """Return what people should look at after a run.

    Raises:
        SnapshotError: The run's rows or scores are gone or damaged, or the scores are of other rows.
    """
    was = run.rows(data_root)
    record = refs.newest(data_root, "split", recipe)
    now = was
    if record is not None and record.version != was.manifest.version:
        now = Snapshot.open(data_root / "split", record.version)
    scores = run.scores()
    pool = _pool(was, now, run, scores, kinds)
    train = pool.open_on("train")
    by_chance = pool.drawn(train, run.key)[: sizes.random]
    otherwise = pool.answered_otherwise(scores.answers, sizes.validation)
    n_ranked = max(0, sizes.limit - len(by_chance) - len(otherwise))
    ranked = pool.most_suspicious(np.setdiff1d(train, by_chance))[:n_ranked]
    picks = _mixed(
        [pool.ranked_pick(row) for row in ranked],
        otherwise,
        [Pick(pool.ids[row].as_py(), "random", _BY_CHANCE) for row in by_chance],
    )
    # What people see while they look for mistakes must not be what the model is judged by.
    assert not pool.test_ids & {pick.id for pick in picks}
    texts = _texts(was, now, picks)
    fates = {"reviewed": _REVIEWED, "test": _TEST, "gone": _GONE}
    left_out = {name: int((pool.fate == fate).sum()) for name, fate in fates.items()}
    return Feedback(
        rows=[(texts[pick.id], pick) for pick in picks if pick.id in texts],
        n_open=len(train),
        n_left_out=left_out | {"changed": len(picks) - len(texts)},
        n_unscored=int(np.isnan(pool.surprise.unlikely[train]).sum()),
        n_by_rule=count_rules(pool.bits[ranked]),
    )


@dataclass(frozen=True)
class _Pool:
    """All rows of the run's data, by number, and what is known of each.

    Attributes:
        side: Place of the row's side in SPLITS.
        fate: Whether the row may go to people, or why not.
        test_ids: Ids of the test side and its groups, in the run's data and in the newest.
        answers: Id to what a model that has not seen the row answered, of the most doubtful train rows.
    """

    ids: pa.ChunkedArray
    template: pa.ChunkedArray
    side: NDArray[np.int8]
    fate: NDArray[np.int8]
    test_ids: set[str]
    surprise: Surprise
    answers: dict[str, str]
    bits: Bits

    def open_on(self, side: Split) -> RowNumbers:
        """Return the rows of a side that may go to people."""
        return np.flatnonzero((self.side == SPLITS.index(side)) & (self.fate == _OPEN))

    def drawn(self, rows: RowNumbers, key: str) -> RowNumbers:
        """Return rows in an order of chance that the run's key fixes: what gets reviewed gives way to the next."""
        lot = np.random.default_rng(int(value_digest([key]), 16)).permutation(len(self.ids))
        return rows[np.argsort(lot[rows])]

    def most_suspicious(self, rows: RowNumbers) -> RowNumbers:
        """Return rows in order of suspicion, the highest first."""
        return rows[np.argsort(-suspicion(self.surprise, self.bits)[rows], kind="stable")]

    def answered_otherwise(self, answers: pa.Table, n: int) -> list[Pick]:
        """Return the n validation rows with the worst answers; of equals, those the model finds least likely."""
        rows = self.open_on("validation")
        places = pc.index_in(self.ids.take(pa.array(rows)), value_set=answers["example"])
        did = answers.take(places)
        score, nll = did["score"].to_numpy(), did["nll"].to_numpy()
        order = np.lexsort((-nll, score))
        order = order[score[order] < 1][:n]
        return [
            self._validation_pick(row, one)
            for row, one in zip(rows[order], did.take(pa.array(order)).to_pylist(), strict=True)
        ]

    def ranked_pick(self, row: int) -> Pick:
        """Return a suspicious row, with its reasons in words."""
        why = reason(self.surprise, self.bits, row, self.template[row].as_py())
        id_ = self.ids[row].as_py()
        return Pick(id_, "ranked", why, self.answers.get(id_, ""))

    def _validation_pick(self, row: int, did: Mapping[str, Any]) -> Pick:
        rules = [rule.sentence for rule in rules_of(int(self.bits[row]))]
        # No dot within it: sentences are put into the screen's language one by one.
        scored = f"{round(100 * did['score'])} of 100 points by {did['metric']}"
        why = " ".join([*rules, f"The trained model answers this otherwise ({scored}). Either may be wrong."])
        return Pick(self.ids[row].as_py(), "validation", why, did["answer"] or "")


def _pool(was: Snapshot, now: Snapshot, run: TrainingRun, scores: Scores, kinds: Kinds) -> _Pool:
    table = _known(was)
    current = table if now is was else _known(now)
    side = table["side"].to_numpy()
    tuned, base = (_aligned(arm, table["id"]) for arm in (scores.tuned, scores.base))
    # A model behind a server has answers and no likelihood: then rules and chance choose among the train rows.
    answered = pc.is_in(scores.answers["example"], value_set=table["id"]).to_numpy().any()
    if (side == SPLITS.index("train")).any() and np.isnan(tuned).all() and not answered:
        raise SnapshotError(
            f"the scores of run {run.key} hold no train row of version {run.split_version}",
            where=str(run.folder),
            fix="run `make train`: it makes the run again",
        )
    test = pa.chunked_array([*_test_ids(table).chunks, *_test_ids(current).chunks], pa.string())
    return _Pool(
        ids=table["id"],
        template=table["template"],
        side=side,
        fate=_fates(table, current, test),
        test_ids=set(test.to_pylist()),
        surprise=surprise_of(table["template"], tuned, base, scores.doubts_of(table["id"])),
        answers=_answers(scores.held),
        bits=np.concatenate([broken_rules(batch, kinds) for batch in was.batches(CHECKED)]),
    )


def _known(snapshot: Snapshot) -> pa.Table:
    """Return, for all rows in order, the little that is kept of each: some 45 bytes.

    Columns: id, template (as numbers), side (its place in SPLITS), is_open (people may look at it), is_test (it, or
    a row of its group, is on the test side).
    """
    sides = snapshot.batches(["group", "split"])
    groups = [batch.filter(pc.equal(batch.column("split"), "test")).column("group") for batch in sides]
    test_groups = pc.unique(pa.chunked_array(groups, pa.string()))
    columns = {
        "id": pa.string(), "template": pa.dictionary(pa.int32(), pa.string()), "side": pa.int8(),
        "is_open": pa.bool_(), "is_test": pa.bool_(),
    }  # fmt: skip
    parts = [
        pa.table(
            [
                batch.column("id"),
                batch.column("template").dictionary_encode(),
                pc.index_in(batch.column("split"), value_set=pa.array(SPLITS)).cast(pa.int8()),
                pc.is_in(batch.column("status"), value_set=pa.array(_UNREVIEWED)),
                pc.is_in(batch.column("group"), value_set=test_groups),
            ],
            schema=pa.schema(columns),
        )
        for batch in snapshot.batches(["id", "template", "split", "status", "group"])
    ]
    return pa.concat_tables([pa.schema(columns).empty_table(), *parts]).unify_dictionaries()


def _test_ids(table: pa.Table) -> pa.ChunkedArray:
    return table.filter(table["is_test"])["id"]


def _fates(table: pa.Table, current: pa.Table, test: pa.ChunkedArray) -> NDArray[np.int8]:
    is_open = current["is_open"]
    if current is not table:
        is_open = is_open.take(pc.index_in(table["id"], value_set=current["id"]))
    is_here = np.asarray(pc.is_valid(is_open))
    fate = np.where(np.asarray(pc.fill_null(is_open, False)), _OPEN, np.where(is_here, _REVIEWED, _GONE))
    return np.where(np.asarray(pc.is_in(table["id"], value_set=test)), _TEST, fate).astype(np.int8)


def _aligned(scores: pa.Table, ids: pa.ChunkedArray) -> Floats:
    """Return the cost of each row, nats a token, in the order of `ids`; NaN where it has no score."""
    return np.asarray(scores["nll"].take(pc.index_in(ids, value_set=scores["example"])), float)


def _answers(held: pa.Table) -> dict[str, str]:
    asked = held.filter(pc.is_valid(held["answer"]))
    return dict(zip(asked["example"].to_pylist(), asked["answer"].to_pylist(), strict=True))


def _mixed(*queues: Sequence[Pick]) -> list[Pick]:
    """Return all picks, each queue spread evenly over the whole and in its own order."""
    placed = [((n + 0.5) / len(queue), pick) for queue in queues for n, pick in enumerate(queue)]
    return [pick for _, pick in sorted(placed, key=lambda one: one[0])]


def _texts(was: Snapshot, now: Snapshot, picks: Sequence[Pick]) -> dict[str, dict[str, Any]]:
    """Return id to row for the picks whose text is today what the model saw.

    Where the text has changed since, the score speaks of another text, and an answer would be stale at once.
    """
    wanted = pa.array([pick.id for pick in picks], pa.string())
    then, today = (_read(snapshot, wanted) for snapshot in (was, now)) if now is not was else (_read(was, wanted),) * 2
    return {
        id_: row
        for id_, row in then.items()
        if id_ in today and all(row[side] == today[id_][side] for side in ("prompt", "completion"))
    }


def _read(snapshot: Snapshot, ids: pa.Array) -> dict[str, dict[str, Any]]:
    found = (batch.filter(pc.is_in(batch.column("id"), value_set=ids)) for batch in snapshot.batches(_ROW))
    return {row["id"]: row for batch in found for row in batch.to_pylist()}
