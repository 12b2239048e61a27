r"""Rows of .xlsx workbooks: one sheet, a header row, every row below it as JSON text.

    sheet "Texts", row 1: article | summary | day      (the header)
                   row 2: Rain.   | It rained. | 2024-05-06
    ->  Row(n=2, offset=None, raw='{"article": "Rain.", "summary": "It rained.", "day": "2024-05-06"}')

Whole numbers have no point, dates and times are ISO 8601, a formula is the value the workbook was saved with. An empty
cell is null, and so is one that holds an error such as #N/A. Merged cells have their value in the first one alone, so
a row with a needed cell inside a merge cannot be used.
"""

import datetime
import json
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from string import ascii_uppercase

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

from pipeline.csv_file import check_header
from pipeline.opening import FREE_BYTES, MAX_INFLATION
from pipeline.row import Layout, Row
from schemas import ConfigError, SourceError, nearest

_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # of an encrypted workbook, and of the .xls before 2007


def sheet_names(path: Path, name: str) -> list[str]:
    """Return the names of a workbook's sheets in order.

    Raises:
        SourceError: It cannot be read: damaged, protected by a password, or inflating without end.
    """
    with _opened(path, name) as book:
        return list(book.sheet_names)


def sheet_layout(path: Path, name: str, skip: int, sheet: str | None) -> Layout:
    """Return the header of a sheet, the first one if none is named.

    Raises:
        ConfigError: There is no such sheet.
        SourceError: The workbook cannot be read, or the sheet has no header or one with a name twice.
    """
    with _opened(path, name) as book:
        if sheet is not None and sheet not in book.sheet_names:
            raise ConfigError(f"no sheet {sheet!r}", where=name, fix=nearest(sheet, book.sheet_names))
        chosen = sheet or book.sheet_names[0]
        n = _header_at(book.get_sheet_by_name(chosen), skip)
        where = f"{name}, sheet {chosen!r}"
        if n is None:
            others = ", ".join(repr(other) for other in book.sheet_names if other != chosen)
            fix = f"name another sheet: sheet = ...; there is {others}" if others else "put rows in it"
            raise SourceError("the sheet is empty", where=where, fix=fix)
        check_header(_cells(book.get_sheet_by_name(chosen), n), f"{where}, row {n}", "row")
    return Layout(skip=n - 1, sheet=chosen)


def sheet_rows(path: Path, name: str, layout: Layout, columns: Collection[str] | None) -> Iterator[Row]:
    """Yield the rows below the header; `n` is the row's number as the workbook shows it, blank rows are none.

    Args:
        path: The workbook.
        name: As a person would write it.
        layout: From `sheet_layout`.
        columns: All that will be looked at, None for all: what else a merge covers costs no row.

    Raises:
        SourceError: The workbook cannot be read.
    """
    with _opened(path, name) as book:
        sheet = book.get_sheet_by_name(layout.sheet)
        covered = _covered(sheet)
        header: list[str] = []
        for n, cells in enumerate(sheet.iter_rows(), start=1):
            if n == layout.skip + 1:
                header = [_text(cell) for cell in cells]
            if n <= layout.skip + 1 or all(cell == "" for cell in cells):
                continue
            values = {column: _plain(cell) for column, cell in zip(header, cells, strict=False) if column.strip()}
            raw = json.dumps(values, ensure_ascii=False)
            merged = [
                f"{_letters(at)}{n}"
                for at, column in enumerate(header)
                if (n - 1, at) in covered and column.strip() and (columns is None or column in columns)
            ]
            if merged:
                detail = f"{', '.join(merged)} lies in a merge of cells and has no value; unmerge and fill it"
                yield Row(n, None, raw, "malformed", detail)
            elif [_text(cell) for cell in cells] == header:
                yield Row(n, None, raw, "header_again", "the header stands here once more")
            else:
                yield Row(n, None, raw)


@contextmanager
def _opened(path: Path, name: str) -> Iterator[CalamineWorkbook]:
    try:
        with path.open("rb") as file:
            is_locked = file.read(len(_OLD_OFFICE)) == _OLD_OFFICE
        if is_locked:
            raise PasswordError("encrypted")
        with zipfile.ZipFile(path) as packed:
            size = sum(one.file_size for one in packed.infolist())
        if size > max(FREE_BYTES, MAX_INFLATION * path.stat().st_size):
            raise SourceError(
                f"inflates to {size >> 20:,} MiB, over {MAX_INFLATION} times its size",
                where=name,
                fix="save the sheet as .csv if you trust it, and name that file",
            )
        with CalamineWorkbook.from_path(str(path)) as book:
            yield book
    except PasswordError:
        raise SourceError(
            "the workbook is protected by a password, or is an .xls of before 2007",
            where=name,
            fix="open it, take the password off (or save it as .xlsx or .csv), and name the new file",
        ) from None
    except (CalamineError, zipfile.BadZipFile, OSError) as error:
        raise SourceError(f"not readable as .xlsx: {error}", where=name, fix="save or fetch the file again") from error


def _header_at(sheet: CalamineSheet, skip: int) -> int | None:
    """Return the number of the first row after `skip` that is not blank."""
    for n, cells in enumerate(sheet.iter_rows(), start=1):
        if n > skip and any(cell != "" for cell in cells):
            return n
    return None


def _cells(sheet: CalamineSheet, n: int) -> list[str]:
    for at, cells in enumerate(sheet.iter_rows(), start=1):
        if at == n:
            return [_text(cell) for cell in cells]
    return []


def _covered(sheet: CalamineSheet) -> set[tuple[int, int]]:
    """Return row and column, from 0, of every cell inside a merge but its first; only where the sheet has cells."""
    last_row, last_column = sheet.end or (0, 0)
    return {
        (row, column)
        for (top, left), (bottom, right) in sheet.merged_cell_ranges or ()
        for row in range(top, min(bottom, last_row) + 1)
        for column in range(left, min(right, last_column) + 1)
        if (row, column) != (top, left)
    }


def _plain(cell: object) -> object:
    """Return a cell as JSON has it."""
    if cell == "":
        return None
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    return str(cell) if isinstance(cell, datetime.timedelta) else cell


def _text(cell: object) -> str:
    value = _plain(cell)
    return "" if value is None else str(value)


def _letters(at: int) -> str:
    """Return the name of a column, counted from 0: A, ..., Z, AA, ..."""
    name = ""
    at += 1
    while at:
        at, last = divmod(at - 1, 26)
        name = ascii_uppercase[last] + name
    return name
