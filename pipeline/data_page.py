"""The data report as one HTML page: numbers in words, tables and figures.

DataReport(rows_in=4600, rows_out=4365, ...)  ->  "4,600 rows were read, 4,365 are in the split (94.9 %)" ...
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.data_report import DataReport
from pipeline.figures import histograms, share_bar, stacked_bar
from pipeline.page import percent, render
from pipeline.strata import LANGUAGE
from schemas import SPLITS

_CONTENTS = (
    ("funnel", "Which rows went, and why"),
    ("lengths", "How long the rows are"),
    ("shares", "What the data are made of"),
    ("tokens", "Token budget"),
    ("duplicates", "Duplicates, side by side"),
    ("border", "Is the threshold right?"),
    ("conflicts", "Conflicts"),
    ("marks", "Marks, personal data"),
    ("benchmarks", "Benchmarks"),
    ("review", "What people have checked"),
    ("split", "The split, and that it does not leak"),
    ("changes", "What changed"),
    ("more", "Look further"),
)
_TITLES = {
    "template": ("Templates", ["Template"]),
    "paraphrase": ("Wordings", ["Template", "Wording"]),
    LANGUAGE: ("Languages, where sources name them", ["Language"]),
    "source": ("Sources", ["Source", "Licence"]),
    "license": ("Licences", ["Licence"]),
}
_MOST_LINES = 30
_CHECKED = ("accepted", "edited", "rejected", "unconfirmed")


def data_page(report: DataReport) -> str:
    """Return the page, whole: its style and its figures are in it."""
    read = max(report.rows_in, 1)
    has_pairs = report.pairs is not None
    return render(
        "data.html.jinja",
        report=report,
        named="" if report.recipe == "sample" else f" --recipe {report.recipe}",
        headline=f"{_rows(report.rows_in, 'was', 'were')} read, {_rows(report.rows_out, 'is', 'are')} in the split "
        f"({percent(report.rows_out / read)})",
        changed_in_short=_changed_in_short(report),
        contents=[one for one in _CONTENTS if has_pairs or one[0] not in ("border", "conflicts")],
        funnel_bars={
            one.stage: stacked_bar([(one.rows_kept / read, "kept"), (one.rows_dropped / read, "gone")])
            for one in report.stages
        },
        bars={
            (one.stage, reason.reason): share_bar(reason.rows / max(one.rows_dropped, 1), "gone")
            for one in report.stages
            for reason in one.reasons
        },
        too_long=sum(reason.rows for one in report.stages for reason in one.reasons if reason.reason == "too_long"),
        figures={one.template: histograms(report.scale, list(one.bins.items())) for one in report.lengths},
        share_tables=[_share_table(by, lines) for by, lines in report.shares.items() if lines],
        budget=_budget(report),
        total={name: sum(int(line[name]) for line in report.train_tokens) for name in ("rows", "prompt", "completion")},
        findings=", ".join(f"{name} {n:,}" for name, n in report.findings.items()),
        personal_words="Whether they are blanked in the data too is `[ingest] pii`."
        if any(one.mark.startswith("pii:") for one in report.marks)
        else "No row of the split bears such a mark any more.",
        review_words=_review_words(report),
        review_tables=_review_tables(report),
        proof_words=_proof_words(report),
        sides=SPLITS,
        split_tables=[(by, _split_table(table)) for by, table in report.split_tables.items()],
        came_words=_fate_words(report.changes.came_from, "new in the sources", "dropped before by"),
        went_words=_fate_words(report.changes.went_as, "no longer in the sources", "dropped now by"),
    )


def _rows(n: int, one: str, many: str) -> str:
    return f"1 row {one}" if n == 1 else f"{n:,} rows {many}"


def _changed_in_short(report: DataReport) -> str:
    change = report.changes
    if change.note:
        return change.note
    return (
        f"Since the version before: {change.came:,} came, {change.went:,} went, {change.changed:,} changed, "
        f"{change.same:,} are the same."
    )


def _share_table(by: str, lines: Sequence[Mapping[str, int | str]]) -> dict[str, Any]:
    title, names = _TITLES[by]
    columns = {"paraphrase": ("template", "paraphrase"), "source": ("source", "license")}.get(by, (by,))
    total = max(sum(int(line["rows"]) for line in lines), 1)
    shown = [
        {
            "cells": [str(line[column]) for column in columns],
            "rows": line["rows"],
            "share": int(line["rows"]) / total,
            "bar": share_bar(int(line["rows"]) / total),
        }
        for line in lines[:_MOST_LINES]
    ]
    return {"title": title, "names": names, "lines": shown, "left": max(0, len(lines) - _MOST_LINES)}


def _budget(report: DataReport) -> list[dict[str, Any]]:
    rows = max(sum(int(line["rows"]) for line in report.train_tokens), 1)
    learnt = max(sum(int(line["completion"]) for line in report.train_tokens), 1)
    return [
        {
            **line,
            "of_rows": int(line["rows"]) / rows,
            "of_learnt": int(line["completion"]) / learnt,
            "bar": share_bar(int(line["completion"]) / learnt, "completion"),
        }
        for line in sorted(report.train_tokens, key=lambda line: -int(line["completion"]))
    ]


def _review_words(report: DataReport) -> str:
    review = report.review
    if not review.answers:
        return "Nobody has answered yet. `tuneloop annotate push` sends rows to people."
    told = f"People gave {review.answers:,} answers on {_rows(review.answered, 'of these', 'of these')}."
    if not review.pairs:
        return f"{told} No row has answers by two people, so agreement cannot be told."
    return (
        f"{told} Of {review.pairs:,} pairs of answers by two people to one row {review.agreeing:,} "
        f"({percent(review.agreeing / review.pairs)}) give the same verdict. How much of that is chance, by question, "
        "template and language: `tuneloop annotate agreement`."
    )


def _review_tables(report: DataReport) -> list[dict[str, Any]]:
    sides: dict[str, dict[str, int]] = {}
    for line in report.status_by_split:
        sides.setdefault(str(line["split"]), {})[str(line["status"])] = int(line["rows"])
    ordered = {str(side): sides[side] for side in SPLITS if side in sides}
    return [
        _status_table("By template, all that came to annotate", "Template", report.review.statuses),
        _status_table("By side, in the finished split", "Side", ordered),
    ]


def _status_table(title: str, name: str, counts: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    columns = sorted({status for mine in counts.values() for status in mine})
    lines = [
        {
            "name": value,
            "counts": [mine.get(status, 0) for status in columns],
            "checked": sum(mine.get(status, 0) for status in _CHECKED) / max(sum(mine.values()), 1),
        }
        for value, mine in counts.items()
    ]
    return {"title": title, "name": name, "columns": columns, "lines": lines}


def _proof_words(report: DataReport) -> str:
    proof = report.proof
    if not proof:
        return "The record of the split holds no proof."
    return (
        f"The finished split was searched again for look-alikes across its sides, {proof['rows_searched']:,} rows at a "
        f"score of {proof['threshold']}: {proof['crossings']:,} found, {proof['groups_crossing']:,} groups and "
        f"{proof['ids_crossing']:,} ids on two sides. {proof['pairs_near']:,} pairs are near in their letters and of "
        f"another meaning (read closely: {proof['pairs_judged']:,}). Nothing ever moves from one side to "
        "another."
    )


def _split_table(table: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    lines = sorted(table.items(), key=lambda item: -item[1]["rows"])
    return [
        {
            "name": name,
            "groups": one["groups"],
            "rows": {side: one[side] for side in SPLITS},
            "shares": one["shares"],
            "off": one["off"],
            "bar": stacked_bar([(one["shares"][side], side) for side in SPLITS]),
        }
        for name, one in lines[:_MOST_LINES]
    ]


def _fate_words(fates: Mapping[str, int] | None, otherwise: str, verb: str) -> str:
    told = [
        f"{n:,} {verb} {name.partition(' ')[0]} as {name.partition(' ')[2]}"
        for name, n in (fates or {}).items()
        if name
    ]
    rest = (fates or {}).get("", 0)
    return "; ".join([*([f"{rest:,} {otherwise}"] if rest else []), *told]) + "."
