"""CSV files that a spreadsheet opens as text, whatever people have written into them.

    =HYPERLINK("http://...")   is written   '=HYPERLINK("http://...")
    -0.33, a number            is written   -0.33

A spreadsheet takes a text that starts with = + - @ or a tab for a formula; a leading apostrophe makes it a text.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
Cell = str | int | float | None


def safe(cell: Cell) -> Cell:
    """Return a cell that no spreadsheet takes for a formula; numbers stay as they are."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_STARTS) else cell


def write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> int:
    """Write a CSV file, UTF-8 with a byte order mark so that spreadsheets read it so, and return its rows.

    Raises:
        OSError: The file cannot be written.
    """
    n = 0
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.writer(file)
        out.writerow(names)
        for row in rows:
            out.writerow([safe(cell) for cell in row])
            n += 1
    return n
