"""Answers in another language than their prompt, and translations that leave a word as it was.

    prompt "What is the capital of France and why is it there?"
    answer "Die Hauptstadt von Frankreich ist Paris, weil sie an der Seine liegt."      -> German to an English prompt

    text "The egret and the cormorant ..."  translation "Der egret und der Kormoran ..."  -> left untranslated: egret

The lists are the `common` words in `pipeline/words/`. Cautious: both texts must be clearly of one language, and a
prompt that speaks of languages at all, such as one that asks for a translation, wants no certain one.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.checked_texts import Kinds, Texts, of_templates
from pipeline.language import language_of, word_lists

_SPEAKS_OF_LANGUAGE = (
    r"(?i)translat|übersetz|tradu|language|sprache|idioma|langue|lingua|vertaal|english|german|french|spanish|italian|"
    r"dutch|portuguese|russian|chinese|japanese|korean|arabic|hindi|latin|greek|turkish|polish|swedish|hebrew|"
    r"deutsch|englisch|französisch|spanisch|italienisch|inglés|español|anglais|français|allemand"
)
_NON_LATIN = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Cyrillic}\p{Arabic}\p{Hebrew}\p{Devanagari}\p{Thai}]"
_OTHER_SCRIPT = rf"^\P{{Latin}}*{_NON_LATIN}{{3}}\P{{Latin}}*$"


def is_other_language(texts: Texts, kinds: Kinds) -> pa.Array:
    """Return which answers are clearly in another language than their prompt, which speaks of no language."""
    free = pc.invert(
        pc.or_(of_templates(texts, kinds.translation), pc.match_substring_regex(texts.prompt, _SPEAKS_OF_LANGUAGE))
    )
    is_other_script = pc.and_(
        pc.match_substring_regex(texts.answer, _OTHER_SCRIPT),
        pc.and_(
            pc.invert(pc.match_substring_regex(texts.prompt, _NON_LATIN)),
            pc.match_substring_regex(texts.prompt, r"\p{Latin}{3}"),
        ),
    )
    answer, prompt = language_of(texts.answer), language_of(texts.prompt)
    differs = pa.array((answer >= 0) & (prompt >= 0) & (answer != prompt))
    return pc.and_(free, pc.or_(is_other_script, differs))


def leaves_word(texts: Texts, kinds: Kinds) -> pa.Array:
    """Return which translations hold a word of their prompt that is a word of its language and not of theirs.

    Only words in small letters are looked at, of four letters or more: names stay as they are. The words known of a
    language are those of pyspellchecker; both languages are told by their commonest words.
    """
    rows = np.flatnonzero(of_templates(texts, kinds.translation).to_numpy(zero_copy_only=False))
    found = np.zeros(len(texts.answer), bool)
    if len(rows):
        answer, prompt = texts.answer.take(pa.array(rows)), texts.prompt.take(pa.array(rows))
        found[rows] = _leaves_word(answer, prompt)
    return pa.array(found)


def _leaves_word(answer: pa.Array, prompt: pa.Array) -> NDArray[np.bool_]:
    own, original = language_of(answer), language_of(prompt)
    (row, word), (row_of_prompt, word_of_prompt) = _words(answer), _words(prompt)
    every = pa.concat_arrays([word, word_of_prompt]).dictionary_encode()
    code = every.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    n, n_words = len(every.dictionary), len(word)
    is_copied = np.isin(row * n + code[:n_words], row_of_prompt * n + code[n_words:])
    # Only the copied words are looked up, and in no list but those of the two languages: each takes up to 80 MB.
    row, code = row[is_copied], code[:n_words][is_copied]
    texts = every.dictionary.take(pa.array(code)).to_pylist()
    is_foreign = [
        _knows(original[at], text) and own[at] >= 0 and not _knows(own[at], text)
        for at, text in zip(row.tolist(), texts, strict=True)
    ]
    return np.asarray(np.bincount(row[np.array(is_foreign, bool)], minlength=len(answer)) > 0)


def _knows(language: int, word: str) -> bool:
    return language >= 0 and word in word_lists()[language].known


def _words(texts: pa.Array) -> tuple[NDArray[np.int64], pa.Array]:
    """Return the words in small letters of all texts in a row, and the number of the text of each."""
    split = pc.split_pattern_regex(pc.fill_null(texts, ""), r"[^\p{L}]+")
    words = split.flatten()
    is_plain = pc.match_substring_regex(words, r"^\p{Ll}{4,}$")
    row = pc.list_parent_indices(split).to_numpy(zero_copy_only=False).astype(np.int64)
    return row[is_plain.to_numpy(zero_copy_only=False)], words.filter(is_plain)
