"""The numbers and examples of the data report: which rows went, why, what is left, and what changed.

    newest split of recipe support  ->  DataReport, written as data.html and data.json

Memory holds short columns and examples, never the texts of all rows. Personal data in examples is blanked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import refs
from pipeline.ancestry import ancestry, dropped_files
from pipeline.chosen_rows import Places, rows_at, spread
from pipeline.data_counts import SIDES, DataCounts, Longest, count_split
from pipeline.figures import Scale, quantile
from pipeline.inspection import Inspection
from pipeline.pair_examples import PairExamples, pair_examples
from pipeline.past_settings import past_settings
from pipeline.reasons import REASON_WORDS, mark_words
from pipeline.recipe import Recipe
from pipeline.review_counts import Review, count_review
from pipeline.row_view import view_of
from pipeline.safe_text import around_finding, blanked
from pipeline.side_by_side import Pair, side
from pipeline.snapshot import Snapshot
from pipeline.strata import LANGUAGE
from pipeline.version_changes import fates, version_changes
from schemas import DataError, RunRecord

_EXAMPLES, _LINE_CHARS, _REACH = 3, 220, 60
_CHANGED = 5


@dataclass(frozen=True)
class ExampleRow:
    """A row in short: where it stands, what it says, and why it went."""

    origin: str
    text: str
    detail: str = ""
    partner: str = ""


@dataclass(frozen=True)
class ReasonFacts:
    """Rows that one stage dropped for one reason; `before` is what the split before had, None for the first."""

    reason: str
    words: str
    rows: int
    before: int | None
    command: str
    examples: list[ExampleRow]


@dataclass(frozen=True)
class StageFacts:
    """One stage of the funnel."""

    stage: str
    run: int
    version: str
    started_at: str
    seconds: float
    rows_in: int
    rows_kept: int
    rows_dropped: int
    reasons: list[ReasonFacts]


@dataclass(frozen=True)
class Lengths:
    """Tokens of one template's rows; `bins` are rows in the bins of `DataReport.scale`, by side."""

    template: str
    rows: int
    bins: dict[str, list[int]]
    median: dict[str, int]
    p95: dict[str, int]
    most: dict[str, int]


@dataclass(frozen=True)
class MarkFacts:
    """A mark and the rows of the split that bear it."""

    mark: str
    words: str
    rows: int
    examples: list[ExampleRow]


@dataclass(frozen=True)
class BenchmarkFacts:
    """A benchmark that the recipe names; how many rows went for how many of its items."""

    file: str
    rows: int
    items: int


@dataclass(frozen=True)
class Changes:
    """What is other than in the split before.

    Attributes:
        note: Why nothing is told; then all else is empty.
        came_from: What the new rows were before: "stage reason" to rows, "" for rows that no stage had dropped.
        went_as: What became of the rows that went, likewise; "" for rows that are in the sources no more.
    """

    note: str
    version: str = ""
    run: int = 0
    started_at: str = ""
    rows: int = 0
    same: int = 0
    came: int = 0
    went: int = 0
    changed: int = 0
    columns: dict[str, int] | None = None
    came_from: dict[str, int] | None = None
    went_as: dict[str, int] | None = None
    came_rows: list[ExampleRow] | None = None
    went_rows: list[ExampleRow] | None = None
    changed_rows: list[Pair] | None = None


@dataclass(frozen=True)
class DataReport:
    """All that the page shows; see the classes above.

    Attributes:
        shares: Dimension to lines of value, rows and tokens, the most rows first.
        train_tokens: Template to rows and tokens of the train side.
        findings: Kind of personal data to how often ingest found it.
        repaired: How often ingest found letters decoded wrongly.
        pairs: None where the run of dedupe cannot be opened; `pairs_note` says why.
        split_tables: By template, source and language: rows on each side, as the split's record has them.
        proof: What the last search across the sides found.
    """

    recipe: str
    version: str
    run: int
    started_at: str
    rows_in: int
    rows_out: int
    stages: list[StageFacts]
    scale: Scale
    lengths: list[Lengths]
    longest: Longest | None
    shares: dict[str, list[dict[str, int | str]]]
    train_tokens: list[dict[str, int | str]]
    marks: list[MarkFacts]
    findings: dict[str, int]
    repaired: int
    benchmarks: list[BenchmarkFacts]
    review: Review
    status_by_split: list[dict[str, int | str]]
    pairs: PairExamples | None
    pairs_note: str
    notices: list[str]
    split_tables: dict[str, Any]
    thin: list[str]
    leaks: dict[str, int]
    proof: dict[str, Any]
    changes: Changes


def data_report(data_root: Path, last: RunRecord, today: Recipe | None) -> DataReport:
    """Return what there is to say about a finished split.

    Args:
        data_root: The store.
        last: The run of the stage split.
        today: The recipe as it is now, if its file is known: folders of templates come from there.

    Raises:
        SnapshotError: Rows of one of the stages are gone or damaged.
    """
    runs = ancestry(data_root, last)
    split = Snapshot.open(data_root / "split", last.version)
    counts = count_split(split)
    annotated = Snapshot.open(data_root / "annotate", runs["annotate"].version)
    older = _split_before(data_root, last)
    earlier = _earlier_runs(data_root, older)
    limit = runs["format"].settings.get("max_tokens")
    most = max((len(one) for one in counts.tokens.values()), default=1)
    scale = Scale.up_to(most, limit if isinstance(limit, int) else 0)
    pairs, pairs_note, notices = _pairs(data_root, runs["dedupe"], today)
    facts: dict[str, Any] = dict(last.facts)
    ingest = runs["ingest"]
    return DataReport(
        recipe=last.recipe,
        version=last.version,
        run=last.number,
        started_at=last.started_at,
        rows_in=ingest.rows_in,
        rows_out=last.rows_kept,
        stages=[_stage_facts(data_root, record, earlier.get(stage)) for stage, record in runs.items()],
        scale=scale,
        lengths=list(_lengths(counts, scale)),
        longest=counts.longest,
        shares={
            "template": counts.by("template"),
            "paraphrase": [one for one in counts.by("template", "paraphrase") if one["paraphrase"]],
            **({LANGUAGE: counts.by(LANGUAGE)} if counts.has_languages else {}),
            "source": counts.by("source", "license"),
            "license": counts.by("license"),
        },
        train_tokens=counts.by("template", split="train"),
        marks=_marks(_files(split), counts),
        findings={name[4:]: n for name, n in sorted(ingest.counts.items()) if name.startswith("pii:")},
        repaired=ingest.counts.get("mojibake", 0),
        benchmarks=_benchmarks(data_root, runs["dedupe"]),
        review=count_review(data_root, _files(annotated), dropped_files(data_root, runs["annotate"])),
        status_by_split=counts.by("split", "status"),
        pairs=pairs,
        pairs_note=pairs_note,
        notices=notices,
        split_tables=facts.get("strata", {}),
        thin=facts.get("thin_strata", []),
        leaks=facts.get("leaks", {}).get("by_source", {}),
        proof=facts.get("proof", {}),
        changes=_changes(data_root, older, split, runs),
    )


def example_row(row: dict[str, Any], stage: str) -> ExampleRow:
    """Return a row in short, personal data blanked."""
    view = view_of(row, stage)
    text = blanked(view.line, _LINE_CHARS)
    return ExampleRow(view.origin, text, blanked(view.detail, 2 * _LINE_CHARS), view.partner_origin)


def _files(snapshot: Snapshot) -> list[Path]:
    return [snapshot.folder / file.name for file in snapshot.manifest.files]


def _stage_facts(data_root: Path, record: RunRecord, earlier: RunRecord | None) -> StageFacts:
    paths = dropped_files(data_root, record)
    found = _dropped_examples(paths, record.stage)
    before = earlier.dropped_by_reason if earlier else None
    reasons = sorted(record.dropped_by_reason.items(), key=lambda item: (-item[1], item[0]))
    gone = [(name, 0) for name in sorted(before or {}) if name not in record.dropped_by_reason]
    named = f" --recipe {record.recipe}" if record.recipe != "sample" else ""
    return StageFacts(
        stage=record.stage,
        run=record.number,
        version=record.version,
        started_at=record.started_at,
        seconds=record.seconds,
        rows_in=record.rows_in,
        rows_kept=record.rows_kept,
        rows_dropped=record.rows_dropped,
        reasons=[
            ReasonFacts(
                reason=reason,
                words=REASON_WORDS.get(reason, ""),
                rows=n,
                before=None if before is None else before.get(reason, 0),
                command=f"tuneloop show {record.stage} --reason {reason}{named} -n 20",
                examples=found.get(reason, []),
            )
            for reason, n in [*reasons, *gone]
        ],
    )


def _dropped_examples(paths: Sequence[Path], stage: str) -> dict[str, list[ExampleRow]]:
    """Return a few rows of each reason, spread over all there are."""
    reasons = [batch.column("reason") for path in paths for batch in Snapshot.read_part(path, ["reason"])]
    if not reasons:
        return {}
    encoded = pa.chunked_array(reasons).combine_chunks().dictionary_encode()
    codes, names = encoded.indices.to_numpy(), encoded.dictionary.to_pylist()
    wanted = [spread(np.flatnonzero(codes == code), _EXAMPLES) for code in range(len(names))]
    found: dict[str, list[ExampleRow]] = {}
    for _, row in rows_at(paths, np.concatenate(wanted)):
        found.setdefault(row["reason"], []).append(example_row(row, stage))
    return found


def _lengths(counts: DataCounts, scale: Scale) -> Iterator[Lengths]:
    for line in counts.by("template"):
        name = str(line["template"])
        mine = {side: counts.tokens[name, side] for side in SIDES}
        yield Lengths(
            template=name,
            rows=int(line["rows"]),
            bins={side: scale.binned(one) for side, one in mine.items()},
            median={side: quantile(one, 0.5) for side, one in mine.items()},
            p95={side: quantile(one, 0.95) for side, one in mine.items()},
            most={side: len(one) - 1 for side, one in mine.items()},
        )


def _marks(paths: Sequence[Path], counts: DataCounts) -> list[MarkFacts]:
    chosen = {mark: spread(places, _EXAMPLES) for mark, places in counts.marked.items()}
    wanted = np.unique(np.concatenate([np.zeros(0, np.int64), *chosen.values()]))
    rows = dict(rows_at(paths, wanted))
    return [
        MarkFacts(mark, mark_words(mark), len(places), [_marked_row(rows[at], mark) for at in chosen[mark].tolist()])
        for mark, places in sorted(counts.marked.items(), key=lambda item: -len(item[1]))
    ]


def _marked_row(row: dict[str, Any], mark: str) -> ExampleRow:
    if mark.startswith("pii:"):
        texts = (around_finding(one.text, _REACH) for one in view_of(row, "split").said)
        if near := next((text for text in texts if text), None):
            return ExampleRow(row["origin"], near)
    return example_row(row, "split")


def _benchmarks(data_root: Path, record: RunRecord) -> list[BenchmarkFacts]:
    named = record.settings.get("benchmarks")
    rows: dict[str, int] = {}
    items: dict[str, set[str]] = {}
    for path in dropped_files(data_root, record):
        for batch in Snapshot.read_part(path, ["reason", "partner_origin"]):
            for line in (
                pa.table(batch).group_by(["reason", "partner_origin"]).aggregate([([], "count_all")]).to_pylist()
            ):
                if line["reason"] == "benchmark":
                    item = line["partner_origin"] or ""
                    file = item.rpartition(":")[0]
                    rows[file] = rows.get(file, 0) + line["count_all"]
                    items.setdefault(file, set()).add(item)
    files = [str(name) for name in named] if isinstance(named, list) else []
    return [BenchmarkFacts(file, rows.get(file, 0), len(items.get(file, ()))) for file in files]


def _pairs(data_root: Path, record: RunRecord, today: Recipe | None) -> tuple[PairExamples | None, str, list[str]]:
    """Return pairs of rows, or why there are none; a report without them is better than no report."""
    try:
        stage, place = past_settings(record, today, data_root, Path.cwd())
        run = Inspection.of(record, stage, place)
        return pair_examples(run), "", run.notices
    except DataError as error:
        return None, f"{error.what}: {error.fix}", []


def _split_before(data_root: Path, last: RunRecord) -> RunRecord | None:
    """Return the newest earlier run of the split with another version."""
    for path in refs.record_paths(data_root, "split", last.recipe):
        record = refs.read_record(path)
        if record.number < last.number and record.version != last.version:
            return record
    return None


def _earlier_runs(data_root: Path, older: RunRecord | None) -> dict[str, RunRecord]:
    try:
        return ancestry(data_root, older) if older else {}
    except DataError:
        return {}


def _changes(data_root: Path, older: RunRecord | None, split: Snapshot, runs: dict[str, RunRecord]) -> Changes:
    if older is None:
        return Changes("This is the first version of the split: there is nothing to compare it with.")
    known = {"version": older.version, "run": older.number, "started_at": older.started_at, "rows": older.rows_kept}
    try:
        before = Snapshot.open(data_root / "split", older.version)
    except DataError:
        return Changes("The version before is no longer in the store (`tuneloop gc` removed it).", **known)
    change = version_changes(before, split)
    now = [(stage, dropped_files(data_root, record)) for stage, record in runs.items()]
    then = [(stage, dropped_files(data_root, one)) for stage, one in _earlier_runs(data_root, older).items()]
    return Changes(
        note="",
        **known,
        same=change.same,
        came=len(change.came),
        went=len(change.went),
        changed=len(change.changed[0]),
        columns=change.columns,
        came_from=fates(split, change.came, then),
        went_as=fates(before, change.went, now),
        came_rows=_examples(split, change.came),
        went_rows=_examples(before, change.went),
        changed_rows=_changed_rows(before, split, change.changed),
    )


def _examples(snapshot: Snapshot, places: Places) -> list[ExampleRow]:
    return [example_row(row, "split") for _, row in rows_at(_files(snapshot), spread(places, _EXAMPLES))]


def _changed_rows(before: Snapshot, now: Snapshot, changed: tuple[Places, Places]) -> list[Pair]:
    some = spread(np.arange(len(changed[0])), _CHANGED)
    old = dict(rows_at(_files(before), changed[0][some]))
    new = dict(rows_at(_files(now), changed[1][some]))
    pairs = []
    for left, right in zip(changed[0][some].tolist(), changed[1][some].tolist(), strict=True):
        one, other = old[left], new[right]
        differ = [
            name for name in other if name in one and one[name] != other[name] and name not in ("origin", "group")
        ]
        sides = [
            side(name, *("\n".join(said["content"] for said in row[name]) for row in (one, other)))
            for name in ("prompt", "completion")
            if name in differ
        ]
        told = [
            f"{name} {one[name]} → {other[name]}" if name in ("status", "split", "template", "paraphrase") else name
            for name in differ
        ]
        pairs.append(Pair(one["origin"], other["origin"], "changed", f"differs in {', '.join(told)}", None, sides))
    return pairs
