"""Texts taken apart into words, as hashes, by a compiled kernel over Arrow's buffers.

    "Tom's three cats, 1,000 mice - 5%?"  ->  toms 3 cats 1000 mice - 5 %

A token is a word or a number, one character in scripts without blanks, or a sign of arithmetic beside a digit; other
punctuation is none, so that markup and typography hide nothing.
"""

from typing import NamedTuple
from unicodedata import category

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

# English only: what a text in another language says in words is a word there.
NUMERALS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11,
    "twelve": 12, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "hundred": 100, "thousand": 1000,
}  # fmt: skip

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Bytes = NDArray[np.uint8]

_WORD, _DIGIT, _ALONE, _SIGN = 1, 2, 3, 4
_OFFSET, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a
_SIGNS = "+-*/=<>%^−×÷"
_N_CLASSES = 0x20000  # beyond lie more Han characters
# Han, kana, Thai, Lao, Burmese and Khmer write without blanks.
_UNSPACED = ((0xE00, 0xEFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF))


class Tokens(NamedTuple):
    """The tokens of texts as hashes, one text after the other; the lowest bit says that a token is a number."""

    hashes: Hashes
    starts: Ints

    def counts(self) -> Ints:
        """Return the number of tokens of each text."""
        return np.diff(self.starts)


def tokens_of(texts: pa.LargeStringArray) -> Tokens:
    """Return the tokens of `normal` texts, none of them null."""
    if not len(texts):
        return Tokens(np.zeros(0, np.uint64), np.zeros(1, np.int64))
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int64, len(texts) + 1, 8 * texts.offset)
    whole = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
    return Tokens(*_tokenised(whole, bounds, _CLASSES, _NUMERALS))


def ends_with(rows: Tokens, row: Ints, texts: Tokens, text: Ints, spare: int) -> NDArray[np.bool_]:
    """Return for each pair whether the text stands at the row's end, with at most `spare` tokens after it."""
    found: NDArray[np.bool_] = _ends_with(rows.hashes, rows.starts, row, texts.hashes, texts.starts, text, spare)
    return found


def _class(code: int) -> int:
    if any(low <= code <= high for low, high in _UNSPACED):
        return _ALONE
    if chr(code) in _SIGNS:
        return _SIGN
    kind = category(chr(code))
    return _DIGIT if kind == "Nd" else _WORD if kind[0] in "LMN" else 0


def _hash(word: str) -> int:
    """Return the hash that the kernel gives a word."""
    value = int(_OFFSET)
    for letter in word:
        value = (value ^ ord(letter)) * int(_PRIME) & 0xFFFFFFFFFFFFFFFF
    return value


_NUMERALS = np.array([(_hash(word), _hash(str(number))) for word, number in NUMERALS.items()], np.uint64)
_CLASSES = np.array([_class(code) for code in range(_N_CLASSES)], np.uint8)


@njit(cache=True, nogil=True)
def _is_digit(byte: int) -> bool:
    return 48 <= byte <= 57


@njit(cache=True, nogil=True)
def _beside_digit(data: Bytes, start: int, stop: int, at: int, after: int) -> bool:
    """Whether a digit stands before `at` or from `after` on, at most one blank between."""
    before = at - 1
    if before >= start and data[before] == 32:
        before -= 1
    if after < stop and data[after] == 32:
        after += 1
    return (before >= start and _is_digit(data[before])) or (after < stop and _is_digit(data[after]))


@njit(cache=True, nogil=True)
def _decoded(data: Bytes, at: int) -> tuple[int, int]:
    """Return the character that begins at a byte, and where the next one does."""
    byte = int(data[at])
    if byte < 0x80:
        return byte, at + 1
    if byte < 0xE0:
        return (byte & 31) << 6 | data[at + 1] & 63, at + 2
    if byte < 0xF0:
        return (byte & 15) << 12 | (data[at + 1] & 63) << 6 | data[at + 2] & 63, at + 3
    return (byte & 7) << 18 | (data[at + 1] & 63) << 12 | (data[at + 2] & 63) << 6 | data[at + 3] & 63, at + 4


@njit(cache=True, nogil=True)
def _goes_on(data: Bytes, start: int, stop: int, at: int, after: int, code: int) -> int:
    """Return 1 for the point in "3.5" or "1,5", 2 for the apostrophe in "tom's" and the comma in "1,000", else 0."""
    if after >= stop or at == start:
        return 0
    if code == 0x2E or code == 0x2C:
        n_digits = 0
        while after + n_digits < stop and n_digits < 4 and _is_digit(data[after + n_digits]):
            n_digits += 1
        if n_digits == 0 or not _is_digit(data[at - 1]):
            return 0
        return 2 if code == 0x2C and n_digits == 3 else 1
    if code == 0x27 or code == 0x2019:
        return 2 if data[after] != 0x20 else 0
    return 0


@njit(cache=True, nogil=True)
def _tokenised(data: Bytes, bounds: Ints, classes: Bytes, numerals: Hashes) -> tuple[Hashes, Ints]:
    tokens = np.empty(bounds[-1] - bounds[0], np.uint64)
    starts = np.zeros(len(bounds), np.int64)
    n = 0
    for row in range(len(bounds) - 1):
        start, stop = bounds[row], bounds[row + 1]
        at, is_open, is_number, word = start, False, False, _OFFSET
        while at < stop:
            code, after = _decoded(data, at)
            kind = classes[code] if code < len(classes) else _ALONE
            inside = _goes_on(data, start, stop, at, after, code) if is_open else 0
            if kind == _WORD or kind == _DIGIT or inside == 1:  # noqa: SIM109
                if not is_open:
                    is_open, is_number, word = True, kind == _DIGIT, _OFFSET
                word = (word ^ np.uint64(code)) * _PRIME
            elif inside == 0:
                if is_open:
                    tokens[n] = _ended(word, is_number, numerals)
                    n, is_open = n + 1, False
                if kind == _ALONE or (kind == _SIGN and _beside_digit(data, start, stop, at, after)):
                    tokens[n] = _token(np.uint64(code), False)
                    n += 1
            at = after
        if is_open:
            tokens[n] = _ended(word, is_number, numerals)
            n += 1
        starts[row + 1] = n
    return tokens[:n].copy(), starts


@njit(cache=True, nogil=True)
def _ended(word: np.uint64, is_number: bool, numerals: Hashes) -> np.uint64:
    """Return the token of a word; "three" is 3."""
    if not is_number:
        for at in range(numerals.shape[0]):
            if numerals[at, 0] == word:
                return _token(numerals[at, 1], True)
    return _token(word, is_number)


@njit(cache=True, nogil=True)
def _token(value: np.uint64, is_number: bool) -> np.uint64:
    """Return a well scattered hash (the finisher of SplitMix64), its lowest bit set for a number."""
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    value ^= value >> np.uint64(31)
    return value & ~np.uint64(1) | np.uint64(is_number)


@njit(cache=True, nogil=True)
def _ends_with(
    tokens: Hashes, starts: Ints, row: Ints, others: Hashes, other_starts: Ints, other: Ints, spare: int
) -> NDArray[np.bool_]:
    found = np.zeros(len(row), np.bool_)
    for pair in range(len(row)):
        start, stop = other_starts[other[pair]], other_starts[other[pair] + 1]
        n, low, high = stop - start, starts[row[pair]], starts[row[pair] + 1]
        if n:
            for at in range(max(low, high - n - spare), high - n + 1):
                if np.all(tokens[at : at + n] == others[start:stop]):
                    found[pair] = True
    return found
