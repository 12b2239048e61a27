import numpy as np
import pyarrow as pa
import pytest

from pipeline.lexer import ends_with, tokens_of


def tokens(*texts):
    return tokens_of(pa.array(texts, pa.large_string()))


def same(left, right):
    return tokens(left).hashes.tolist() == tokens(right).hashes.tolist()


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("tom's cat, the **black** one!", "toms cat the black one"),
        ("tom’s", "tom's"),
        ("it costs 1,000 (or $2.50)", "it costs 1000 or 2.50"),
        ("three cats", "3 cats"),
        ("a-b", "a b"),  # a sign of arithmetic only beside a digit
        ("什么是狗", "什 么 是 狗"),
    ],
)
def test_markup_and_typography_hide_nothing(left, right):
    assert same(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [("3 + 5", "3 - 5"), ("5%", "5"), ("2.5", "25"), ("1,5", "15"), ("10", "1 0"), ("cats", "cat")],
)
def test_numbers_signs_beside_them_and_words_are_content(left, right):
    assert not same(left, right)


def test_numbers_are_known_as_such():
    assert (tokens("3 cats, two of 10th age 2.5").hashes & np.uint64(1)).tolist() == [1, 0, 1, 0, 1, 0, 1]


def test_every_text_has_its_own_tokens_whatever_the_array_was_cut_from():
    texts = pa.array(["a b", "", "?!", "c 😀 𠀀"], pa.large_string())
    assert tokens_of(texts).starts.tolist() == [0, 2, 2, 2, 4]  # an emoji is none, a rare Han character is one
    assert tokens_of(texts.slice(3)).hashes.tolist() == tokens("c 𠀀").hashes.tolist()
    assert tokens_of(texts.slice(0, 0)).starts.tolist() == [0]


def test_a_text_stands_at_the_end_of_another_with_few_words_after_it():
    rows = tokens("so it is 18 dollars in all", "18 and then 20 more are bought", "18")
    finals = tokens("18", "")
    row, final = np.array([0, 1, 2, 0]), np.array([0, 0, 0, 1])
    assert ends_with(rows, row, finals, final, 3).tolist() == [True, False, True, False]
