"""An index of texts by the word runs in them, for `pipeline.ngrams`.

Runs of 3 words that stand in at most `MOST_TEXTS` of the texts find a text. Words of which every run stands in more
are those of a benchmark's template: they find nothing and count for nothing.
"""

import numpy as np
import pyarrow as pa

from pipeline.lexer import Ints, Tokens, tokens_of
from pipeline.ngrams import SEED, run_hashes
from pipeline.runs import Bools, Index, Table

MOST_TEXTS = 30
BRIEF = 16  # tokens; shorter texts may share no seed with a row that says the same, so single words are seeds too


def index_of(texts: pa.LargeStringArray, has_words: Bools) -> Index:
    """Return an index of `normal` texts.

    Args:
        texts: The texts to look for.
        has_words: Those that are compared by their words in any order too.
    """
    tokens = tokens_of(texts)
    counts = tokens.counts()
    text = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(text)) - tokens.starts[text]
    seeds, is_rare, at = _table(tokens, text, place, [SEED], np.ones(len(counts), bool))
    is_content = np.zeros(len(text), bool)
    for step in range(SEED):
        is_content[at[is_rare] + step] = True
    words, _, _ = _table(tokens, text, place, [1, 2], (counts < BRIEF) & has_words)
    _, code = np.unique(tokens.hashes, return_inverse=True)
    owners = np.unique(code.astype(np.int64) * max(len(counts), 1) + text) // max(len(counts), 1)
    is_number = (tokens.hashes & np.uint64(1)).astype(bool)
    return Index(
        tokens=tokens.hashes,
        starts=tokens.starts,
        is_content=is_content,
        n_content=np.bincount(text[is_content], minlength=len(counts)).astype(np.int64),
        weight=np.where(is_number, 0, np.log1p(len(counts) / np.bincount(owners, minlength=1)[code])),
        seeds=seeds,
        words=words,
        is_worded=has_words,
    )


def _table(tokens: Tokens, text: Ints, place: Ints, sizes: list[int], some: Bools) -> tuple[Table, Bools, Ints]:
    """Return the runs in few texts, and of all runs whether they are in few and where they begin."""
    counts, keys, begins = tokens.counts(), [], []
    for n in sizes:
        runs = run_hashes(tokens, n)
        own = text[: len(runs)]
        at = np.flatnonzero((place[: len(runs)] + n <= counts[own]) & some[own])
        keys.append(runs[at])
        begins.append(at)
    key, begin = np.concatenate(keys), np.concatenate(begins)
    order = np.lexsort((begin, key))
    sorted_key, owner = key[order], text[begin[order]]
    new_key = np.append(True, sorted_key[1:] != sorted_key[:-1])[: len(key)]
    # Of a run that a text repeats, the first stands for all.
    new = new_key | np.append(True, owner[1:] != owner[:-1])[: len(key)]
    group = np.cumsum(new_key) - 1
    is_rare = np.bincount(group[new], minlength=1)[group] <= MOST_TEXTS
    kept = order[new & is_rare]
    unique, first = np.unique(key[kept], return_index=True)
    depth = len(unique).bit_length() + 1
    patterns = np.arange((1 << depth) + 1, dtype=np.uint64)
    spots = unique & np.uint64((1 << (depth + 3)) - 1)
    bits = np.zeros(1 << depth, np.uint8)
    np.bitwise_or.at(
        bits, (spots >> np.uint64(3)).astype(np.int64), np.uint8(1) << (spots.astype(np.uint8) & np.uint8(7))
    )
    table = Table(
        bits=bits,
        keys=unique,
        prefixes=np.searchsorted(unique >> np.uint64(64 - depth), patterns).astype(np.int64),
        shift=64 - depth,
        first=np.append(first, len(kept)).astype(np.int64),
        text=text[begin[kept]],
        place=place[begin[kept]],
    )
    is_rare_run = np.zeros(len(key), bool)
    is_rare_run[order] = is_rare
    return table, is_rare_run, begin
