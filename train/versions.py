"""Two data versions compared: one base, trained the same way on each, asked the same test rows.

run A on data 60de..., run B on data 91aa...  ->  on 320 rows that are the same in both, B - A: score +0.031 (...)
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from pydantic import JsonValue, ValidationError
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.snapshot import Snapshot
from schemas import ConfigError, SnapshotError, SourceError
from schemas.report import Comparison, Measure, Report
from schemas.training import Encode, Train, TrainingRecord
from schemas.versions import LeftOut, VersionDifference, VersionRun, Versions
from train.compare import compare
from train.evidence_words import finds_from
from train.holm import holm
from train.plan import REPORT, RUNS, SCORES
from train.version_rows import beside, rows_of, same_test_rows, side_changes, status_changes

# Settings that leave the trained weights as they are.
_NO_MATTER = frozenset({"tensorboard", "token_budget", "activation_checkpointing", "preferences"})
_SAME_NLL = 1e-3  # nats a token; other batches round differently
_COLUMNS = ["example", "split", "template", "arm", "metric", "score", "nll"]
_MEASURES: dict[Measure, str] = {"score": "score", "nll": "NLL"}


def compare_versions(a: TrainingRecord, b: TrainingRecord, data_root: Path) -> Versions:
    """Return what changed from run A to run B, in the data and in the scores on the same test rows.

    Examples that share a group in either version are one observation.

    Raises:
        ConfigError: The runs differ in base, method or another setting, or are one and the same.
        SourceError: A report is of other data than its run, or no test row is the same in both.
        SnapshotError: A version or a report is gone.
    """
    where = f"{data_root / RUNS}, {a.key} and {b.key}"
    _comparable(a, b, where)
    reports = [_report(one, data_root) for one in (a, b)]
    splits = [rows_of(Snapshot.open(data_root / "split", one.parents["split"])) for one in (a, b)]
    scores = [_scores(one, rows, data_root) for one, rows in zip((a, b), splits, strict=True)]
    both = beside(*splits)
    same, left = same_test_rows(both)
    tuned = [table[table["arm"] == "tuned"].set_index("example").reindex(same) for table in scores]
    same, tuned, more = _scored(same, tuned)
    if not len(same):
        raise SourceError(
            "no test row is the same in both data versions: "
            + "; ".join(f"{one.n:,} {one.reason}" for one in left + more),
            where=where,
            fix="compare runs of one recipe, whose ledger keeps test rows where they are",
        )
    groups = joint_groups(both.loc[same])
    found = [_difference(tuned, groups, measure) for measure in _MEASURES]
    return Versions(
        recipe=b.recipe,
        base=b.model.base,
        method=b.model.method,
        a=_run(a, reports[0]),
        b=_run(b, reports[1]),
        n_same=len(same),
        left_out=[*left, *more],
        differences=found,
        templates=_by_template(tuned, groups),
        sides=side_changes(both),
        statuses=status_changes(both),
        notes=_notes(a, b, scores, same),
        verdict=_verdict(found, len(same)),
    )


def _comparable(a: TrainingRecord, b: TrainingRecord, where: str) -> None:
    """Return if the runs may differ by their data alone."""
    if a.key == b.key:
        raise ConfigError(
            "both are the same run", where=where, fix="name two runs; `tuneloop compare` takes the newest"
        )
    problems = []
    if a.base != b.base:
        problems.append(f"base: {a.base} against {b.base}")
    for section, model, one, other in (
        ("[train]", Train, a.settings, b.settings),
        ("[encode]", Encode, a.encode, b.encode),
    ):
        ours, theirs = _settings(model, one, where), _settings(model, other, where)
        problems += [
            f"{section} {name}: {ours[name]!r} against {theirs[name]!r}"
            for name in ours
            if ours[name] != theirs[name] and name not in _NO_MATTER
        ]
    data = f"input {b.settings.get('preferences')}", f"input {a.settings.get('preferences')}"
    files = sorted(name for name in {*a.key_parts, *b.key_parts} if name.startswith("input ") and name not in data)
    problems += [
        f"file {name.removeprefix('input ')} has changed"
        for name in files
        if name in a.key_parts and name in b.key_parts and a.key_parts[name] != b.key_parts[name]
    ]
    if problems:
        raise ConfigError(
            "two data versions are compared by one base trained one way; these runs differ in more than data: "
            + "; ".join(problems),
            where=where,
            fix="train one of the two again with the other's settings, or name two runs that differ in data alone",
        )


def _settings(model: type[Train] | type[Encode], given: dict[str, JsonValue], where: str) -> dict[str, JsonValue]:
    """Return settings with those that were not there yet at their defaults."""
    try:
        return model.model_validate(given).model_dump(mode="json")
    except ValidationError as error:
        raise SnapshotError(
            f"a run was made with settings that are no more: {str(error).splitlines()[1]}",
            where=where,
            fix="train again with `tuneloop train`",
        ) from error


def _report(record: TrainingRecord, data_root: Path) -> Report:
    path = data_root / RUNS / record.key / REPORT
    try:
        report = Report.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise SnapshotError(
            f"report cannot be read: {str(error).splitlines()[0]}", where=str(path), fix=_again(record)
        ) from error
    if report.data_version != record.parents["split"]:
        raise SourceError(
            f"the report is of data version {report.data_version}, its run of {record.parents['split']}",
            where=str(path),
            fix=_again(record),
        )
    return report


def _scores(record: TrainingRecord, rows: pd.DataFrame, data_root: Path) -> pd.DataFrame:
    """Return the scores of the test side, which must be those of the rows."""
    path = data_root / RUNS / record.key / SCORES
    try:
        table: pd.DataFrame = pq.read_table(path, columns=_COLUMNS, filters=[("split", "==", "test")]).to_pandas()
    except (OSError, ValueError) as error:  # Arrow's errors are ValueErrors
        raise SnapshotError(
            f"scores cannot be read: {str(error).splitlines()[0]}", where=str(path), fix=_again(record)
        ) from error
    wanted, there = set(rows.index[rows["split"] == "test"]), set(table["example"])
    if wanted != there:
        raise SourceError(
            f"the scores are not of data version {record.parents['split']}: {len(wanted - there):,} of its "
            f"{len(wanted):,} test rows have none, and {len(there - wanted):,} scores are of other rows",
            where=str(path),
            fix=_again(record),
        )
    return table


def _again(record: TrainingRecord) -> str:
    return (
        f"remove {RUNS}/{record.key}/manifest.json and run `tuneloop train` with that data version's recipe: "
        "the model is kept, and judged anew"
    )


def _scored(same: pd.Index, tuned: list[pd.DataFrame]) -> tuple[pd.Index, list[pd.DataFrame], list[LeftOut]]:
    """Return the rows that both runs scored by one metric, and how many others there are."""
    missing = np.logical_or.reduce([table[["score", "nll"]].isna().any(axis=1).to_numpy() for table in tuned])
    differs = (tuned[0]["metric"] != tuned[1]["metric"]).to_numpy() & ~missing
    keep = ~(missing | differs)
    counts = (("a score is missing", int(missing.sum())), ("the metric differs", int(differs.sum())))
    left = [LeftOut(reason=reason, n=n) for reason, n in counts if n]
    return same[keep], [table[keep] for table in tuned], left


def joint_groups(rows: pd.DataFrame) -> np.ndarray:
    """Return a number for each row; rows that share a group in either version, also by way of others, share it."""
    ours, n_ours = rows["group_a"].factorize()[0], rows["group_a"].nunique()
    theirs, n_theirs = rows["group_b"].factorize()[0], rows["group_b"].nunique()
    size = n_ours + n_theirs
    edges = coo_array((np.ones(len(rows)), (ours, theirs + n_ours)), shape=(size, size))
    return np.asarray(connected_components(edges, directed=False)[1][ours])


def _difference(
    tuned: list[pd.DataFrame], groups: np.ndarray, measure: Measure, template: str | None = None
) -> VersionDifference:
    before, after = (table[measure].to_numpy(float) for table in tuned)
    found = compare(after, before, [f"{group:09}" for group in groups], better="tuned", than="tuned", measure=measure)
    return VersionDifference(template=template, before=float(before.mean()), after=float(after.mean()), found=found)


def _by_template(tuned: list[pd.DataFrame], groups: np.ndarray) -> list[VersionDifference]:
    templates = tuned[1]["template"].to_numpy()
    found = []
    for template in sorted(set(templates)):
        rows = templates == template
        found.append(_difference([table[rows] for table in tuned], groups[rows], "score", template))
    adjusted = holm([1.0 if one.found.p is None else one.found.p for one in found]).tolist()
    return [
        one.model_copy(update={"found": one.found.model_copy(update={"adjusted_p": p})})
        for one, p in zip(found, adjusted, strict=True)
    ]


def _run(record: TrainingRecord, report: Report) -> VersionRun:
    return VersionRun(
        run=record.key,
        data_version=report.data_version,
        started_at=record.started_at,
        n_test=report.n,
        n_test_reviewed=report.n_reviewed,
    )


def _notes(a: TrainingRecord, b: TrainingRecord, scores: list[pd.DataFrame], same: pd.Index) -> list[str]:
    """Return what besides the data may have its part in the difference."""
    notes = []
    if a.parents["split"] == b.parents["split"]:
        notes.append("Both runs are of the same data version: what differs is not the data.")
    if a.code != b.code:
        notes.append("The code of training has changed between the runs.")
    if packages := sorted(
        f"{name} {a.distributions.get(name, 'none')} and {b.distributions.get(name, 'none')}"
        for name in {*a.distributions, *b.distributions}
        if a.distributions.get(name) != b.distributions.get(name)
    ):
        notes.append(f"Packages differ: {', '.join(packages)}.")
    base = [table[table["arm"] == "base"].set_index("example").reindex(same) for table in scores]
    change = {measure: (base[1][measure] - base[0][measure]).abs().max() for measure in _MEASURES}
    if change["score"] > 0 or change["nll"] > _SAME_NLL:
        means = [f"{table['score'].mean():.3f} and NLL {table['nll'].mean():.3f}" for table in base]
        notes.append(
            f"The base itself scores {means[0]} in A and {means[1]} in B on these rows: it was asked or scored in "
            "another way, so not all of the difference is the data's."
        )
    return notes


def _verdict(found: list[VersionDifference], n_same: int) -> str:
    """Return in a sentence what the data allow to say of B against A."""
    parts = []
    for says, reading in (
        ("is better than A on", "better"),
        ("is worse than A on", "worse"),
        ("shows no evidence of improvement over A on", "unclear"),
    ):
        names = [_named(one.found) for one in found if one.found.reading == reading]
        if names:
            parts.append(f"{says} {' and '.join(names)}")
    rows = "the one test row that is" if n_same == 1 else f"the {n_same:,} test rows that are"
    return f"On {rows} the same in both, B {'; it '.join(parts)}."


def _named(one: Comparison) -> str:
    finds = finds_from(one.detectable)
    could = f"; this test finds differences from {finds} on" if one.reading == "unclear" and finds != "unknown" else ""
    return f"{_MEASURES[one.measure]}, {one.difference:+.3f} ({one.low:+.3f} to {one.high:+.3f}{could})"
