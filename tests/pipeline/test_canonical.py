import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.canonical import canonical_keys


def keys(*texts):
    return canonical_keys(pa.array(texts, pa.large_string()))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Please find a big city!", "find the large cities"),
        ("how do sailboats work", "how does a sailboat work?"),
        ("describe a typical monring", "describe typical mornings"),  # swapped letters
        ("the report", "the reprot"),
        ("say it it again", "say it again"),
        ("I can't go", "i cant go"),
        ("Schöne Vögel fliegen", "schönen vogel fliegen"),
        ("请介绍这个城市", "介绍这个城市。"),
    ],
)
def test_texts_of_one_meaning_have_equal_keys(left, right):
    one, other = keys(left, right)

    assert one.tolist() == other.tolist()


def test_order_is_in_the_second_key_alone():
    one, other = keys("convert dollars to euros", "convert euros to dollars")

    assert one[0] == other[0]
    assert one[1] != other[1]


def test_other_words_and_numbers_have_other_keys():
    found = keys("name a city", "name a fruit", "add 12", "add 21", "写一首诗", "写一封信")

    assert len(np.unique(found[:, 0])) == 6


def test_a_text_without_words_has_no_key():
    assert keys("", "?!", " ", "。").tolist() == [[0, 0]] * 4
    assert keys().shape == (0, 2)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=8))
def test_a_text_has_one_key_wherever_it_stands(texts):
    whole = keys(*texts)

    assert whole.tolist() == [keys(text)[0].tolist() for text in texts]
    assert canonical_keys(pa.array(["x", *texts], pa.large_string())[1:]).tolist() == whole.tolist()
