import pytest

from train.evidence_words import finds_from, p_words


@pytest.mark.parametrize(
    ("p", "words"),
    [
        (None, ""),
        (0.0002, "< 0.001"),
        (0.0329, "0.032"),
        (0.04999, "0.049"),
        (0.05, "0.05"),
        (0.714, "0.71"),
        (1.0, "1.00"),
    ],
)
def test_a_p_value_never_looks_smaller_or_larger_than_one_in_twenty_when_it_is_not(p, words):
    assert p_words(p) == words


@pytest.mark.parametrize(("value", "words"), [(None, "unknown"), (0.0301, "0.031"), (0.031, "0.031"), (0.0, "0.000")])
def test_what_a_test_finds_is_rounded_up_so_that_it_promises_no_more(value, words):
    assert finds_from(value) == words
