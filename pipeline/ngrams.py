"""Word runs that rows have in common with indexed texts, found by a compiled kernel.

    row   "So tom has 3 cats and a dog."   text   "Now tom has 3 cats, or not?"   ->   a run of 4: tom has 3 cats

Seeds are runs of 3 tokens that stand in few of the indexed texts; each is extended both ways as far as the tokens
agree, so a row costs what its seeds cost. Compiled functions that call each other stand in one file: numba's cache on
disk looks at a function's own file only.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.lexer import Hashes, Ints, Tokens
from pipeline.runs import Floats, Index, Pairs, Table

SEED = 3
BRIEF_ROW = 24  # tokens; longer rows are not looked up by single words: they say more than a brief text
NO_WORDS = np.uint64(0)


def common_runs(rows: Tokens, index: Index, n: int, least: float, *, by_words: bool) -> Pairs:
    """Return the pairs of a row and an indexed text that may be worth a look.

    Args:
        rows: Tokens of the rows.
        index: The texts to look for.
        n: Least tokens of a run that counts as covered.
        least: Least share of the text in runs of 3, or of its words anywhere in the row.
        by_words: Whether to compare by words in any order at all.
    """
    counted, alike = _common_runs(rows.hashes, rows.starts, index, n, least, by_words)
    row, text, covered, loose, longest, numbers, missing, extra = counted.T
    return Pairs(row, text, covered, loose, longest, numbers, missing, extra, alike)


def run_hashes(tokens: Tokens, n: int) -> Hashes:
    """Return the hash of every run of n tokens, also of those that cross from one text into the next."""
    hashes: Hashes = _run_hashes(tokens.hashes, n)
    return hashes


def whole_hashes(tokens: Tokens) -> Hashes:
    """Return a hash of all tokens of each text in order, `NO_WORDS` where there are none."""
    hashes: Hashes = _whole_hashes(tokens.hashes, tokens.starts)
    return np.where(tokens.counts() > 0, hashes, NO_WORDS)


class _Runs(NamedTuple):
    """Room to note the runs of one row: of each text the row that met it last, the last run there, tokens in all."""

    row: Ints
    offset: Ints
    until: Ints
    last: Ints
    total: Ints
    touched: Ints


@njit(cache=True, nogil=True)
def _common_runs(
    tokens: Hashes, starts: Ints, index: Index, n: int, least: float, by_words: bool
) -> tuple[Ints, Floats]:
    n_texts = len(index.starts) - 1
    known = _Runs(
        np.full(n_texts, -1, np.int64),
        np.zeros(n_texts, np.int64),
        np.zeros(n_texts, np.int64),
        np.zeros(n_texts, np.int64),
        np.zeros(n_texts, np.int64),
        np.empty(n_texts, np.int64),
    )
    runs = np.empty((1024, 4), np.int64)
    found, alike, n_found = np.empty((1024, 8), np.int64), np.empty(1024, np.float64), 0
    mark = np.zeros(np.max(np.diff(index.starts)) if n_texts else 0, np.int8)
    words, word_row = np.zeros(1024, np.uint64), np.full(1024, -1, np.int64)
    for row in range(len(starts) - 1):
        low, high = starts[row], starts[row + 1]
        runs, n_touched = _seeded(tokens, low, high, row, index, known, runs)
        if by_words and high - low <= BRIEF_ROW:
            n_touched = _worded(tokens, low, high, row, index, known, n_touched)
        is_filled = False
        for number in range(n_touched):
            text = known.touched[number]
            start, size = index.starts[text], index.starts[text + 1] - index.starts[text]
            share = 0.0
            # A row far longer has any word somewhere.
            if by_words and index.is_worded[text] and high - low <= 3 * size + 8 and size <= 3 * (high - low):
                if not is_filled:
                    words, word_row = _filled(words, word_row, row, tokens, low, high)
                    is_filled = True
                share = _alike(words, word_row, row, index, text)
            if known.total[text] < least * index.n_content[text] and share < least:
                continue
            covered, loose, longest, begin, end = _covered(index, text, known.last[text], runs, mark, n, low, high)
            if loose < least * index.n_content[text] and share < least:
                continue
            if n_found == len(found):
                wider, longer = np.empty((2 * n_found, 8), np.int64), np.empty(2 * n_found, np.float64)
                wider[:n_found], longer[:n_found] = found, alike
                found, alike = wider, longer
            numbers, missing = _apart(index.tokens, start, start + size, tokens, begin, end)
            _, extra = _apart(tokens, begin, end, index.tokens, start, start + size)
            pair = (row, text, covered, loose, longest, numbers, missing, extra)
            for column in range(8):
                found[n_found, column] = pair[column]
            alike[n_found] = share
            n_found += 1
    return found[:n_found], alike[:n_found]


@njit(cache=True, nogil=True)
def _find(table: Table, key: np.uint64) -> int:
    """Return the number of a key, or -1."""
    spot = key & np.uint64(8 * len(table.bits) - 1)
    if not (table.bits[spot >> np.uint64(3)] >> (spot & np.uint64(7))) & 1:
        return -1
    pattern = np.int64(key >> np.uint64(table.shift))
    for at in range(table.prefixes[pattern], table.prefixes[pattern + 1]):
        if table.keys[at] == key:
            return at
    return -1


@njit(cache=True, nogil=True)
def _seeded(tokens: Hashes, low: int, high: int, row: int, index: Index, known: _Runs, runs: Ints) -> tuple[Ints, int]:
    """Note every run that holds a seed: begin in row and text, length, number of the run before."""
    n_runs = n_touched = 0
    for at in range(low, high - SEED + 1):
        key = _find(index.seeds, _run_hash(tokens, at, SEED))
        if key < 0:
            continue
        for posting in range(index.seeds.first[key], index.seeds.first[key + 1]):
            text = index.seeds.text[posting]
            start, stop = index.starts[text], index.starts[text + 1]
            spot = start + index.seeds.place[posting]
            if known.row[text] != row:
                known.row[text], known.last[text], known.until[text], known.total[text] = row, -1, -1, 0
                known.touched[n_touched] = text
                n_touched += 1
            elif known.offset[text] == spot - at and at < known.until[text]:
                continue
            before, after = 0, SEED
            while at - before > low and spot - before > start:
                if tokens[at - before - 1] != index.tokens[spot - before - 1]:
                    break
                before += 1
            while at + after < high and spot + after < stop and tokens[at + after] == index.tokens[spot + after]:
                after += 1
            known.offset[text], known.until[text] = spot - at, at + after - SEED + 1
            if n_runs == len(runs):
                wider = np.empty((2 * n_runs, 4), np.int64)
                wider[:n_runs] = runs
                runs = wider
            runs[n_runs, 0], runs[n_runs, 1] = at - before, spot - before - start
            runs[n_runs, 2], runs[n_runs, 3] = before + after, known.last[text]
            known.last[text] = n_runs
            known.total[text] += before + after
            n_runs += 1
    return runs, n_touched


@njit(cache=True, nogil=True)
def _worded(tokens: Hashes, low: int, high: int, row: int, index: Index, known: _Runs, n_touched: int) -> int:
    """Note the brief texts that share a rare word or pair of words with the row."""
    for length in range(1, 3):
        for at in range(low, high - length + 1):
            key = _find(index.words, _run_hash(tokens, at, length))
            if key < 0:
                continue
            for posting in range(index.words.first[key], index.words.first[key + 1]):
                text = index.words.text[posting]
                if known.row[text] != row:
                    known.row[text], known.last[text], known.total[text] = row, -1, 0
                    known.touched[n_touched] = text
                    n_touched += 1
    return n_touched


@njit(cache=True, nogil=True)
def _covered(
    index: Index, text: int, run: int, runs: Ints, mark: NDArray[np.int8], n: int, low: int, high: int
) -> tuple[int, int, int, int, int]:
    """Return content in runs of `n`, in all runs, in the longest, and where in the row the text begins and ends."""
    start, size = index.starts[text], index.starts[text + 1] - index.starts[text]
    covered = loose = longest = 0
    begin, end, first, last = low, high, size, 0
    while run >= 0:
        place, length = runs[run, 1], runs[run, 2]
        content = 0
        for spot in range(place, place + length):
            mark[spot] = 2 if length >= n else max(mark[spot], 1)
            content += index.is_content[start + spot]
        longest = max(longest, content)
        # Two words to spare at either end, in case the row says it longer.
        if place < first:
            first, begin = place, max(low, runs[run, 0] - place - 2)
        if place + length > last:
            last, end = place + length, min(high, runs[run, 0] + size - place + 2)
        run = runs[run, 3]
    for spot in range(size):
        if index.is_content[start + spot]:
            loose += mark[spot] > 0
            covered += mark[spot] == 2
        mark[spot] = 0
    return covered, loose, longest, begin, end


@njit(cache=True, nogil=True)
def _apart(tokens: Hashes, start: int, stop: int, others: Hashes, low: int, high: int) -> tuple[int, int]:
    """Return how many numbers stand in the one, and how many of them nowhere in the other."""
    numbers = missing = 0
    for at in range(start, stop):
        if tokens[at] & np.uint64(1):
            numbers += 1
            missing += 1
            for spot in range(low, high):
                if others[spot] == tokens[at]:
                    missing -= 1
                    break
    return numbers, missing


@njit(cache=True, nogil=True)
def _filled(words: Hashes, word_row: Ints, row: int, tokens: Hashes, low: int, high: int) -> tuple[Hashes, Ints]:
    """Put the row's tokens into a hash table, in which entries of other rows count as empty."""
    while len(words) < 2 * (high - low):
        words, word_row = np.zeros(2 * len(words), np.uint64), np.full(2 * len(words), -1, np.int64)
    last = np.uint64(len(words) - 1)
    for at in range(low, high):
        spot = (tokens[at] >> np.uint64(20)) & last
        while word_row[spot] == row and words[spot] != tokens[at]:
            spot = (spot + np.uint64(1)) & last
        words[spot], word_row[spot] = tokens[at], row
    return words, word_row


@njit(cache=True, nogil=True)
def _alike(words: Hashes, word_row: Ints, row: int, index: Index, text: int) -> float:
    """Return the share of a text's tokens that the row has, by weight."""
    last = np.uint64(len(words) - 1)
    total = common = 0.0
    for at in range(index.starts[text], index.starts[text + 1]):
        total += index.weight[at]
        spot = (index.tokens[at] >> np.uint64(20)) & last
        while word_row[spot] == row:
            if words[spot] == index.tokens[at]:
                common += index.weight[at]
                break
            spot = (spot + np.uint64(1)) & last
    return common / total if total > 0 else 0.0


@njit(cache=True, nogil=True)
def _run_hash(tokens: Hashes, at: int, n: int) -> np.uint64:
    value = np.uint64(n)
    for step in range(n):
        value = (value ^ tokens[at + step]) * np.uint64(0x9E3779B97F4A7C15)
        value ^= value >> np.uint64(32)
    return _mixed(value)


@njit(cache=True, nogil=True)
def _run_hashes(tokens: Hashes, n: int) -> Hashes:
    found = np.empty(max(len(tokens) - n + 1, 0), np.uint64)
    for at in range(len(found)):
        found[at] = _run_hash(tokens, at, n)
    return found


@njit(cache=True, nogil=True)
def _whole_hashes(tokens: Hashes, starts: Ints) -> Hashes:
    found = np.empty(len(starts) - 1, np.uint64)
    for row in range(len(found)):
        found[row] = _run_hash(tokens, starts[row], starts[row + 1] - starts[row])
    return found


@njit(cache=True, nogil=True)
def _mixed(value: np.uint64) -> np.uint64:
    """Return a well scattered hash (the finisher of SplitMix64)."""
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
