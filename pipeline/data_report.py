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

from pipeline.ancestry import ancestry, dropped_files
from pipeline.chosen_rows import rows_at, spread
from pipeline.data_counts import SIDES, DataCounts, Longest, count_split
from pipeline.example_rows import EXAMPLES, ExampleRow, example_row, files_of
from pipeline.figures import Scale, quantile
from pipeline.funnel import StageFacts, stage_facts
from pipeline.inspection import Inspection
from pipeline.pair_examples import PairExamples, pair_examples
from pipeline.past_settings import past_settings
from pipeline.reasons import mark_words
from pipeline.recipe import Recipe
from pipeline.review_counts import Review, count_review
from pipeline.row_view import view_of
from pipeline.safe_text import around_finding
from pipeline.snapshot import Snapshot
from pipeline.split_changes import Changes, changes_since, earlier_runs, split_before
from pipeline.strata import LANGUAGE
from schemas import DataError, RunRecord

_REACH = 60  # characters shown on either side of a finding


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
    older = split_before(data_root, last)
    earlier = earlier_runs(data_root, older)
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
        stages=[stage_facts(data_root, record, earlier.get(stage)) for stage, record in runs.items()],
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
        marks=_marks(files_of(split), counts),
        findings={name[4:]: n for name, n in sorted(ingest.counts.items()) if name.startswith("pii:")},
        repaired=ingest.counts.get("mojibake", 0),
        benchmarks=_benchmarks(data_root, runs["dedupe"]),
        review=count_review(data_root, files_of(annotated), dropped_files(data_root, runs["annotate"])),
        status_by_split=counts.by("split", "status"),
        pairs=pairs,
        pairs_note=pairs_note,
        notices=notices,
        split_tables=facts.get("strata", {}),
        thin=facts.get("thin_strata", []),
        leaks=facts.get("leaks", {}).get("by_source", {}),
        proof=facts.get("proof", {}),
        changes=changes_since(data_root, older, split, runs),
    )


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
    chosen = {mark: spread(places, EXAMPLES) for mark, places in counts.marked.items()}
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
