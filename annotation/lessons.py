"""What a model learned from people's data, as its report and scores tell it: by template, and answer by answer.

    translate   61 test examples   21 of 100 points, 15 before training: better
    of 40 validation examples that people have checked the model now answers 12 as they do; before training 3

Of the test side only totals are read; every example that is named is of the validation side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.stats import t

from annotation.training_run import SCORES, TrainingRun, finished_runs
from pipeline.digest import value_digest
from pipeline.snapshot import Snapshot
from schemas import SnapshotError
from schemas.report import Arm, Reading, Report, reading_of

_CHECKED = ("accepted", "edited")
# An answer that has less than this in common with the data's is counted as another one.
HALF = 0.5
_LIKE_THE_DATA = 1.0


@dataclass(frozen=True)
class Learned:
    """How the model does on one template's test examples.

    Attributes:
        n: Test examples.
        base, tuned: Mean score before and after training, 0 to 1.
        reading: What the data allow to say of tuned against base.
        since: What they allow to say of this run against the one before; None without one that can be compared.
        change: This run minus the one before, on the `n_shared` test examples that both were asked.
    """

    template: str
    n: int
    base: float
    tuned: float
    reading: Reading
    since: Reading | None = None
    change: float = 0.0
    n_shared: int = 0


@dataclass(frozen=True)
class Agreement:
    """How often a model's answer is that of the data, on validation examples.

    Attributes:
        n: Validation examples.
        before, now: How many the base and the tuned model answer as the data do.
        examples: Ids of those that the tuned model answers so and the base does not.
    """

    n: int
    before: int
    now: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Lessons:
    """All of it.

    Attributes:
        report: The run's report.
        templates: One entry a template of the report, the one that training helped most first.
        checked: On the validation examples that people have checked.
        everything: On all of them.
        astray: Template to (validation examples on which the model's answer has less than half in common with the
            data's, all of them), the largest share first.
        earlier: Key of the run before this one, if there is one to compare with.
    """

    report: Report
    templates: list[Learned]
    checked: Agreement
    everything: Agreement
    astray: dict[str, tuple[int, int]]
    earlier: str | None


def lessons(data_root: Path, recipe: str, run: TrainingRun) -> Lessons:
    """Return what a run's model learned.

    Raises:
        SnapshotError: The run's report, scores or rows are gone or damaged.
    """
    report, rows = read_report(run), run.rows(data_root)
    validation = _answers(run, "validation", ("base", "tuned"))
    people = _checked_ids(rows)
    by_person = validation.filter(pc.is_in(validation["example"], value_set=people))
    earlier = _earlier(data_root, recipe, run)
    since = _since(data_root, run, earlier) if earlier else {}
    templates = []
    for one in report.slices:
        if one.by == "template":
            score = {mean.arm: mean.score for mean in one.means}
            if "base" in score and "tuned" in score and one.against_base is not None:
                known = (one.value, one.n, score["base"], score["tuned"], one.against_base.reading)
                templates.append(Learned(*known, *since.get(one.value, ())))
    return Lessons(
        report=report,
        templates=sorted(templates, key=lambda one: (one.base - one.tuned, one.template)),
        checked=_agreement(by_person),
        everything=_agreement(validation),
        astray=_astray(validation),
        earlier=earlier.key if earlier and since else None,
    )


def read_report(run: TrainingRun) -> Report:
    """Return the report of a run.

    Raises:
        SnapshotError: It is missing or no report.
    """
    path = run.folder / "report.json"
    try:
        return Report.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise SnapshotError(
            f"not the report of a run: {str(error).splitlines()[0]}",
            where=str(path),
            fix="run `make train`: it makes the run again",
        ) from error


def paired_difference(difference: NDArray[np.float64], group: Sequence[object]) -> tuple[float, float, float]:
    """Return the mean of differences and its 95 % interval, with groups as the observations.

    The variance of the mean is the sum over groups of their squared sums of deviations, times G / (G - 1), over n
    squared; the interval is Student's with G - 1 degrees of freedom (Cameron and Miller 2015). With one group it is
    the whole line.
    """
    n, mean = len(difference), float(difference.mean())
    _, codes = np.unique(np.asarray(group, dtype=str), return_inverse=True)
    sums = np.bincount(codes, weights=difference - mean)
    n_groups = len(sums)
    if n_groups < 2:
        return mean, -np.inf, np.inf
    error = float(np.sqrt(n_groups / (n_groups - 1) * (sums**2).sum())) / n
    reach = float(t.ppf(0.975, n_groups - 1)) * error
    return mean, mean - reach, mean + reach


def _answers(run: TrainingRun, side: str, arms: tuple[Arm, ...]) -> pa.Table:
    """Return the scored answers of some arms on a side."""
    columns = ["example", "group", "template", "arm", "split", "score"]
    parts = []
    for batch in Snapshot.read_part(run.folder / SCORES, columns):
        wanted = pc.and_(pc.equal(batch.column("split"), side), pc.is_in(batch.column("arm"), pa.array(arms)))
        parts.append(batch.filter(pc.and_(wanted, pc.is_valid(batch.column("score")))))
    return pa.Table.from_batches(parts) if parts else pa.table({name: pa.array([], pa.string()) for name in columns})


def _checked_ids(rows: Snapshot) -> pa.Array:
    found = [
        batch.filter(pc.is_in(batch.column("status"), value_set=pa.array(_CHECKED))).column("id")
        for batch in rows.batches(["id", "status"])
    ]
    return pa.chunked_array(found, pa.string()).combine_chunks()


def _agreement(answers: pa.Table) -> Agreement:
    same = answers.filter(pc.greater_equal(answers["score"], _LIKE_THE_DATA)) if len(answers) else answers
    base, tuned = (set(same.filter(pc.equal(same["arm"], arm))["example"].to_pylist()) for arm in ("base", "tuned"))
    n = len(pc.unique(answers["example"]))
    return Agreement(n, len(base), len(tuned), tuple(sorted(tuned - base)))


def _astray(answers: pa.Table) -> dict[str, tuple[int, int]]:
    tuned = answers.filter(pc.equal(answers["arm"], "tuned"))
    n: dict[str, list[int]] = {}
    for template, score in zip(tuned["template"].to_pylist(), tuned["score"].to_pylist(), strict=True):
        counts = n.setdefault(template, [0, 0])
        counts[0] += score < HALF
        counts[1] += 1
    ordered = sorted(n.items(), key=lambda item: (-item[1][0] / item[1][1], item[0]))
    return {template: (far, of) for template, (far, of) in ordered}


def _earlier(data_root: Path, recipe: str, run: TrainingRun) -> TrainingRun | None:
    """Return the newest run that was finished before this one and began with the same base, on other data."""
    known = finished_runs(data_root, recipe)
    mine = next((one for one in known if one.key == run.key), run)
    older = [
        one
        for one in known
        if one.started_at < mine.started_at and one.base == mine.base and one.split_version != mine.split_version
    ]
    return older[-1] if older else None


def _since(data_root: Path, run: TrainingRun, earlier: TrainingRun) -> dict[str, tuple[Reading, float, int]]:
    """Return by template what changed on the test examples that both runs were asked with the same reference."""
    try:
        same = _same_test_rows(run.rows(data_root), earlier.rows(data_root))
        now, then = (_answers(one, "test", ("tuned",)) for one in (run, earlier))
    except SnapshotError:
        # The older data or scores are gone: then there is nothing to compare with, and the page has all the rest.
        return {}
    now = now.filter(pc.and_(pc.is_in(now["example"], same), pc.is_in(now["example"], then["example"])))
    before = then["score"].take(pc.index_in(now["example"], value_set=then["example"].combine_chunks()))
    difference = np.asarray(now["score"], float) - np.asarray(before, float)
    templates, groups = np.asarray(now["template"].to_pylist()), np.asarray(now["group"].to_pylist())
    found: dict[str, tuple[Reading, float, int]] = {}
    for template in np.unique(templates).tolist():
        is_its = templates == template
        mean, low, high = paired_difference(difference[is_its], groups[is_its].tolist())
        found[template] = (reading_of(low, high, more_is_better=True), mean, int(is_its.sum()))
    return found


def _same_test_rows(now: Snapshot, then: Snapshot) -> pa.Array:
    """Return the ids of the test rows whose prompt and reference are equal in both versions."""
    before = _test_texts(then)
    return pa.array([id_ for id_, text in _test_texts(now).items() if before.get(id_) == text], pa.string())


def _test_texts(rows: Snapshot) -> Mapping[str, str]:
    """Return id to digest of what is asked and what is right, for the test side."""
    found: dict[str, str] = {}
    for batch in rows.batches(["id", "split", "prompt", "completion"]):
        test = batch.filter(pc.equal(batch.column("split"), "test"))
        found.update((row["id"], value_digest([row["prompt"], row["completion"]])) for row in test.to_pylist())
    return found
