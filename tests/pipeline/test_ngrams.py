import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.lexer import tokens_of
from pipeline.ngram_index import index_of
from pipeline.ngrams import common_runs, whole_hashes

WORDS = st.lists(st.sampled_from(["ant", "bee", "cow", "dog", "elk", "3", "7"]), max_size=40).map(" ".join)


def large(texts):
    return pa.array(texts, pa.large_string())


def compare(rows, texts, n=4, least=0.0):
    index = index_of(large(texts), np.ones(len(texts), bool))
    return index, common_runs(tokens_of(large(rows)), index, n, least, by_words=True)


def test_what_a_row_repeats_is_counted_by_runs():
    text = "one red ant met two blue bees and 3 tall cows"  # 10 words
    row = "see: one red ant met four bees and 3 tall cows, all of them"
    _, pairs = compare([row], [text])
    # "one red ant met" is a run of 4, "bees and 3 tall cows" of 5, "two blue" is gone.
    assert (pairs.covered.tolist(), pairs.loose.tolist(), pairs.longest.tolist()) == ([9], [9], [5])
    _, pairs = compare([row], [text], n=5)
    assert (pairs.covered.tolist(), pairs.loose.tolist()) == ([5], [9])
    # Of the numbers 2 and 3 the row lacks 2, and has 4 there.
    assert (pairs.numbers.tolist(), pairs.missing.tolist(), pairs.extra.tolist()) == ([2], [1], [1])


def test_words_in_any_order_are_counted_by_how_rare_they_are():
    texts = ["the ant sleeps here at night", "the bee sleeps there at noon", "the cow"]
    index, pairs = compare(["at night here sleeps the elk at last"], texts[:1])
    (alike,) = pairs.alike.tolist()
    # Each of the 6 words stands in the only text, so all weigh the same, and 5 of them are there.
    assert round(alike, 6) == round(5 / 6, 6)
    index, _ = compare([], texts)
    # log(1 + 3 texts / 3 with "the", 1 with "ant")
    assert np.allclose(index.weight[:2], [np.log(2), np.log(4)])


def test_a_run_in_many_texts_is_template_and_counts_for_nothing():
    names = [f"name{n}" for n in range(31)]
    texts = [f"answer in one word only please: who is {name} of all people" for name in names]
    index, pairs = compare(["answer in one word only please: what is love"], texts)
    assert len(pairs.row) == 0
    # Runs of 3 that hold the name: "who is name", "is name of", "name of all" - 5 words.
    assert set(index.n_content.tolist()) == {5}


def test_brief_texts_are_found_by_single_words():
    _, pairs = compare(["name 3 primary colors"], ["name three primary colours"], least=0.4)
    assert (pairs.row.tolist(), pairs.text.tolist()) == ([0], [0])


def test_a_hash_of_all_words_tells_equal_texts_and_those_without_words():
    left, right, other, none = whole_hashes(tokens_of(large(["a, b!", "a b", "b a", "?!"]))).tolist()
    assert left == right != other
    assert none == 0


@given(WORDS, st.lists(WORDS, min_size=1, max_size=4))
def test_covered_words_are_those_in_runs_of_n_that_both_have(row, texts):
    _, pairs = compare([row], texts)
    mine = row.split()
    mine = {tuple(mine[at : at + 4]) for at in range(len(mine) - 3)}
    found = dict(zip(pairs.text.tolist(), pairs.covered.tolist(), strict=True))
    for number, text in enumerate(texts):
        words = text.split()
        covered = set()
        for at in range(len(words) - 3):
            if tuple(words[at : at + 4]) in mine:
                covered |= set(range(at, at + 4))
        # A word that a text repeats may be found in its first place only.
        assert found.get(number, 0) <= len(covered)
        if len(set(words)) == len(words):
            assert found.get(number, 0) == len(covered)


@given(st.lists(WORDS, max_size=8), st.lists(WORDS, min_size=1, max_size=4), st.integers(0, 8))
def test_batch_borders_do_not_matter(rows, texts, border):
    def pairs(some, start=0):
        _, found = compare(some, texts) if some else (None, None)
        if found is None:
            return set()
        return {(row + start, *rest) for row, *rest in zip(*(column.tolist() for column in found), strict=True)}

    assert pairs(rows) == pairs(rows[:border]) | pairs(rows[border:], len(rows[:border]))
