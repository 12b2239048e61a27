"""CSV that a spreadsheet opens without running anything in it.

"=1+1"    is written as  "'=1+1"
"-3"      (a text)       "'-3"
-3        (a number)     -3
"'=1+1"                  "''=1+1"

Spreadsheets take a cell that begins with one of = + - @, a tab or a carriage return for a formula (OWASP,
CSV Injection); some forget leading blanks first. An apostrophe before it makes it text. One more is put before
cells in which only apostrophes precede such a sign, so that `unescaped` gives back every text letter by letter.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from annotation.whole_file import whole_file

# The full-width signs are read as their plain ones by spreadsheets set to East Asian languages.
SIGNS = frozenset("=+-@\t\r\n＝＋－＠")
Cell = str | int | float | bool | None


def escaped(text: str) -> str:
    """Return the text with an apostrophe before it if a spreadsheet could take it for a formula."""
    return f"'{text}" if _is_dangerous(text) else text


def unescaped(cell: str) -> str:
    """Return the text that `escaped` made a cell of."""
    return cell[1:] if cell.startswith("'") and _is_dangerous(cell[1:]) else cell


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> int:
    """Write rows under a header, whole or not at all, in UTF-8; return how many.

    Texts are escaped and quoted, so that another separator splits none of them; numbers are neither; None is an
    empty cell.

    Raises:
        ConfigError: The file cannot be written.
    """
    n = 0
    with whole_file(path, newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([escaped(cell) if isinstance(cell, str) else cell for cell in row])
            n += 1
    return n


def _is_dangerous(text: str) -> bool:
    start = text.lstrip("' \u00a0\ufeff\u200b")[:1]
    return start in SIGNS and bool(start)
