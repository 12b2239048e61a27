"""Slices and tests as a page's tables show them."""

from dataclasses import dataclass

from markupsafe import Markup

from schemas.report import SLICE_KINDS, Arm, Comparison, Report, Slice, SliceKind
from train.evidence_words import finds_from, p_words
from train.figure import Interval, interval_strip, limits_of


@dataclass(frozen=True)
class Row:
    """One slice.

    Attributes:
        scores: Mean score of each arm.
        interval: Tuned against base; None without base.
        strip: The same as a figure.
        p: After Holm.
    """

    slice: Slice
    scores: dict[Arm, float]
    interval: Interval | None
    strip: Markup
    p: str


@dataclass(frozen=True)
class Table:
    """All slices of one kind, and how many smaller ones there are besides."""

    by: SliceKind
    rows: list[Row]
    left: int


@dataclass(frozen=True)
class Tested:
    """One comparison in words: its interval, its p-values, and what its test can find."""

    interval: Interval
    measure: str
    p: str
    exact: str
    finds: str


def slice_tables(report: Report) -> list[Table]:
    """Return a table a kind of slice; all strips share one axis."""
    limits = limits_of(Interval.of(one.against_base) for one in report.slices if one.against_base)
    tables = []
    for by in SLICE_KINDS:
        rows = []
        for one in report.slices:
            if one.by != by:
                continue
            against = one.against_base
            interval = Interval.of(against) if against else None
            strip = interval_strip(interval, limits) if interval else Markup()
            p = p_words(against.adjusted_p) if against else ""
            rows.append(Row(one, {mean.arm: mean.score for mean in one.means}, interval, strip, p))
        if rows:
            tables.append(Table(by, rows, report.slices_left.get(by, 0)))
    return tables


def tested(comparisons: list[Comparison]) -> list[Tested]:
    """Return the comparisons in their order; the exact test is empty where scores are not 0 or 1."""
    return [
        Tested(
            Interval.of(one),
            "score" if one.measure == "score" else "NLL",
            p_words(one.p),
            f"{p_words(one.mcnemar.p)} ({one.mcnemar.won:,} won, {one.mcnemar.lost:,} lost)" if one.mcnemar else "",
            finds_from(one.detectable),
        )
        for one in comparisons
    ]
