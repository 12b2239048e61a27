"""Pairs of texts whose likeness can be told without taking them apart, compiled, over Arrow's buffers.

    name a city in peru | name a fruit in peru   -> OTHER: "fruit" is no form of any word there
    name a city!        | name a city            -> SAME: the words are equal
    name a city         | name a big city        -> undecided: `pipeline.difference` looks closer

It never says anything but what `pipeline.difference` would.
"""

from functools import cache

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from pipeline.hashing import Ints, buffers
from pipeline.slips import misspelt
from pipeline.vocabulary import all_phrases, languages

UNDECIDED = -1
_OTHER, _SAME = 0, 2
_LONG_BYTES = 400  # a text over 400 characters has more bytes than that
_MOST_WORDS, _WORDS_EACH = 5, 50
_A, _B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_S29, _S31 = np.uint64(29), np.uint64(31)
_BREAK, _LETTER, _DIGIT, _JOINER, _FOREIGN = 0, 1, 2, 3, 4

Bytes = NDArray[np.uint8]


def _kinds() -> Bytes:
    """Return the kind of every byte: what a run of word bytes is made of."""
    kinds = np.zeros(256, np.uint8)
    for byte in range(128):
        letter = chr(byte)
        kinds[byte] = (
            _LETTER if letter.isalpha() else _DIGIT if letter.isdigit() else _JOINER if letter in "'-_" else _BREAK
        )
    kinds[128:] = _FOREIGN
    return kinds


_KINDS = _kinds()


@cache
def listed_words() -> NDArray[np.uint64]:
    """Return a hash table of the words that may come, go or stand for others in some language; 0 is an empty slot."""
    found: set[str] = set()
    for words in languages():
        found |= (
            words.articles
            | misspelt(words.articles)
            | words.particles
            | words.addressed
            | set(words.forms)
            | set(words.forms.values())
        )
        found |= {part for word, parts in words.contractions.items() for part in (word, *parts)}
        several = (words.polite, words.polite_start, words.polite_end, words.fillers, words.same, words.commands)
        for phrases in several:
            found |= {part for parts, _ in all_phrases(phrases) for part in parts}
    table = np.zeros(1 << 17, np.uint64)
    _enter(table, *buffers(pa.array([word for word in found if word.isascii()], pa.large_string())))
    return table


@njit(cache=True, nogil=True)
def _enter(table: NDArray[np.uint64], bounds: Ints, data: Bytes) -> None:
    for at in range(len(bounds) - 1):
        key = _word_hash(data, bounds[at], bounds[at + 1])
        slot = np.int64(key & np.uint64(len(table) - 1))
        while table[slot] != 0 and table[slot] != key:
            slot = (slot + 1) & (len(table) - 1)
        table[slot] = key


@njit(cache=True, nogil=True, inline="always")
def _folded(byte: int) -> int:
    return byte + 32 if 65 <= byte <= 90 else byte


@njit(cache=True, nogil=True)
def _word_hash(data: Bytes, start: int, stop: int) -> np.uint64:
    key = _A
    for at in range(start, stop):
        key = (key ^ np.uint64(_folded(data[at]))) * _B
        key ^= key >> _S29
    return key | np.uint64(1)


@njit(cache=True, nogil=True)
def _is_listed(table: NDArray[np.uint64], data: Bytes, start: int, stop: int) -> bool:
    key = _word_hash(data, start, stop)
    slot = np.int64(key & np.uint64(len(table) - 1))
    while table[slot] != 0:
        if table[slot] == key:
            return True
        slot = (slot + 1) & (len(table) - 1)
    return False


@njit(cache=True, nogil=True)
def _numbers(data: Bytes, start: int, stop: int) -> np.uint64:
    """Return the sum of the hashes of the runs of digits."""
    whole, run = np.uint64(0), np.uint64(0)
    for at in range(start, stop):
        byte = data[at]
        if 48 <= byte <= 57:
            run = ((run ^ np.uint64(byte)) + _A) * _B
            run ^= run >> _S31
        elif run:
            whole += run
            run = np.uint64(0)
    return whole + run


@njit(cache=True, nogil=True)
def _is_odd(data: Bytes, start: int, stop: int) -> bool:
    """Whether a letter may be another one's compatibility form (the long s, ligatures, the Kelvin sign)."""
    for at in range(start, stop - 1):
        lead, byte = data[at], data[at + 1]
        if lead >= 196 and (
            (lead == 196 and byte == 176)
            or (lead == 197 and (byte == 191 or byte == 137))
            or (lead == 199 and byte == 176)
            or (lead == 206 and (byte == 144 or byte == 176))
            or (lead == 225 and byte == 186)
            or (lead == 226 and byte == 132)
            or (lead == 239 and byte == 172)
        ):
            return True
    return False


@njit(cache=True, nogil=True)
def _equal_run(data: Bytes, at: int, stop: int, other: Bytes, at2: int, stop2: int) -> bool:
    if stop - at != stop2 - at2:
        return False
    for step in range(stop - at):  # noqa: SIM110 - numba compiles the loop faster
        if _folded(data[at + step]) != _folded(other[at2 + step]):
            return False
    return True


@njit(cache=True, nogil=True)
def _could_be(data: Bytes, at: int, stop: int, other: Bytes, at2: int, stop2: int, plain: bool) -> bool:
    """Whether the first run, a word, could be the second one, or a form or slip of it."""
    first = _folded(data[at])
    if not plain:
        for place in range(at2, stop2):
            starts = place == at2 or _KINDS[other[place - 1]] != _LETTER
            if starts and _folded(other[place]) == first:
                return True
        return False
    if _folded(other[at2]) != first:
        return False
    size, size2 = stop - at, stop2 - at2
    head = 1
    while head < min(size, size2) and _folded(data[at + head]) == _folded(other[at2 + head]):
        head += 1
    if head >= 3 or (head == size and head == size2):
        return True
    if abs(size - size2) > 1:
        return False
    tail = 0
    while tail < min(size, size2) - head and _folded(data[stop - 1 - tail]) == _folded(other[stop2 - 1 - tail]):
        tail += 1
    return head + tail + 2 >= max(size, size2)


@njit(cache=True, nogil=True)
def _lone_words(
    data: Bytes,
    start: int,
    stop: int,
    end: int,
    other: Bytes,
    begin2: int,
    end2: int,
    table: NDArray[np.uint64],
    most: int,
) -> int:
    """Count the words between start and stop that no word of the other text can be, up to most + 1."""
    found = 0
    last, last_stop = -1, -1
    at = start
    while at < stop:
        if _KINDS[data[at]] == _BREAK:
            at += 1
            continue
        run, plain = at, True
        while at < end and _KINDS[data[at]] != _BREAK:
            plain = plain and _KINDS[data[at]] == _LETTER
            at += 1
        said = last >= 0 and _equal_run(data, last, last_stop, data, run, at)
        last, last_stop = run, at
        if not plain or said or _is_listed(table, data, run, at):
            continue
        at2, partner = begin2, False
        while at2 < end2 and not partner:
            if _KINDS[other[at2]] == _BREAK:
                at2 += 1
                continue
            run2, plain2 = at2, True
            while at2 < end2 and _KINDS[other[at2]] != _BREAK:
                plain2 = plain2 and _KINDS[other[at2]] == _LETTER
                at2 += 1
            partner = _could_be(data, run, at, other, run2, at2, plain2)
        if not partner:
            found += 1
            if found > most:
                return found
    return found


@njit(cache=True, nogil=True)
def _blanks(data: Bytes, start: int, stop: int) -> int:
    found = 0
    for at in range(start, stop):
        # Blanks of all kinds; too many only make the filter more careful.
        byte = data[at]
        found += byte <= 32 or byte == 194 or byte == 225 or byte == 226 or byte == 227
    return found


@njit(cache=True, nogil=True)
def _next_run(data: Bytes, at: int, stop: int) -> tuple[int, int]:  # noqa: C901 - one case a line
    """Return the bounds of the next word or number; a negative start says that a sign needs a closer look."""
    while at < stop:
        byte = data[at]
        kind = _KINDS[byte]
        if kind in (_LETTER, _DIGIT):
            run = at
            while at < stop and _KINDS[data[at]] == kind:
                at += 1
            if at < stop and (_KINDS[data[at]] == _DIGIT or _KINDS[data[at]] == _LETTER or _KINDS[data[at]] >= _JOINER):
                return -1, -1
            if kind == _DIGIT and at + 1 < stop and _KINDS[data[at + 1]] == _DIGIT:
                return -1, -1
            return run, at
        # Of signs only those that never count may stand here; before a digit a point counts, after a blank a smiley,
        # and in "os.path" capitals count.
        if byte == 46:
            if at + 1 < stop and _KINDS[data[at + 1]] != _BREAK:
                return -1, -1
        elif byte == 33 or byte == 44 or byte == 63 or byte == 34:
            if at + 1 < stop and _KINDS[data[at + 1]] == _DIGIT:
                return -1, -1
        elif byte == 58 or byte == 59:
            if at + 1 < stop and data[at + 1] != 32:
                return -1, -1
        elif byte != 32 and byte != 10 and byte != 9:
            return -1, -1
        at += 1
    return stop, stop


@njit(cache=True, nogil=True)
def _same_words(data: Bytes, at: int, stop: int, other: Bytes, at2: int, stop2: int) -> bool:
    """Whether both texts hold the same words in order and nothing else that counts."""
    words = 0
    while True:
        run, at = _next_run(data, at, stop)
        run2, at2 = _next_run(other, at2, stop2)
        if run < 0 or run2 < 0:
            return False
        if run == stop or run2 == stop2:
            return run == stop and run2 == stop2 and words > 0
        if not _equal_run(data, run, at, other, run2, at2):
            return False
        words += 1


@njit(cache=True, nogil=True)
def _decide(  # noqa: C901 - one step a line
    bounds: Ints, data: Bytes, bounds2: Ints, other: Bytes, table: NDArray[np.uint64], out: NDArray[np.int8]
) -> None:
    for pair in range(len(out)):
        begin, end = bounds[pair], bounds[pair + 1]
        begin2, end2 = bounds2[pair], bounds2[pair + 1]
        if _numbers(data, begin, end) != _numbers(other, begin2, end2):
            out[pair] = _OTHER
            continue
        if _same_words(data, begin, end, other, begin2, end2):
            out[pair] = _SAME
            continue
        least = min(end - begin, end2 - begin2)
        head = 0
        while head < least and data[begin + head] == other[begin2 + head]:
            head += 1
        tail = 0
        while tail < least - head and data[end - 1 - tail] == other[end2 - 1 - tail]:
            tail += 1
        # Cut between words, with the word before, which may be said twice.
        cut = begin + head
        for _ in range(2):
            while cut > begin and data[cut - 1] != 32:
                cut -= 1
            cut -= cut > begin
        if _is_odd(data, begin, end) or _is_odd(other, begin2, end2):
            continue
        stop, stop2 = end - tail, end2 - tail
        most = 0
        if least > _LONG_BYTES:
            blanks = min(_blanks(data, begin, end), _blanks(other, begin2, end2))
            most = min(_MOST_WORDS, (blanks + 1) // _WORDS_EACH)
        if (
            _lone_words(data, cut, stop, end, other, begin2, end2, table, most) > most
            or _lone_words(other, begin2 + cut - begin, stop2, end2, data, begin, end, table, most) > most
        ):
            out[pair] = _OTHER


def decide(left: pa.LargeStringArray, right: pa.LargeStringArray) -> NDArray[np.int8]:
    """Return `OTHER` or `SAME` for every pair where that is plain, else `UNDECIDED`."""
    out = np.full(len(left), UNDECIDED, np.int8)
    ours, theirs = buffers(left), buffers(right)
    _decide(*ours, *theirs, listed_words(), out)
    return out
