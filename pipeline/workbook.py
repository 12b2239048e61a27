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
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from string import ascii_uppercase

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

from pipeline.csv_file import check_header
from pipeline.opening import FREE_BYTES, MAX_INFLATION
from pipeline.row import Layout, Row
from schemas import ConfigError, SourceError, nearest

MAX_CELLS = 32 << 20  # of a sheet, blank ones between others too: calamine keeps all, 32 bytes each
_LAST_ROW, _LAST_COLUMN = 1 << 20, 1 << 14  # of any sheet, as the format has it
_PLACE = rb"""\br\s*=\s*["']([A-Za-z]+)([0-9]+)["']"""
# A place that stands twice is no XML, yet calamine takes the last.
_CELL = re.compile(rb"<(?:\w+:)?c\s[^<>]*?" + _PLACE + rb"(?:[^<>]*" + _PLACE + rb")?")
_LONGEST_CELL = 4096  # bytes of the opening tag of a cell
_STEP_BYTES = 1 << 20
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # of an encrypted workbook, and of the .xls before 2007

_UNREADABLE = (CalamineError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)


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
        header: list[str] = []
        for (n, cells), covered in zip(enumerate(sheet.iter_rows(), start=1), _covered(sheet, name), strict=False):
            if n == layout.skip + 1:
                header = [_text(cell) for cell in cells]
            if n <= layout.skip + 1 or all(cell == "" for cell in cells):
                continue
            values = {column: _plain(cell) for column, cell in zip(header, cells, strict=False) if column.strip()}
            raw = json.dumps(values, ensure_ascii=False)
            merged = [
                f"{_letters(at)}{n}"
                for at, column in enumerate(header)
                if at in covered and column.strip() and (columns is None or column in columns)
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
            _check_size(packed, path.stat().st_size, name)
        with CalamineWorkbook.from_path(str(path)) as book:
            if not book.sheet_names:
                raise SourceError("the workbook has no sheet", where=name, fix="save or fetch the file again")
            yield book
    except PasswordError:
        raise SourceError(
            "the workbook is protected by a password, or is an .xls of before 2007",
            where=name,
            fix="open it, take the password off (or save it as .xlsx or .csv), and name the new file",
        ) from None
    except _UNREADABLE as error:
        raise SourceError(f"not readable as .xlsx: {error}", where=name, fix="save or fetch the file again") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of a reader written in Rust; no name to import it by
            raise
        raise SourceError(f"not readable as .xlsx: {error}", where=name, fix="save or fetch the file again") from None


def _check_size(packed: zipfile.ZipFile, packed_bytes: int, name: str) -> None:
    """Raise SourceError if a workbook inflates without end, or has cells too far apart to fit into memory."""
    size = sum(one.file_size for one in packed.infolist())
    if size > max(FREE_BYTES, MAX_INFLATION * packed_bytes):
        raise SourceError(
            f"inflates to {size >> 20:,} MiB, over {MAX_INFLATION} times its size",
            where=name,
            fix="save the sheet as .csv if you trust it, and name that file",
        )
    for one in packed.infolist():
        rows = columns = 0
        left = b""
        with packed.open(one) as member:
            while chunk := member.read(_STEP_BYTES):
                text = left + chunk
                for first, top, last, bottom in _CELL.findall(text):
                    rows = max(rows, int(top[:9]), int(bottom[:9] or b"0"))
                    columns = max(columns, _number(first[:9]), _number(last[:9]))
                left = text[-_LONGEST_CELL:]
        if rows > _LAST_ROW or columns > _LAST_COLUMN or rows * columns > MAX_CELLS:
            raise SourceError(
                f"a sheet of {rows:,} rows and {columns:,} columns, more than the {MAX_CELLS:,} cells that are read",
                where=name,
                fix="delete the cells far below or beside the others, or save the sheet as .csv and name that file",
            )


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


def _covered(sheet: CalamineSheet, name: str) -> Iterator[set[int]]:
    """Yield for each row the columns, from 0, that lie in a merge and are not its first cell.

    Raises:
        SourceError: Merges lie over each other, as no program writes them.
    """
    last_column = (sheet.end or (0, 0))[1]
    waiting = sorted(sheet.merged_cell_ranges or (), reverse=True)
    open_now: list[tuple[tuple[int, int], tuple[int, int]]] = []
    for row in range(_LAST_ROW):
        while waiting and waiting[-1][0][0] <= row:
            open_now.append(waiting.pop())
        open_now = [one for one in open_now if one[1][0] >= row]
        columns = [range(left, min(right, last_column) + 1) for (_, left), (_, right) in open_now]
        if sum(map(len, columns)) > last_column + 1:
            where = f"{name}, row {row + 1}"
            raise SourceError("merges of cells lie over each other", where=where, fix="unmerge them and save it again")
        firsts = {left for (top, left), _ in open_now if top == row}
        yield {column for these in columns for column in these} - firsts


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


def _number(letters: bytes) -> int:
    """Return the number of a column, from 1: A is 1, AA is 27."""
    number = 0
    for letter in letters.upper():
        number = 26 * number + letter - ord("A") + 1
    return number


def _letters(at: int) -> str:
    """Return the name of a column, counted from 0: A, ..., Z, AA, ..."""
    name = ""
    at += 1
    while at:
        at, last = divmod(at - 1, 26)
        name = ascii_uppercase[last] + name
    return name
