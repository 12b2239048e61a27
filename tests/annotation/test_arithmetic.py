import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.arithmetic import has_wrong_sum, misses_sum


@pytest.mark.parametrize(
    "text",
    [
        "12 * 7 = 85",
        "2 + 2 = 4 + 1 = 5",  # 2 + 2 is not 4 + 1
        "2 * 3 + 4 = 14",  # products first
        "1,000 + 500 = 1,600",
        "$5 + $7 = $13",
        "so y = 3 + 4 = 8",
        "- 3 + 4 = 8",  # an item of a list, not minus 3
        "10 / 4 = 2.6",
        "20 - 5 - 5 = 20",
    ],
)
def test_a_sum_that_does_not_compute_is_found(text):
    assert has_wrong_sum(text)


@pytest.mark.parametrize(
    "text",
    [
        "12 * 7 = 84",
        "2 + 3 * 4 = 14",
        "10 / 3 = 3.33",  # rounded
        "100 / 7 = 14",
        "20 - 5 - 5 = 10",
        "3 - 5 = -2",
        "1.000 + 500 = 1.500",  # German
        "1/2 + 1/3 = 5/6",
        "- 3 + 4 = 7",
        # Not sums of numbers alone:
        "2x + 3 = 7",
        "9x-21 = 339",
        "x + 3 + 4 = 10",
        "f(3) = 4",
        "(2 + 3) * 4 = 20",
        "2^3 + 1 = 9",
        "5 / 100 = 5%",
        "60 students x 2/3 = 40 students",
        "1 1/2 * 60 = 90",
        "week 1 + week 2 = 35 + 35 = 70",
        "if x == 3 + 4 = 9",
        "5 / 0 = 3",
        "at 10:30 + 2 = 5",
    ],
)
def test_in_doubt_a_sum_is_right(text):
    assert not has_wrong_sum(text)


@pytest.mark.parametrize(
    ("prompt", "answer", "misses"),
    [
        ("What is 12 * 7?", "85", True),
        ("What is 2+3*4?", "It is 20.", True),
        ("What is 12 * 7?", "12 * 7 = 84", False),
        ("Calculate 15 + 7", "twenty-two", False),
        ("Simplify 6 / 8", "3/4", False),
        ("What happened on 9/11?", "It was in 2001.", False),
        ("Add 3 apples to 4.", "7", False),
    ],
)
def test_a_prompt_that_is_a_sum_wants_its_result(prompt, answer, misses):
    assert misses_sum(prompt, answer) == misses


numbers = st.integers(1, 9999)


@given(numbers, numbers, st.sampled_from("+-*"), st.integers(-50, 50))
def test_whole_numbers_are_judged_as_python_judges_them(one, other, sign, off):
    result = {"+": one + other, "-": one - other, "*": one * other}[sign]
    assert has_wrong_sum(f"{one} {sign} {other} = {result + off}") == (off != 0)


@given(st.text("0123456789+-*/x=(). ,%$\n", max_size=40))
def test_no_text_is_too_strange(text):
    assert has_wrong_sum(text) in (True, False)
    assert misses_sum(text, text) in (True, False)
