import random
from itertools import combinations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.buckets import FULL_BUCKET
from pipeline.nodes import nodes_of
from pipeline.pairing import Changed, candidates, still_paired
from pipeline.plain import normal

WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty", "kiosk", "ledge"]


def nodes(texts, space=None):
    return nodes_of(pa.array(texts, pa.large_string()), None if space is None else np.array(space, np.int32))


def told(found):
    whole = np.unique(np.concatenate([np.zeros(0, np.uint64), *found]))
    return {(int(pair >> np.uint64(32)), int(pair & np.uint64(0xFFFFFFFF))) for pair in whole}


def found(texts, least=0.8, **options):
    return told(candidates(nodes(texts), least, **options))


def test_a_bucket_up_to_its_limit_gives_all_pairs():
    # The last letter differs alone, so all stand in the buckets of their many common shingles.
    texts = [f"one fixed beginning of some length {letter}" for letter in "abcdefghijklmnop"[:FULL_BUCKET]]

    assert found(texts) == set(combinations(range(FULL_BUCKET), 2))


def test_texts_that_differ_in_punctuation_alone_are_candidates_however_short():
    assert found(["yes", "yes.", "no"]) == {(0, 1)}


def test_texts_of_two_spaces_are_never_compared():
    texts = ["the same words here", "the same words here!", "the same words here?"]

    assert told(candidates(nodes(texts, [0, 1, 0]), 0.8)) == {(0, 2)}


def test_texts_with_other_numbers_are_no_candidates():
    assert found(["add the number 3 to it", "add the number 4 to it", "add the number 3 to it!"]) == {(0, 2)}


def test_no_texts_and_texts_without_letters_are_fine():
    assert found([]) == set()
    assert found(["?", "!!", "...", "a"]) == set()


def rows_of_one_template(n):
    draw = random.Random(n)
    rows = {f"write one short line with the words {a}{b} and {c}" for a in WORDS for b in "bdfgkl" for c in WORDS}
    return sorted(draw.sample(sorted(rows), n))


def test_a_large_bucket_gives_a_few_pairs_a_text_and_those_that_are_nearest_among_them():
    rows = rows_of_one_template(800)
    edited = [row.replace("short line", "shortline") for row in rows[::10]]
    pairs = found([*rows, *edited])

    assert len(pairs) < 60 * len(rows)
    assert sum((row, 800 + place) in pairs for place, row in enumerate(range(0, 800, 10))) >= 76  # of 80


def shuffled_texts(draw_from):
    return st.lists(st.text(st.sampled_from(draw_from), min_size=1, max_size=30), unique=True, max_size=40)


@settings(max_examples=60)
@given(shuffled_texts("abc de"), st.randoms(use_true_random=False))
def test_candidates_do_not_depend_on_the_order_of_the_texts(texts, draw):
    texts = [text for text in dict.fromkeys(normal(pa.array(texts, pa.string())).to_pylist()) if text]
    order = draw.sample(range(len(texts)), len(texts))
    again = {tuple(sorted((order[a], order[b]))) for a, b in found([texts[at] for at in order], 0.5)}

    assert again == found(texts, 0.5)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_what_new_texts_bring_and_what_still_holds_is_what_a_search_from_scratch_finds(seed):
    # Rows of one template fill large buckets, in which new ones push old ones apart.
    draw = random.Random(seed)
    rows = rows_of_one_template(150)
    rows += [row.replace("line", draw.choice(["lines", "lin", "linee"])) for row in draw.sample(rows, 30)]
    draw.shuffle(rows)
    n_old = draw.randrange(len(rows) + 1)
    before = np.array([(a << 32) | b for a, b in sorted(found(rows[:n_old]))], np.uint64)
    whole = nodes(rows)
    changed = Changed(np.arange(len(rows)) >= n_old, np.zeros(len(rows), np.bool_))

    fresh = told(candidates(whole, 0.8, changed=changed))
    kept = before[still_paired(whole, before, 0.8)]
    cold = ~(changed.hot[kept >> np.uint64(32)] & changed.hot[kept & np.uint64(0xFFFFFFFF)])

    assert all(b >= n_old for _, b in fresh)
    assert fresh | told([kept]) == found(rows)
    # Pairs outside of what grew need not be asked.
    assert set(told([before[still_paired(whole, before, 0.8)]])) >= told([kept[cold]])


def test_a_pair_whose_bucket_did_not_grow_large_holds_without_being_asked():
    texts = ["explain how a car works", "explain how a car works!", "name a fruit"]
    changed = Changed(np.array([False, False, True]), np.zeros(3, np.bool_))

    assert told(candidates(nodes(texts), 0.8, changed=changed)) == set()
    assert not changed.hot.any()


def test_only_pairs_of_different_sides_are_given_when_sides_are():
    texts = ["alpha beta gamma", "alpha beta gamma!", "alpha beta gamma?", "omega"]

    assert found(texts, 0.9, side=np.array([0, 0, 1, 1], np.int8)) == {(0, 2), (1, 2)}
