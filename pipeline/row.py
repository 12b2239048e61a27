r"""A row as it stands in a file, and what it takes to read its text.

Row(n=2, offset=4, raw='"two\nlines",x'), Layout(("q", "a"), ",")   ->   {"q": "two\nlines", "a": "x"}
Row(n=7, offset=None, raw='{"q": "Who?"}'), Layout()                ->   {"q": "Who?"}
"""

import csv
from typing import Any, NamedTuple

from pipeline.strict_json import MalformedError, parse


class Row(NamedTuple):
    """A row as it stands in a file; with a reason, it cannot be used."""

    n: int
    offset: int | None
    raw: str
    reason: str | None = None
    detail: str | None = None


class Layout(NamedTuple):
    """What it takes to read the text of a row: JSON where there is no header, else cells under it.

    Attributes:
        header: Names of the columns of a csv file.
        delimiter: Between them.
        skip: Lines (of a sheet: rows) before the header.
        sheet: Of a workbook, the one to read.
    """

    header: tuple[str, ...] = ()
    delimiter: str = ","
    skip: int = 0
    sheet: str = ""


def parse_row(raw: str, layout: Layout) -> Any:  # noqa: ANN401 - a row of JSON may be any value
    """Return the value of a row's text: a dict, or whatever else stood there.

    Raises:
        MalformedError: It is not one strict JSON value, or not one record under the header.
    """
    if not layout.header:
        return parse(raw)
    try:
        (cells,) = csv.reader([raw], delimiter=layout.delimiter, strict=True)
    except (csv.Error, ValueError) as error:
        raise MalformedError(str(error)) from None
    return dict(zip(layout.header, cells, strict=True))
