import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.same_edit import chrf, same_edit


@pytest.mark.parametrize(
    ("one", "other"), [("4", "5"), ("Paris", "paris"), ("Paris", "Paris."), ("now here", "nowhere"), ("1889", "1887")]
)
def test_at_1_only_equal_texts_are_the_same(one: str, other: str) -> None:
    assert not same_edit(one, other, 1.0)
    assert same_edit(one, f" {one}\n", 1.0)


def test_chrf_sees_no_white_space_and_little_of_a_digit_in_a_long_text() -> None:
    # Why the default is 1: below it, these would be the same edit.
    assert chrf("now here", "nowhere") == 1
    story = "The tower was built for the world's fair by the company of an engineer, and opened in {}. " * 3
    assert chrf(story.format(1889, 1889, 1889), story.format(1889, 1889, 1887)) > 0.95


@given(st.text(), st.text(), st.floats(0.01, 1))
def test_the_order_of_two_texts_is_no_matter(one: str, other: str, threshold: float) -> None:
    assert same_edit(one, other, threshold) == same_edit(other, one, threshold)
    assert same_edit(one, one, threshold)
