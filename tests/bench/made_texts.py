"""Made texts as Arrow arrays: words by a Zipf law, edits of prompts; no Python runs once a row.

Three of seven words are common English ones; the others come from 50,000 made words, the word of rank r with weight
1 / (r + 10). One made word in twelve ends in a comma or a full stop, so that texts have clauses.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_COMMON = (
    "the of and to in a is that for it as was with be by on not he this are or his from at which but have an had they"
    " you were their one all we can her has there been if more when will would who so no out up into them then some"
    " what about how your its my than only other time make like most over such well even these may each must"
)
_VERBS = "Describe Explain Summarize Translate Classify Compare Rewrite Identify Generate Propose Calculate Outline"
_SYLLABLES = (
    "ba be bo ca co cu da de di do fa fe fi ga go gu ha he hi ja jo ka ke la le li lo ma me mi mo na ne ni no pa pe po"
    " ra re ri ro sa se si so ta te ti to tra ver con pro sta lin mer tal gen por men ter"
)
_MADE_WORDS = 50_000
_COMMON_SHARE = 3 / 7
# Draws are looked up here: the share of places a word has is its chance.
_TABLE = 1 << 20


def made_words(count: int, draw: np.random.Generator) -> list[str]:
    """Return distinct words of two to five syllables, most of them short."""
    syllables = np.array(_SYLLABLES.split())
    words: dict[str, None] = {}
    while len(words) < count:
        sizes = draw.choice([2, 3, 4, 5], size=count, p=[0.35, 0.4, 0.2, 0.05])
        parts = syllables[draw.integers(0, len(syllables), (count, 5))]
        words.update(dict.fromkeys("".join(row[:size]) for row, size in zip(parts.tolist(), sizes, strict=True)))
    return list(words)[:count]


class TextMaker:
    """Makes texts of given lengths; the same seed gives the same vocabulary."""

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng([seed, 0])
        common, made = _COMMON.split(), made_words(_MADE_WORDS, draw)
        self.made = made
        ends = draw.choice(["", ",", "."], size=len(made), p=[11 / 12, 1 / 24, 1 / 24])
        made = [word + end for word, end in zip(made, ends, strict=True)]
        self._verbs = np.arange(len(_VERBS.split())) + len(common) + len(made)
        vocabulary = [f"{word} " for word in (*common, *made, *_VERBS.split())]
        self._vocabulary = pa.array(vocabulary)
        self._lengths = np.array([len(word) for word in vocabulary], np.int64)
        chances = np.concatenate(
            [
                _COMMON_SHARE * _share(1 / (np.arange(len(common)) + 3)),
                (1 - _COMMON_SHARE) * _share(1 / (np.arange(len(made)) + 10)),
            ]
        )
        self._table = np.searchsorted(np.cumsum(chances), (np.arange(_TABLE) + 0.5) / _TABLE).astype(np.int32)
        self._mean_length = float(self._lengths[self._table].mean())

    def texts(self, chars: np.ndarray, draw: np.random.Generator, *, instruct: bool) -> pa.Array:
        """Return a text a length, off by less than a word; `instruct` makes a verb of seven letters or more the first word."""
        ends = np.cumsum(chars)
        n_words = int(ends[-1] / self._mean_length * 1.02) + 1000
        words = self._table[draw.integers(0, _TABLE, n_words, dtype=np.uint32)]
        bounds = np.concatenate([[0], np.searchsorted(np.cumsum(self._lengths[words]), ends)])
        assert bounds[-1] < n_words
        words = words[: bounds[-1]]
        if instruct:
            words[bounds[:-1]] = self._verbs[draw.integers(0, len(self._verbs), len(chars))]
        offsets = np.concatenate([[0], np.cumsum(self._lengths[words])])[bounds]
        data = np.frombuffer(self._vocabulary.take(pa.array(words)).buffers()[2], np.uint8).copy()
        data[offsets[:-1]] &= 0xDF  # a capital
        data[offsets[1:] - 1] = ord(".")  # instead of the last space
        return from_bytes(data, offsets)


def from_bytes(data: np.ndarray, offsets: np.ndarray) -> pa.Array:
    """Return the string array over these bytes, copying the offsets alone."""
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers)


def log_uniform(low: int, high: int, count: int, draw: np.random.Generator) -> np.ndarray:
    """Return whole numbers whose logarithms are spread evenly: (high - low) / ln(high / low) on average."""
    return np.exp(draw.uniform(np.log(low), np.log(high), count)).astype(np.int64)


def restyled(texts: pa.Array, draw: np.random.Generator) -> pa.Array:
    """Return each text in capitals, in small letters, or with another end and a comma after its first word."""
    other = pc.replace_substring(texts, " ", ", ", max_replacements=1)
    other = pc.binary_join_element_wise(pc.utf8_slice_codeunits(other, 0, -1), " !", "")
    return pc.choose(pa.array(draw.integers(0, 3, len(texts))), pc.ascii_upper(texts), pc.ascii_lower(texts), other)


def mistyped(texts: pa.Array, draw: np.random.Generator) -> pa.Array:
    """Return each text with two different neighbouring letters swapped inside one of its words of seven letters or more.

    Raises:
        ValueError: A text has no such word.
    """
    offsets = np.frombuffer(texts.buffers()[1], np.int32, len(texts) + 1, 4 * texts.offset).astype(np.int64)
    data = np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].copy()
    offsets -= offsets[0]
    small = data | 0x20
    letter = (small >= ord("a")) & (small <= ord("z"))
    run = letter[: len(data) - 6].copy()
    for ahead in range(1, 7):
        run &= letter[ahead : len(data) - 6 + ahead]
    # Of a run of seven letters the third and the fourth are swapped, so that neither end of a word is touched.
    places = np.flatnonzero(run & (data[2:-4] != data[3:-3])) + 2
    bounds = np.searchsorted(places, offsets)
    counts = np.diff(bounds)
    if not counts.all():
        raise ValueError(f"{int((counts == 0).sum())} texts have no word of seven letters to mistype")
    chosen = places[bounds[:-1] + draw.integers(0, counts)]
    data[chosen], data[chosen + 1] = data[chosen + 1].copy(), data[chosen].copy()
    return from_bytes(data, offsets)


def _share(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum()
