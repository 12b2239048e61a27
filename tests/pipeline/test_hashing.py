import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.hashing import buffers, gather, numbered, order_of, text_hashes


def large(texts):
    return pa.array(texts, pa.large_string())


def test_equal_texts_have_equal_hashes_and_others_do_not():
    texts = ["", "a", "a\0", "\0a", "ab", "a", "abcdefgh", "abcdefghi", "abcdefgh\0"]
    hashes = {tuple(row) for row in text_hashes(large(texts)).tolist()}

    assert len(hashes) == 8  # "a" stands twice
    assert (text_hashes(large(texts))[1] == text_hashes(large(texts))[5]).all()
    assert (text_hashes(large(["a"])) != text_hashes(large(["a"]), 1)).all()


def test_a_hash_does_not_depend_on_what_stands_before_the_text():
    assert (text_hashes(large(["xyz", "word"]).slice(1)) == text_hashes(large(["word"]))).all()


def test_numbers_follow_the_order_of_first_appearance():
    codes, first = numbered(np.array([9, 4, 9, 7, 4], np.uint64))

    assert codes.tolist() == [0, 1, 0, 2, 1]
    assert first.tolist() == [0, 1, 3]


def test_keys_of_128_bits_that_share_one_half_are_told_apart():
    codes, _ = numbered(np.array([[1, 2], [1, 3], [2, 2], [1, 2]], np.uint64))

    assert codes.tolist() == [0, 1, 2, 0]


@given(st.lists(st.integers(0, 2**32 - 1), max_size=50))
def test_rows_are_put_in_order_of_their_keys_and_equal_ones_stay_in_order(keys):
    array = np.array(keys, np.uint32)

    assert order_of(array).tolist() == np.argsort(array, kind="stable").tolist()


@given(st.lists(st.text(max_size=9), min_size=1, max_size=9), st.data())
def test_texts_are_copied_out_as_they_are(texts, data):
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=9))

    assert gather(*buffers(large(texts)), np.array(rows, np.int64)).to_pylist() == [texts[row] for row in rows]
