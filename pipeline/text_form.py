r"""How a text file is likely written: its encoding, the delimiter of its columns, the lines before its header.

    b"Artikel;Titel\nDas M\xe4rchen;M\xe4rchen\n"   ->   TextForm(encoding="cp1252", delimiter=";", skip=0)

A guess from the file's head and from pieces of the rest; whoever uses it says so.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.opening import PACKED, likely_encodings, open_bytes

_HEAD_BYTES, _PIECE_BYTES, _PIECES = 1 << 20, 1 << 16, 16
_LINES = 100
DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class TextForm:
    """A guess at how a file is written.

    Attributes:
        encoding: As Python names it.
        others: Encodings that fit as well.
        delimiter: None where the usual one of the file's ending fits.
        skip: Lines before the header.
        notes: What looks odd, in sentences.
    """

    encoding: str = "utf-8"
    others: list[str] = field(default_factory=list)
    delimiter: str | None = None
    skip: int = 0
    notes: list[str] = field(default_factory=list)


def text_form_of(path: Path, *, is_table: bool, encoding: str | None = None, delimiter: str | None = None) -> TextForm:
    """Return how a text file is likely written; what is given is taken as it is."""
    encodings = [encoding] if encoding else _encodings(path)
    if not is_table:
        return TextForm(encodings[0], encodings[1:])
    with open_bytes(path) as file:
        head = file.read(_HEAD_BYTES).decode(encodings[0], "replace").removeprefix("\ufeff")
    usual = "\t" if ".tsv" in path.name.lower() else ","
    found = delimiter or _delimiter(head, usual)
    skip, notes = _before_header(_records(head, found))
    return TextForm(encodings[0], encodings[1:], None if found == usual else found, skip, notes)


def _encodings(path: Path) -> list[str]:
    """Return the likely encodings, UTF-8 alone where all that was looked at is UTF-8."""
    odd = b""
    for piece in _pieces(path):
        if likely := likely_encodings(piece) if piece[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in piece else []:
            return likely
        for line in piece.split(b"\n")[:-1] or [piece]:
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                odd += line + b"\n"
    return (likely_encodings(odd) or ["utf-8"]) if odd else ["utf-8"]


def _pieces(path: Path) -> list[bytes]:
    """Return the head of a file, and pieces of the rest where it can be reached; each begins at a line."""
    with open_bytes(path) as file:
        head = file.read(_HEAD_BYTES)
        if path.suffix.lower() in PACKED or len(head) < _HEAD_BYTES:
            return [head]
        found, n_bytes = [head], path.stat().st_size
        for n in range(1, _PIECES + 1):
            file.seek(max(n_bytes * n // _PIECES - _PIECE_BYTES, 0))
            found.append(file.read(_PIECE_BYTES).partition(b"\n")[2])
    return found


def _records(head: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Return the first records with the lines before each; blank lines are none."""
    found: list[tuple[int, list[str]]] = []
    reader, before = csv.reader(head.splitlines(keepends=True)[:_LINES], delimiter=delimiter), 0
    try:
        for cells in reader:
            if cells:
                found.append((before, cells))
            before = reader.line_num
    except csv.Error:
        return []
    return found


def _delimiter(head: str, usual: str) -> str:
    """Return the delimiter that parts most records into equally many columns, at least two."""
    best, most = usual, (0.0, 0)
    for mark in (usual, *(mark for mark in DELIMITERS if mark != usual)):
        widths = Counter(len(cells) for _, cells in _records(head, mark))
        if not widths:
            continue
        width, n = widths.most_common(1)[0]
        share = n / widths.total()
        if width > 1 and (share, width) > most:
            best, most = mark, (share, width)
    return best


def _before_header(records: Sequence[tuple[int, list[str]]]) -> tuple[int, list[str]]:
    """Return how many lines stand before the header, and what looks like a second one."""
    if not records:
        return 0, []
    width = Counter(len(cells) for _, cells in records).most_common(1)[0][0]
    whole = (n for n, (_, cells) in enumerate(records[:10]) if len(cells) == width and all(map(str.strip, cells)))
    at = next(whole, 0)
    skip, header = records[at] if at else (0, records[0][1])
    notes = []
    if skip:
        notes.append(f"the header seems to be line {skip + 1}: the lines before it have other columns")
    rest = [cells for _, cells in records[at + 1 :]]
    if header in rest:
        notes.append("the header stands a second time below; such rows are dropped as header_again")
    elif rest and _looks_like_header(rest[0], rest[1:]):
        notes.append(
            f"line {skip + 2} looks like a second header ({', '.join(rest[0])[:60]}); if it is one, "
            "drop it: where, or a clean function"
        )
    return skip, notes


def _looks_like_header(cells: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Whether a row holds no number where nearly all rows below do."""
    for at, cell in enumerate(cells):
        column = [row[at] for row in others if at < len(row) and row[at].strip()]
        numbers = sum(_is_number(text) for text in column)
        if len(column) >= 3 and numbers >= 0.9 * len(column) and cell.strip() and not _is_number(cell):
            return True
    return False


def _is_number(text: str) -> bool:
    try:
        float(text.strip().replace(",", "."))
    except ValueError:
        return False
    return True
