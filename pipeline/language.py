"""Which language a text is clearly in, told by the commonest words of each, and which script it is written in.

"What is the capital of France and why is it there?"  ->  the number of en in `word_lists`;  "Paris."  ->  -1

The lists are the `common` words in `pipeline/words/`.
"""

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.messages import lengths
from pipeline.vocabulary import SPELLED, Words, languages

# So many common words of a language, in this share of all words, and so many times those of any other language.
_LEAST, _SHARE, _TIMES = 4, 0.2, 2.0
_ENOUGH_CHARS = 400
# Kanji and kana stand in one text, so they count as one.
SCRIPTS = {
    "Latin": r"\p{Latin}",
    "Chinese or Japanese": r"[\p{Han}\p{Hiragana}\p{Katakana}]",
    "Hangul": r"\p{Hangul}",
    "Cyrillic": r"\p{Cyrillic}",
    "Greek": r"\p{Greek}",
    "Arabic": r"\p{Arabic}",
    "Hebrew": r"\p{Hebrew}",
    "Devanagari": r"\p{Devanagari}",
    "Bengali": r"\p{Bengali}",
    "Tamil": r"\p{Tamil}",
    "Thai": r"\p{Thai}",
    "Lao": r"\p{Lao}",
    "Khmer": r"\p{Khmer}",
    "Myanmar": r"\p{Myanmar}",
    "Georgian": r"\p{Georgian}",
    "Armenian": r"\p{Armenian}",
    "Ethiopic": r"\p{Ethiopic}",
}


@cache
def word_lists() -> tuple[Words, ...]:
    """Return the word lists of the languages that can be told, in the order of their numbers."""
    # Chinese has no words between blanks.
    return tuple(words for words in languages() if words.language in SPELLED)


@cache
def _common() -> tuple[pa.Array, NDArray[np.int64]]:
    """Return all common words, and a row of flags for each: the languages it is one of."""
    lists = [words.common for words in word_lists()]
    every = sorted(frozenset[str]().union(*lists))
    return pa.array(every), np.array([[word in one for one in lists] for word in every], np.int64)


def language_of(texts: pa.Array) -> NDArray[np.int64]:
    """Return the number of the language each text is clearly in, or -1."""
    words, flags = _common()
    # A word with a comma behind it is not counted, and need not be: to split at every mark takes ten times as long.
    start = pc.fill_null(pc.utf8_lower(pc.utf8_slice_codeunits(texts, 0, _ENOUGH_CHARS)), "")
    split = pc.utf8_split_whitespace(start)
    places = pc.index_in(split.flatten(), value_set=words)
    is_known = pc.is_valid(places).to_numpy(zero_copy_only=False)
    rows = pc.list_parent_indices(split).to_numpy(zero_copy_only=False)[is_known]
    counts = np.zeros((len(texts), flags.shape[1]), np.int64)
    np.add.at(counts, rows, flags[places.drop_null().to_numpy()])
    best, second = np.sort(counts, axis=1)[:, -1], np.sort(counts, axis=1)[:, -2]
    is_clear = (best >= _LEAST) & (best >= _SHARE * lengths(split)) & (best >= _TIMES * second)
    return np.where(is_clear, counts.argmax(axis=1), -1)


def script_of(texts: pa.Array) -> NDArray[np.int64]:
    """Return the number in `SCRIPTS` of the script most letters of each text's start are of, or -1 without letters."""
    start = pc.fill_null(pc.utf8_slice_codeunits(texts, 0, _ENOUGH_CHARS), "")
    counts = np.stack(
        [pc.count_substring_regex(start, letters).to_numpy(zero_copy_only=False) for letters in SCRIPTS.values()], 1
    )
    return np.where(counts.max(1) > 0, counts.argmax(1), -1)


def same_language(texts: pa.Array, others: pa.Array) -> pa.Array:
    """Return whether two texts are in one language: no, yes, or empty where it cannot be told.

    Another script is another language. In Latin letters both must be clearly of one language of `word_lists`; any
    other script is taken for one language, so Russian and Bulgarian are not told apart.
    """
    script, other_script = script_of(texts), script_of(others)
    language, other_language = language_of(texts), language_of(others)
    is_written = (script >= 0) & (other_script >= 0)
    is_told = is_written & ((script != other_script) | (script > 0) | ((language >= 0) & (other_language >= 0)))
    is_same = (script == other_script) & ((script > 0) | (language == other_language))
    return pa.array(is_same, mask=~is_told)
