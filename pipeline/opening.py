r"""Source files opened: compressed or not, in any encoding, line by line, with nothing replaced in silence.

b'\xef\xbb\xbf{"a": 1}\n{"a": "caf\xe9"}\n'   ->   Line(1, 3, '{"a": 1}\n', "")
                                                   Line(2, 12, '{"a": "caf\\xe9"}\n', "byte 0xe9 ... not utf-8")
"""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import zstandard

from schemas import SourceError

MAX_LINE_BYTES = 64 << 20
MAX_INFLATION = 200  # text packs 3 to 20 times; only repetition made on purpose goes beyond this
FREE_BYTES = 256 << 20  # small files may inflate to this whatever their ratio
PACKED = {".gz": "gzip -t", ".zst": "zstd -t"}  # endings of compressed files, with what tests one
_HEAD_BYTES = 4096
# Zeros pack 32,768 times: what one step inflates to must stay small.
_PACKED_STEP_BYTES = 2048
_BLANKS = b" \t\r\n"
_BLANK_LINES = re.compile(rb"[ \t\r\n]*\n")
_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


class Line(NamedTuple):
    """A physical line.

    Attributes:
        n: From 1.
        offset: Byte where it starts in the decompressed file; None in encodings of two bytes a character.
        text: With its line end; undecodable bytes as backslash escapes; cut short if it is too long.
        problem: Why it cannot be used, or empty.
    """

    n: int
    offset: int | None
    text: str
    problem: str


def open_bytes(path: Path) -> io.BufferedReader:
    """Return the file's bytes, decompressed if its name ends in .gz or .zst.

    Raises:
        SourceError: Not readable; while reading: damaged or cut short, or inflating beyond `MAX_INFLATION` times
            its size and `FREE_BYTES`.
    """
    try:
        if path.suffix.lower() in PACKED:
            return io.BufferedReader(_Inflated(path), buffer_size=1 << 18)
        return path.open("rb")
    except OSError as error:
        raise SourceError(
            f"cannot be opened: {error.strerror}",
            where=str(path),
            fix="make the file readable, or mend `path`",
        ) from error


def lines(path: Path, name: str, encoding: str, *, forgiving: bool = True, with_blank: bool = True) -> Iterator[Line]:
    """Yield every physical line, ended by a line feed; a byte order mark at the start is taken off.

    Args:
        path: The file.
        name: The file as a person would write it, for errors.
        encoding: As Python names it.
        forgiving: Yield lines that do not decode with their problem, up to a point.
        with_blank: Yield lines of nothing but spaces, tabs and line ends; else they are counted, and some are left out.

    Raises:
        SourceError: The file as a whole is in another encoding: its head says so, or three lines with non-ASCII
            bytes and more than half of all such lines do not decode, or one where it is not forgiving.
    """
    check_head(path, name, encoding)
    if not splits_at_bytes(encoding):
        yield from _wide_lines(path, name, encoding)
        return
    offset, bad, good = 0, 0, 0
    first_bad: SourceError | None = None
    with open_bytes(path) as file:
        n = 0
        while data := file.readline(MAX_LINE_BYTES + 1):
            n, start, offset = n + 1, offset, offset + len(data)
            if len(data) > MAX_LINE_BYTES:
                offset += _skip_line(file, data)
                yield Line(n, start, data[:1024].decode(encoding, "backslashreplace"), _TOO_LONG)
                continue
            if not with_blank and not data.strip(_BLANKS):
                blank = _take_blank_lines(file)
                n, offset = n + blank.count(b"\n"), offset + len(blank)
                continue
            if n == 1 and data.startswith(b"\xef\xbb\xbf") and encoding == "utf-8":
                data, start = data[3:], 3
            try:
                text = data.decode(encoding)
            except UnicodeDecodeError as error:
                bad += 1
                problem = _undecodable(error, encoding)
                first_bad = first_bad or encoding_error(name, n, problem, data, encoding)
                if not forgiving:
                    raise first_bad from None
                yield Line(n, start, data.decode(encoding, "backslashreplace"), problem)
            else:
                good += not text.isascii()
                yield Line(n, start, text, "")
            if bad >= 3 and bad > good and first_bad:
                raise first_bad


def open_text(path: Path, name: str, encoding: str) -> io.TextIOWrapper:
    """Return the file as text, line ends untouched; decoding errors are `UnicodeDecodeError` (see `locate`)."""
    check_head(path, name, encoding)
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="")


def locate(path: Path, name: str, encoding: str, error: UnicodeDecodeError) -> SourceError:
    """Return the error that names the first line of the file that does not decode."""
    if splits_at_bytes(encoding):
        with open_bytes(path) as file:
            for n, data in enumerate(file, start=1):
                try:
                    data.decode(encoding)
                except UnicodeDecodeError as found:
                    return encoding_error(name, n, _undecodable(found, encoding), data, encoding)
    return encoding_error(name, 1, _undecodable(error, encoding), bytes(error.object[:_HEAD_BYTES]), encoding)


def encoding_error(name: str, n: int, problem: str, sample: bytes, encoding: str) -> SourceError:
    """Return the error for a file that is not in the encoding it was read in, with the line to paste."""
    likely = [candidate for candidate in likely_encodings(sample) if candidate != encoding]
    fix = "save it as UTF-8, or give the source its `encoding`"
    if likely:
        others = f" (or {', '.join(likely[1:])})" if likely[1:] else ""
        fix = f'add to the source: encoding = "{likely[0]}"{others}; look at the text it gives'
    return SourceError(f"not {encoding}: {problem}", where=f"{name}:{n}", fix=fix)


def likely_encodings(sample: bytes) -> list[str]:
    """Return the encodings these bytes may be in, likeliest first; empty if none is likely.

    Western text has single high bytes among letters; East Asian and Cyrillic text has runs of them.
    """
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return [encoding]
    if (nul := sample.count(0)) > len(sample) // 5:
        # Half the bytes of Latin text in UTF-16 are zero, at odd places when the low byte comes first.
        return ["utf-16-le" if sample[1::2].count(0) > nul // 2 else "utf-16-be"]
    high = [byte > 127 for byte in sample]
    runs = sum(now and not before for before, now in zip([False, *high], high, strict=False))
    western = sum(high) < 2 * runs
    order = ["cp1252", "iso8859-1"] if western else ["gb18030", "shift_jis", "euc_kr", "cp1251", "cp1252"]
    return [encoding for encoding in order if _decodes(sample, encoding)][:3]


def check_head(path: Path, name: str, encoding: str) -> None:
    """Raise SourceError if the file is read as UTF-8 and its first bytes are plainly UTF-16 or UTF-32."""
    if encoding != "utf-8":
        return
    with open_bytes(path) as file:
        head = file.read(_HEAD_BYTES)
    marked = any(head.startswith(mark) for mark, _ in _MARKS)
    if marked or head.count(0) > max(len(head) // 5, 8):
        problem = "it begins with another byte order mark" if marked else "every other byte is zero"
        raise encoding_error(name, 1, problem, head, encoding)


def splits_at_bytes(encoding: str) -> bool:
    """Whether a line ends at the byte 0x0A in this encoding, as in all but UTF-16, UTF-32 and EBCDIC."""
    return "\n".encode(encoding) == b"\n"


class _ZstdFile:
    """The decompressed bytes of a .zst file of one frame or more; unlike zstandard's own reader it sees a cut end."""

    def __init__(self, path: Path) -> None:
        self._file, self._made = path.open("rb"), memoryview(b"")
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._packed = b""

    def read1(self, size: int) -> bytes:
        """Return at most so many bytes, none at the end."""
        while not self._made:
            self._packed = self._packed or self._file.read(_PACKED_STEP_BYTES)
            if not self._packed:
                if not self._frame.eof:
                    raise EOFError("the last frame does not end")
                return b""
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._made = memoryview(self._frame.decompress(self._packed))
            self._packed = self._frame.unused_data if self._frame.eof else b""
        data, self._made = self._made[:size], self._made[size:]
        return bytes(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Inflated(io.RawIOBase):
    """The decompressed bytes of a .gz or .zst file, up to a limit."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self._read = path, 0
        self._limit = max(FREE_BYTES, MAX_INFLATION * path.stat().st_size)
        is_zst = path.suffix.lower() == ".zst"
        self._file = _ZstdFile(path) if is_zst else gzip.open(path, "rb")  # noqa: SIM115 - closed by close()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer)).cast("B")
        try:
            data = self._file.read1(len(view))
        except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
            raise SourceError(
                f"damaged or cut short: {error}",
                where=str(self._path),
                fix=f"fetch the file again; test: {PACKED[self._path.suffix.lower()]}",
            ) from error
        self._read += len(data)
        if self._read > self._limit:
            raise SourceError(
                f"inflates to more than {self._limit >> 20} MiB, {MAX_INFLATION} times its size",
                where=str(self._path),
                fix="decompress it yourself if you trust it, and name the plain file",
            )
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _wide_lines(path: Path, name: str, encoding: str) -> Iterator[Line]:
    with io.TextIOWrapper(open_bytes(path), encoding=encoding, newline="\n") as file:
        n = 0
        try:
            while text := file.readline(MAX_LINE_BYTES + 1):
                n += 1
                if len(text) > MAX_LINE_BYTES:
                    while text and not text.endswith("\n"):
                        text = file.readline(1 << 20)
                    yield Line(n, None, "", _TOO_LONG)
                else:
                    yield Line(n, None, text, "")
        except UnicodeDecodeError as error:
            raise locate(path, name, encoding, error) from None


def _skip_line(file: io.BufferedReader, data: bytes) -> int:
    """Read up to the end of the line that `data` begins; return how many bytes that were."""
    skipped = 0
    while data and not data.endswith(b"\n"):
        data = file.readline(1 << 20)
        skipped += len(data)
    return skipped


def _take_blank_lines(file: io.BufferedReader) -> bytes:
    """Read the blank lines that stand next in the buffer: a bomb of line feeds must not cost a step for each."""
    found = _BLANK_LINES.match(file.peek())
    return file.read(found.end()) if found else b""


def _undecodable(error: UnicodeDecodeError, encoding: str) -> str:
    likely = [name for name in likely_encodings(bytes(error.object)) if name != encoding]
    guess = f"; it may be {likely[0]}" if likely else ""
    return f"byte 0x{error.object[error.start]:02x} at byte {error.start} of the line is not {encoding}{guess}"


def _decodes(sample: bytes, encoding: str) -> bool:
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError:
        return False
    return not any("\x80" <= character < "\xa0" for character in text)


_TOO_LONG = f"longer than {MAX_LINE_BYTES >> 20} MiB; only its beginning is kept"
