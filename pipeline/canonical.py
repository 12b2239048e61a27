"""Keys of what two texts of one meaning have in common: the candidates that are looked at word by word.

    "Please find a big city!", "find the large cities"  ->  equal keys
    "convert dollars to euros", "convert euros to dollars"  ->  equal in any order, not in order

The lists of all languages count together and words are cut down to their consonants, so unlike texts can have equal
keys; `pipeline.difference` tells them apart.
"""

from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from pipeline.array_file import open_arrays, write_arrays
from pipeline.code import code_of
from pipeline.digest import file_digest, value_digest
from pipeline.hashing import Ints, buffers
from pipeline.slips import misspelt
from pipeline.vocabulary import all_phrases, languages, meanings_of, split_words, word_files

Bytes = NDArray[np.uint8]
U64 = NDArray[np.uint64]

_A, _B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_S29, _S31 = np.uint64(29), np.uint64(31)
_ONE = np.uint64(1)
_DROPPED = np.uint64(1)  # what a phrase stands for that may come and go
_PREFIX = np.uint64(2)  # a phrase may go on here
_MOST_PARTS = 8  # words of a phrase
_SHORT = 3  # letters; a longer word is known by its first letter and its strong consonants
_STRONG = np.uint64(sum(1 << (ord(letter) - 97) for letter in "bcfhjklmpqvw"))


class _Table(NamedTuple):
    """A hash table of words and phrases: the hash of the words so far, and what they stand for."""

    keys: U64
    meanings: U64


@cache
def _table() -> _Table:
    """Return what all listed words and phrases stand for, made once, and kept beside the compiled kernels."""
    lists = sorted((name, file_digest(path)) for name, path in word_files().items())
    made_by = value_digest([code_of("pipeline.canonical").digest, *(digest for _, digest in lists)])
    stem = Path(__file__).parent / "__pycache__" / "canonical"
    kept = open_arrays(stem, made_by)
    if not isinstance(kept, str):
        return _Table(kept.arrays["keys"], kept.arrays["meanings"])
    table = _made_table()
    with suppress(OSError):  # a checkout that may not be written makes it anew every time
        stem.parent.mkdir(exist_ok=True)
        write_arrays(stem, table._asdict(), made_by, {})
    return table


def _made_table() -> _Table:  # noqa: C901 - one table of all lists
    """Return what all listed words and phrases stand for; words that share a group in some language stand for one."""
    heads: dict[str, str] = {}
    dropped: set[str] = set()
    slips: dict[str, str] = {}

    def head_of(word: str) -> str:
        while heads.get(word, word) != word:
            word = heads[word]
        return word

    for words in languages():
        pairs = [(word, first) for word, first in words.forms.items() if first in words.forms]
        pairs += [
            (" ".join(parts), f"={words.language}.{meaning}")
            for phrases in (words.same, words.commands)
            for parts, name in all_phrases(phrases)
            for meaning in meanings_of(name)
        ]
        pairs += [
            (each, f"={words.language}.{word}")
            for word, parts in words.contractions.items()
            for each in (word, " ".join(parts))
        ]
        pairs += [(form, word) for word in words.forms for form in _inflected(word, words.endings)]
        for word, other in pairs:
            heads.setdefault(word, word)
            heads.setdefault(other, other)
            heads[head_of(word)] = head_of(other)
        slips |= {wrong: right for wrong, right in words.forms.items() if right not in words.forms}
        dropped |= words.articles | words.addressed
        for phrases, step in (
            (words.polite, 1), (words.polite_start, 1), (words.polite_end, -1), (words.fillers, 1)
        ):  # fmt: skip
            dropped |= {" ".join(parts[::step]) for parts, _ in all_phrases(phrases)}
    entries: dict[int, int] = {}
    meanings = {word: int(_hash_of(head_of(word)[:64])) | 4 for word in heads if word[:1] != "="}
    for wrong, right in slips.items():
        data = np.frombuffer(right.encode(), np.uint8)
        meanings.setdefault(wrong, meanings.get(right, int(_shape(data, 0, len(data)))))
    for words in languages():
        for wrong in misspelt(words.articles) - dropped:
            meanings.setdefault(wrong, int(_DROPPED))
    for phrase, meaning in [*meanings.items(), *((word, int(_DROPPED)) for word in sorted(dropped))]:
        chain = np.uint64(0)
        parts = split_words(phrase)[:_MOST_PARTS]
        for at, part in enumerate(parts):
            chain = np.uint64(_chained(chain, _hash_of(part)))
            if at + 1 < len(parts):
                entries.setdefault(int(chain), int(_PREFIX))
        entries[int(chain)] = meaning
    for word, meaning in sorted(meanings.items()):
        # Slips in a listed word: by all its letters.
        data = np.frombuffer(word.encode(), np.uint8)
        if word.isascii() and word.isalpha() and len(word) > _SHORT:
            entries.setdefault(int(_letters(data, 0, len(data))), meaning)
    return _filled(entries)


def _inflected(word: str, endings: tuple[tuple[str, str], ...]) -> list[str]:
    """Return what the endings make of a word, real forms and others."""
    return [word[: len(word) - len(a)] + b for a, b in endings if word.endswith(a) and len(word) > 3 and b[:1] != "="]


def _filled(entries: dict[int, int]) -> _Table:
    size = 1 << (2 * len(entries)).bit_length()
    table = _Table(np.zeros(size, np.uint64), np.zeros(size, np.uint64))
    for key, meaning in entries.items():
        slot = key & (size - 1)
        while table.keys[slot]:
            slot = (slot + 1) & (size - 1)
        table.keys[slot], table.meanings[slot] = key, meaning
    return table


def _hash_of(word: str) -> np.uint64:
    data = np.frombuffer(word.encode(), np.uint8)
    return np.uint64(_word_hash(data, 0, len(data)))


@njit(cache=True, nogil=True, inline="always")
def _folded(byte: int) -> int:
    return byte + 32 if 65 <= byte <= 90 else byte


@njit(cache=True, nogil=True)
def _word_hash(data: Bytes, start: int, stop: int) -> np.uint64:
    """Return the hash of a word without its apostrophes."""
    key = _A
    for at in range(start, stop):
        if data[at] != 39:
            key = (key ^ np.uint64(_folded(data[at]))) * _B
            key ^= key >> _S29
    return key | _ONE


@njit(cache=True, nogil=True)
def _chained(chain: Any, key: Any) -> Any:  # noqa: ANN401 - numba infers
    """Return the hash of a phrase that goes on with a word."""
    chain = (chain ^ key) * _B + _A
    return (chain ^ (chain >> _S31)) | _ONE


@njit(cache=True, nogil=True)
def _meaning(keys: U64, meanings: U64, key: Any) -> Any:  # noqa: ANN401 - numba infers
    slot = np.int64(key & np.uint64(len(keys) - 1))
    while keys[slot] != 0:
        if keys[slot] == key:
            return meanings[slot]
        slot = (slot + 1) & (len(keys) - 1)
    return np.uint64(0)


@njit(cache=True, nogil=True)
def _shape(data: Bytes, start: int, stop: int) -> np.uint64:
    """Return a hash of a word's first letter and of the set of those consonants that no ending has.

    Words of three letters, or four with an ending, are known by all their letters.
    """
    size = stop - start
    last, before = _folded(data[stop - 1]), _folded(data[max(stop - 2, start)])
    if size == 4 and (last == 115 or (last == 100 and before == 101 and _folded(data[stop - 3]) != 101)):
        stop -= 1
    short = stop - start <= _SHORT
    found, rest = np.uint64(0), np.uint64(0)
    for at in range(start, stop):
        byte = _folded(data[at])
        if 97 <= byte <= 122:
            bit = _ONE << np.uint64(byte - 97)
            if short or bit & _STRONG:
                found |= bit
        elif 48 <= byte <= 57 or (byte >= 128 and not _is_latin(data, at, start)):
            # Numbers and letters of other scripts count one by one, accented Latin ones as vowels do.
            rest = (rest ^ np.uint64(byte)) * _B
            rest ^= rest >> _S29
    key = (found * _A) ^ (np.uint64(_folded(data[start])) << np.uint64(40)) ^ rest
    key = (key ^ (key >> _S31)) * _B
    return (key ^ (key >> _S29)) | np.uint64(4)


@njit(cache=True, nogil=True)
def _letters(data: Bytes, start: int, stop: int) -> np.uint64:
    """Return a hash of a word's first letter and its letters in any order; 0 if it has others than a to z."""
    found = np.uint64(0)
    for at in range(start, stop):
        byte = _folded(data[at])
        if byte < 97 or byte > 122:
            return np.uint64(0)
        letter = (np.uint64(byte) + _A) * _B
        found += letter ^ (letter >> _S31)
    key = (found ^ (np.uint64(_folded(data[start])) << np.uint64(32))) * _B
    return (key ^ (key >> _S31)) | _ONE


@njit(cache=True, nogil=True, inline="always")
def _is_latin(data: Bytes, at: int, start: int) -> bool:
    """Whether a byte belongs to an accented Latin letter."""
    return 195 <= data[at] <= 197 or (at > start and 195 <= data[at - 1] <= 197)


@njit(cache=True, nogil=True)
def _next_word(data: Bytes, at: int, stop: int) -> tuple[int, int]:
    """Return the bounds of the next word, number or character of a script without blanks; (stop, stop) if none."""
    while at < stop:
        byte = data[at]
        if 227 <= byte <= 233 and at + 2 < stop:
            # U+3000 to U+303F are punctuation, as are the wide forms (239).
            if byte == 227 and data[at + 1] == 128:
                at += 3
                continue
            return at, at + 3
        if (byte == 239 and at + 2 < stop) or (byte == 226 and at + 2 < stop):
            at += 3
            continue
        if byte == 194 and at + 1 < stop:
            at += 2
            continue
        if _in_word(byte):
            break
        at += 1
    run = at
    while at < stop and (
        _in_word(data[at]) or (data[at] == 39 and at > run and at + 1 < stop and _in_word(data[at + 1]))
    ):
        byte = data[at]
        if 226 <= byte <= 233 or byte == 239 or byte == 194:
            if byte == 226 and at + 2 < stop and data[at + 1] == 128 and data[at + 2] == 153:
                at += 3  # the curly apostrophe
                continue
            break
        at += 1
    return run, at


@njit(cache=True, nogil=True, inline="always")
def _in_word(byte: int) -> bool:
    return 97 <= byte <= 122 or 48 <= byte <= 57 or 65 <= byte <= 90 or byte >= 128


@njit(cache=True, nogil=True)
def _fill(bounds: Ints, data: Bytes, keys: U64, meanings: U64, out: U64) -> None:  # noqa: C901 - one pass
    starts = np.empty(1 << 16, np.int64)
    stops = np.empty(1 << 16, np.int64)
    hashes = np.empty(1 << 16, np.uint64)
    for text in range(len(bounds) - 1):
        at, stop = bounds[text], bounds[text + 1]
        n = 0
        while at < stop and n < len(starts):
            run, at = _next_word(data, at, stop)
            if run == at:
                break
            starts[n], stops[n], hashes[n] = run, at, _word_hash(data, run, at)
            n += 1
        bag, row, last = np.uint64(0), np.uint64(0), np.uint64(0)
        place = 0
        while place < n:
            chain, best, size = np.uint64(0), np.uint64(0), 1
            for ahead in range(min(_MOST_PARTS, n - place)):
                chain = _chained(chain, hashes[place + ahead])
                found = _meaning(keys, meanings, chain)
                if found == 0:
                    break
                if found != _PREFIX:
                    best, size = found, ahead + 1
            if best == 0 and stops[place] - starts[place] > _SHORT:
                best = _meaning(keys, meanings, _letters(data, starts[place], stops[place]))
            if best == 0 or best == _PREFIX:
                best = _shape(data, starts[place], stops[place])
            place += size
            if best in (_DROPPED, last):
                continue
            last = best
            bag += best * _B ^ (best >> _S29)
            row = (row ^ best) * _B + _A
            row ^= row >> _S31
        out[text, 0], out[text, 1] = bag, row


def canonical_keys(texts: pa.LargeStringArray) -> NDArray[np.uint64]:
    """Return n x 2 keys: of the words whatever their order, and of the words in order; 0 for a text without words."""
    out = np.zeros((len(texts), 2), np.uint64)
    _fill(*buffers(texts), *_table(), out)
    return out
