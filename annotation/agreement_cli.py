"""`tuneloop annotate agreement`: how far people agree, and who needs a talk."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from annotation.agreement import Line, agreement, comparable, strata_of
from annotation.annotator_quality import Quality, annotator_quality
from annotation.safe_csv import Cell, write_csv
from pipeline.annotations import annotation_files, pseudonyms, read_annotations
from pipeline.recipe import load_recipe
from schemas import AnnotationError

_COLUMNS = (
    "template", "language", "question", "measure", "items", "answers", "value", "low", "high", "same", "why",
    "annotator", "other_annotator", "flag",
)  # fmt: skip


def agreement_command(
    *,
    recipe: Annotated[Path | None, Parameter(help="recipe file; the sample recipe if left out")] = None,
    data_root: Annotated[Path, Parameter(help="folder of the store")] = Path("data"),
    kappa: Annotated[bool, Parameter(help="also Cohen's kappa of each two people")] = False,
    csv: Annotated[Path | None, Parameter(help="also write it all to this CSV file")] = None,
) -> None:
    """Print how far people agree on each question, by template and language, and how each person's answers compare.

    Example: tuneloop annotate agreement --csv agreement.csv
    """
    read = load_recipe(recipe)
    files = annotation_files(data_root)
    answers = read_annotations(files.values())
    if not answers:
        raise AnnotationError(
            "there are no answers yet",
            where=str(data_root / "annotations"),
            fix="bring some in by `tuneloop annotate import` or `tuneloop annotate pull`, or name another --data-root",
        )
    names = pseudonyms(files.values())
    strata = strata_of(data_root, read.name, answers)
    lines = agreement(answers, strata, same_edit_chrf=read.annotate.same_edit_chrf, kappa=kappa)
    people = annotator_quality(answers)
    n = sum(map(len, comparable(answers)))
    _say(
        f"{n:,} of {len(answers):,} answers counted; left out: earlier answers of the same person, adjudicators, "
        "unsure ones, practice"
    )
    if not strata:
        _say(f"recipe {read.name!r} has no data under {data_root} that these answers are about: no templates")
    for line in [*_table(lines, names), "", *_people_table(people, names)]:
        sys.stdout.write(line.rstrip() + "\n")
    if csv is not None:
        _write(csv, lines, people, names)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _table(lines: Sequence[Line], names: Mapping[str, str]) -> Iterator[str]:
    """Yield agreement by question, the kappas of two people under theirs."""
    rows = [("template", "language", "question", "items", "answers", "value", "95 %", "same", "measure")]
    for line in lines:
        found = line.agreement
        told = line.measure if found.value is not None else f"{line.measure}: {found.why}"
        rows.append(
            (
                line.stratum.template,
                line.stratum.language or "",
                line.question,
                f"{found.n_items:,}",
                f"{found.n_answers:,}",
                _number(found.value),
                _interval(found.low, found.high),
                _number(found.same),
                told,
            )
        )
        for (one, other), kappa in line.kappas.items():
            pair = "  " + " and ".join(sorted((names.get(one, "?"), names.get(other, "?")), key=_order))
            told = "Cohen's kappa" if kappa.value is not None else f"Cohen's kappa: {kappa.why}"
            counts = (f"{kappa.n_items:,}", f"{kappa.n_answers:,}")
            rows.append(("", "", pair, *counts, _number(kappa.value), "", _number(kappa.same), told))
    yield from _aligned(rows, numbers=(3, 4, 5, 6, 7))


def _people_table(people: Sequence[Quality], names: Mapping[str, str]) -> Iterator[str]:
    """Yield how each person's verdicts compare with the others'."""
    rows = [("person", "answers", "accepts", "items", "agrees", "by chance", "skill", "flag")]
    for one in sorted(people, key=lambda one: _order(names.get(one.annotator, "?"))):
        rows.append(
            (
                names.get(one.annotator, "?"),
                f"{one.answers:,}",
                _number(one.accept_rate),
                f"{one.items:,}",
                _number(one.agrees),
                _number(one.by_chance),
                _number(one.skill),
                one.flag or (f"not judged: {one.why_not}" if one.why_not else ""),
            )
        )
    yield from _aligned(rows, numbers=(1, 2, 3, 4, 5, 6))


def _order(pseudonym: str) -> tuple[int, str]:
    """Return what sorts a2 before a10."""
    return len(pseudonym), pseudonym


def _aligned(rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if at in numbers else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{low:.2f} to {high:.2f}"


def _write(path: Path, lines: Sequence[Line], people: Sequence[Quality], names: Mapping[str, str]) -> None:
    """Write the CSV file: a line a question, a pair of people, or a person.

    Raises:
        ConfigError: The file cannot be written.
    """
    n = write_csv(path, _COLUMNS, [*_question_cells(lines, names), *_person_cells(people, names)])
    _say(f"{n:,} lines written to {path}")


def _question_cells(lines: Sequence[Line], names: Mapping[str, str]) -> Iterator[list[Cell]]:
    for line in lines:
        start: list[Cell] = [line.stratum.template, line.stratum.language, line.question]
        one = line.agreement
        counts: list[Cell] = [one.n_items, one.n_answers, one.value, one.low, one.high, one.same, one.why]
        yield [*start, line.measure, *counts, None, None, None]
        for (left, right), of_two in line.kappas.items():
            counts = [of_two.n_items, of_two.n_answers, of_two.value, None, None, of_two.same, of_two.why]
            pair = sorted((names.get(left, "?"), names.get(right, "?")), key=_order)
            yield [*start, "Cohen's kappa", *counts, *pair, None]


def _person_cells(people: Sequence[Quality], names: Mapping[str, str]) -> Iterator[list[Cell]]:
    for one in people:
        counts: list[Cell] = [one.items, one.answers, one.skill, None, None, one.agrees, one.why_not]
        yield [None, None, "verdict", "skill against the others", *counts, names.get(one.annotator), None, one.flag]
