"""The elements of a .json file, one at a time, so that memory holds an element and not the file.

    [{"a": 1}, {"a": 2}]                         ->   (1, '{"a": 1}') and (11, '{"a": 2}')
    {"version": 2, "data": [{"a": 1}]}           ->   (24, '{"a": 1}')

Only the bounds of each element are found here; `strict_json` judges what is inside. A file whose bounds cannot be
found is broken as a whole.
"""

import json
import re
from collections.abc import Iterator
from io import TextIOBase
from json.decoder import JSONDecodeError
from pathlib import Path
from typing import Any, NoReturn, cast

from pipeline.opening import MAX_LINE_BYTES, locate, open_text
from pipeline.strict_json import MAX_BRACKETS, SPACE
from schemas import SourceError

_CHUNK_CHARS = 1 << 20
_LONG_CHARS = 4 << 20
_NEAR_END = 16  # a number, literal or escape cut by the end of the buffer is misread this near to it at most
# Numbers stay text: one of ten million digits is the fault of its row and not of the file.
_LENIENT = json.JSONDecoder(strict=False, parse_int=str, parse_float=str)


def json_rows(path: Path, name: str, encoding: str) -> Iterator[tuple[int | None, str]]:
    """Yield byte offset (in UTF-8 only) and text of each element of the file's one list.

    Raises:
        SourceError: Broken JSON, with line and column; neither a list nor an object with exactly one list of
            objects inside; several values, as in a .jsonl file; or an element over 64 MiB.
    """
    try:
        with open_text(path, name, encoding) as file:
            scanner = _Scanner(file, name, encoding)
            if scanner.peek() == "[":
                yield from scanner.elements()
            elif scanner.peek() == "{":
                yield from _inner_list(scanner)
            else:
                scanner.fail("neither a list nor an object begins here", "a .json file holds a list of objects")
            if scanner.peek():
                scanner.fail("more text after the value", "if every line is an object, give the file the ending .jsonl")
    except UnicodeDecodeError as error:
        raise locate(path, name, encoding, error) from None


def _inner_list(scanner: "_Scanner") -> Iterator[tuple[int | None, str]]:
    """Yield the elements of the one list of objects in the object that begins here."""
    keys: list[str] = []
    found = None
    scanner.expect("{")
    while scanner.peek() != "}":
        if keys:
            scanner.expect(",")
        keys.append(scanner.value()[1])
        scanner.expect(":")
        if scanner.peek() != "[":
            scanner.value()
            continue
        for i, element in enumerate(scanner.elements()):
            if i == 0 and element[1].startswith("{"):
                if found:
                    scanner.fail(f"lists of objects under {found} and {keys[-1]}", "keep one of them in the file")
                found = keys[-1]
            if found == keys[-1]:
                yield element
    scanner.expect("}")
    if not found:
        known = ", ".join(keys[:10]) or "none"
        scanner.fail(
            f"an object without a list of objects inside; its keys: {known}",
            "put the rows in one list, or give a file of one object a line the ending .jsonl",
        )


class _Scanner:
    """A place in a JSON text that is read in chunks."""

    def __init__(self, file: TextIOBase, name: str, encoding: str) -> None:
        self._file, self._name, self._counts_bytes = file, name, encoding == "utf-8"
        self._buffer, self._pos, self._ended = "", 0, False
        self._lines, self._column = 0, 0  # of the buffer's first character, from 0
        self._counted, self._bytes = 0, 0  # bytes before the character `_counted` of the buffer

    def peek(self) -> str:
        """Return the next character that is no space, or empty text at the end."""
        while True:
            self._pos = cast(re.Match[str], SPACE.match(self._buffer, self._pos)).end()
            if self._pos < len(self._buffer) or self._ended:
                return self._buffer[self._pos : self._pos + 1]
            self._fill()

    def expect(self, character: str) -> None:
        """Step over the character, which must come next."""
        if (found := self.peek()) != character:
            instead = f"found {found!r}" if found else "the file ends"
            self.fail(f"broken JSON: expected {character!r}, {instead}")
        self._pos += 1

    def elements(self) -> Iterator[tuple[int | None, str]]:
        """Yield the elements of the list that begins here and step over its end."""
        self.expect("[")
        first = True
        while self.peek() != "]":
            if not first:
                self.expect(",")
            yield self.value()
            first = False
        self.expect("]")

    def value(self) -> tuple[int | None, str]:
        """Step over the value that comes next; return its byte offset and its text."""
        self.peek()
        while True:
            try:
                end = _LENIENT.raw_decode(self._buffer, self._pos)[1]
            except JSONDecodeError as error:
                near_end = error.pos >= len(self._buffer) - _NEAR_END
                if self._ended or not (near_end or error.msg.startswith("Unterminated string")):
                    self._pos = error.pos
                    self.fail(f"broken JSON: {error.msg}")
            except RecursionError:
                self.fail("nested too deep to be read")
            else:
                # What looks like the whole number 0 may be the 0 of a 0.5 that the buffer's end cuts.
                if self._ended or end < len(self._buffer) - _NEAR_END:
                    break
            self._fill()
        offset, text = self._offset(), self._buffer[self._pos : end]
        self._pos = end
        return offset, text

    def fail(self, what: str, fix: str = "mend the file there; an editor that knows JSON shows the place") -> NoReturn:
        """Raise SourceError at this place."""
        before = self._buffer[: self._pos]
        breaks = before.count("\n")
        column = self._pos - before.rfind("\n") if breaks else self._column + self._pos + 1
        where = f"{self._name}:{self._lines + breaks + 1} column {column}"
        raise SourceError(what, where=where, fix=fix)

    def _offset(self) -> int | None:
        if not self._counts_bytes:
            return None
        self._bytes += len(self._buffer[self._counted : self._pos].encode("utf-8"))
        self._counted = self._pos
        return self._bytes

    def _fill(self) -> None:
        """Read on, forgetting what lies behind; as much again as is pending, so that long elements stay cheap."""
        self._offset()
        gone, self._buffer = self._buffer[: self._pos], self._buffer[self._pos :]
        if len(self._buffer) > _LONG_CHARS and self._buffer.count("[") + self._buffer.count("{") > MAX_BRACKETS:
            self.fail(f"an element with more than {MAX_BRACKETS:,} lists and objects in it")
        if len(self._buffer) > MAX_LINE_BYTES:
            self.fail(f"an element longer than {MAX_LINE_BYTES >> 20} MiB, or a quote that does not close")
        if breaks := gone.count("\n"):
            self._lines, self._column = self._lines + breaks, len(gone) - gone.rfind("\n") - 1
        else:
            self._column += len(gone)
        self._pos = self._counted = 0
        chunk: Any = self._file.read(max(_CHUNK_CHARS, len(self._buffer)))
        self._ended = not chunk
        self._buffer += chunk
