"""The files of the sample: how many rows each has, who builds them, and how they are written.

A row of a file goes from its builder through the fault planter into its writer; see the module of the
builder, such as `news_rows`, for one raw row.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from alpaca_rows import alpaca_row
from assistant_rows import assistant_row
from draft_rows import draft_row
from fault_plan import Fault
from file_writers import Opened
from name_pools import Pool
from news_rows import news_row
from phrase_rows import phrase_row
from planted_rows import RowPlanter
from product_rows import product_row
from question_rows import question_rows
from row_shape import SampleRow
from support_rows import support_row
from ticket_rows import ticket_row


@dataclass(frozen=True)
class SampleFile:
    """One file: its share of every 4,600 rows, its columns if it has any, and its builder."""

    name: str
    share: int
    columns: tuple[str, ...]
    clean: Callable[[Pool], Iterator[SampleRow]]


def _each(build: Callable[[Pool], SampleRow]) -> Callable[[Pool], Iterator[SampleRow]]:
    def rows(pool: Pool) -> Iterator[SampleRow]:
        while True:
            yield build(pool)

    return rows


FILES = (
    SampleFile("alpaca.json", 710, (), _each(alpaca_row)),
    SampleFile("news.csv", 600, ("article", "highlights", "section"), _each(news_row)),
    SampleFile("phrases.tsv", 700, ("source", "target", "source_language", "target_language"), _each(phrase_row)),
    SampleFile("tickets.jsonl", 700, (), _each(ticket_row)),
    SampleFile("products.parquet", 600, ("note", "record"), _each(product_row)),
    SampleFile("questions.jsonl.gz", 700, (), question_rows),
    SampleFile("support.jsonl", 350, (), _each(support_row)),
    SampleFile("assistant.jsonl", 200, (), _each(assistant_row)),
    SampleFile("drafts.jsonl", 40, (), _each(draft_row)),
)


def rows_by_file(rows: int) -> dict[str, int]:
    """The number of rows of each file is returned; they sum up to `rows`, and none falls as `rows` grows."""
    turns = sorted(((nth + 0.5) / file.share, file.name) for file in FILES for nth in range(file.share))
    rounds, rest = divmod(rows, len(turns))
    counts = {file.name: rounds * file.share for file in FILES}
    for _, name in turns[:rest]:
        counts[name] += 1
    return counts


def write_file(
    file: SampleFile, count: int, seed: int, folder: Path, leaks: list[SampleRow]
) -> list[dict[str, str | None]]:
    """The file stands in the folder with `count` rows; its planted faults are returned as written down."""
    pool = Pool(seed, file.name)
    planter = RowPlanter(pool, file.name, file.clean(pool), leaks)
    numbers = array("q")
    faults = []
    with Opened(folder / file.name, file.columns) as out:
        for planted in planter.rows(count):
            numbers.append(out.add(planted.fields, planted.line))
            if planted.fault is not None:
                faults.append(planted.fault)
    return [_written(file.name, numbers, fault) for fault in faults]


def _written(name: str, numbers: array[int], fault: Fault) -> dict[str, str | None]:
    return {
        "origin": f"{name}:{numbers[fault.index]}",
        "kind": fault.kind,
        "detail": fault.detail,
        "partner": None if fault.partner is None else f"{name}:{numbers[fault.partner]}",
        "truth": fault.truth,
    }
