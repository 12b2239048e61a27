import csv
import json
import os
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist

from pipeline.nodes import nodes_of
from pipeline.similarity import near_nodes, near_pairs, normal, pair_score, scores

SHARED = Path(os.environ.get("TUNELOOP_SHARED", Path(__file__).parents[2] / ".." / "shared" / "data"))
WORDS = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "heath",
    "inlet",
    "jetty",
    "kiosk",
    "ledge",
    "mango",
    "north",
    "olive",
    "pearl",
    "quilt",
]


def found(texts, threshold=0.9, sides=None):
    if sides is None:
        pairs = near_pairs(pa.array(texts, pa.string()), threshold)
    else:
        pairs = near_nodes(nodes_of(normal(pa.array(texts))), threshold, np.array(sides, np.int8))
    assert (pairs.left < pairs.right).all()
    return {(int(a), int(b)): round(float(s), 3) for a, b, s in zip(pairs.left, pairs.right, pairs.score, strict=True)}


def test_normal_texts_have_one_blank_between_words_one_form_of_accents_and_lower_case():
    texts = pa.array([" Café\u00a0AU\n\tlait ", "Cafe\u0301 au lait", None, " \u3000\n", "a\0b"])

    assert normal(texts).to_pylist() == ["café au lait", "café au lait", "", "", "a\0b"]


def test_a_score_is_the_share_of_characters_that_stay():
    # "colour" without its u: 1 of 6 + 5 characters goes.
    assert found(["The colour", "the  color"]) == {(0, 1): round(1 - 1 / (10 + 9), 3)}


def test_batch_scores_and_single_scores_agree():
    left, right = ["abcd", "abcd", "a" * 30_000 + " b c"], ["abcx", "wxyz", "a" * 30_000 + " b d"]
    batch = scores(pa.array(left, pa.large_string()), pa.array(right, pa.large_string()), 0.5)

    # 2 of 8 characters differ; nothing is shared; over 20,000 characters words count: 2 of 6.
    assert batch.tolist() == pytest.approx([0.75, 0, 2 / 3], abs=1e-6)
    assert batch.tolist() == pytest.approx([pair_score(a, b, 0.5) for a, b in zip(left, right, strict=True)], abs=1e-6)


def test_texts_under_the_threshold_are_no_pair():
    texts = ["twenty letters, these", "twenty letters, those"]  # one of 21 goes, one comes: 1 - 2 / 42

    assert found(texts, 0.952) == {(0, 1): 0.952}
    assert found(texts, 0.953) == {}


def test_near_texts_with_other_numbers_are_no_pair():
    assert found(["add 2 to the sum of these", "add 3 to the sum of these"], 0.9) == {}


def test_equal_texts_pair_with_the_first_of_them():
    assert found(["one two", "other", "One  Two", "ONE TWO"]) == {(0, 2): 1.0, (0, 3): 1.0}


def test_empty_and_blank_texts_are_in_no_pair():
    assert found(["", " ", None, "\n\t", "\u3000"]) == {}


def test_single_characters_pair_when_equal_and_not_otherwise():
    assert found(["a", "b", "A", "你", "你", "😀", "😀"]) == {(0, 2): 1.0, (3, 4): 1.0, (5, 6): 1.0}


def test_no_texts_give_no_pairs():
    assert found([]) == {}


@pytest.mark.parametrize("n_words", [6, 8, 12, 20, 50])
def test_one_changed_letter_is_found_in_texts_of_every_length(n_words):
    draw = random.Random(n_words)
    texts = [" ".join(draw.choices(WORDS, k=n_words)) + f" {n}" for n in range(300)]
    # The last letter of a word in the middle changes: one of at least 6 x 5 letters, so the score is over 0.94.
    edited = [text[: len(text) // 2] + "x" + text[len(text) // 2 + 1 :] for text in texts]
    pairs = found(texts + edited, 0.9)

    assert sum((n, n + 300) in pairs for n in range(300)) >= 295


def test_a_pair_across_the_length_where_shingles_grow_is_found():
    text = " ".join(random.Random(1).choices(WORDS, k=100))[:390]

    assert (0, 1) in found([text, text + " and some more words"], 0.9)  # 390 and 410 bytes


def test_a_million_characters_are_scored_in_a_moment():
    draw = random.Random(2)
    words = draw.choices([f"{a}{b}" for a in WORDS for b in WORDS], k=150_000)
    edited = ["changed" if n % 50_000 == 7 else word for n, word in enumerate(words)]

    # 3 of 150,000 words go and 3 come.
    assert found([" ".join(words), " ".join(edited)]) == {(0, 1): 1.0}
    assert pair_score(" ".join(words), " ".join(edited), 0.9) == pytest.approx(1 - 6 / 300_000)


def test_only_pairs_of_different_sides_are_returned_when_sides_are_given():
    texts = ["alpha beta gamma", "alpha beta gamma!", "alpha beta gamma?", "omega"]

    assert set(found(texts, 0.9, [0, 0, 1, 1])) == {(0, 2), (1, 2)}


def test_a_row_of_another_side_is_found_in_a_bucket_full_of_one_side():
    # 400 rows of one template on side 0, and one of its rows again on side 1 with another full stop.
    rows = [f"Write a short story about the word {a}{b} for a child" for a in WORDS[:4] for b in range(100)]
    pairs = found([*rows, rows[137] + "."], 0.9, [0] * 400 + [1])

    assert (137, 400) in pairs


# Two words of 200 characters differ, so that all rows are near each other and most buckets hold them all.
LONG_TEMPLATE = (
    "Read the task with care, then write one short sentence in plain words that a child of seven can follow, and make "
    "sure that it holds the words {} and {} at least once each, with no other rare word beside them."
)
LIKE_ROWS = [LONG_TEMPLATE.format(a + b, c) for a in WORDS for b in "bdfgklmnprst" for c in WORDS]


def test_rows_of_another_side_that_share_no_rare_word_with_a_full_bucket_still_find_their_like():
    # Twenty of them stand together in the alphabet, so most have no neighbour of the other side.
    n, others = len(LIKE_ROWS), [LONG_TEMPLATE.format("zo" + b, "gnu") for b in "abcdefghijklmnopqrst"]
    pairs = found([*LIKE_ROWS, *others], 0.9, [0] * n + [1] * len(others))

    assert {right for _, right in pairs} == set(range(n, n + len(others)))


def test_the_pairs_of_a_large_bucket_stay_few_but_those_with_the_same_rare_words_are_among_them():
    # The copies begin otherwise, so they are no neighbours in the alphabet.
    pairs = found([*LIKE_ROWS, *("Do " + row for row in LIKE_ROWS[::20])], 0.9)
    n = len(LIKE_ROWS)

    assert n == 3468
    # All 6.6 million pairs reach 0.9.
    assert len(pairs) < 60 * n
    assert sum((row, n + place) in pairs for place, row in enumerate(range(0, n, 20))) >= 0.8 * n / 20


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.sampled_from("ab c\0é你"), max_size=12), max_size=12), st.randoms(use_true_random=False))
def test_the_pairs_do_not_depend_on_the_order_of_the_texts(texts, draw):
    order = list(range(len(texts)))
    draw.shuffle(order)
    distinct = {normal(pa.array([text]))[0].as_py() for text in texts}

    def named(rows):
        pairs = found(rows, 0.7)
        plain = normal(pa.array(rows, pa.string())).to_pylist()
        return {frozenset((plain[a], plain[b])) for a, b in pairs}

    assert named(texts) == named([texts[n] for n in order])
    assert all(len(pair) == 1 or pair <= distinct for pair in named(texts))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.sampled_from("abc de"), min_size=1, max_size=30), min_size=2, max_size=15))
def test_no_pair_is_wrong_whatever_the_texts(texts):
    plain = normal(pa.array(texts, pa.string())).to_pylist()

    for (a, b), score in found(texts, 0.8).items():
        assert score == pytest.approx(Indel.normalized_similarity(plain[a], plain[b]), abs=1e-3)
        assert score >= 0.8 - 1e-6


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no shared data at {SHARED}")
@pytest.mark.parametrize("name", ["alpaca", "banking77"])
def test_98_of_100_near_pairs_of_real_prompts_are_found(name):
    if name == "alpaca":
        rows = json.loads((SHARED / "stanford_alpaca" / "alpaca_first5019.json").read_text("utf-8"))
        texts = [row["instruction"] + " " + row["input"] for row in rows]
    else:
        with (SHARED / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
            texts = [row["text"] for row in csv.DictReader(file)][:5000]
    plain = list(dict.fromkeys(normal(pa.array(texts)).to_pylist()))
    whole = cdist(plain, plain, scorer=Indel.normalized_similarity, score_cutoff=0.9, workers=-1, dtype=np.float32)
    true = {(a, b) for a, b in zip(*map(np.ndarray.tolist, np.nonzero(whole)), strict=True) if a < b}

    assert len(true & set(found(plain))) >= 0.98 * len(true) > 0
