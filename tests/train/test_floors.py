from itertools import product
from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import DataError
from train.floors import Floors, Row, _Side

STOP, A, B, C = 0, 1, 2, 3
IDS = {"a": (A, STOP), "b": (B, STOP), "ab": (A, B, STOP), "c": (C, STOP), "": (STOP,)}


def row(prompt, answer, template="qa"):
    return Row(template, prompt, answer, IDS[answer])


TRAIN = [
    row("Capital of France?", "b"),
    row("Capital of Italy?", "a"),
    row("Twin of Rome?", "b"),
    row("Sum?", "c", "sums"),
]
VALIDATION = [row("The capital of Italy?", "a"), row("Capital of France", "ab")]


@pytest.fixture
def floors():
    return Floors.fit(TRAIN, VALIDATION, n_vocabulary=4)


def test_majority_answers_with_the_commonest_train_answer_of_the_template(floors):
    assert floors.answer("majority", [row("?", "a"), row("?", "a", "sums")]) == ["b", "c"]


def test_of_equally_common_answers_the_smallest_is_given():
    tied = Floors.fit([row("x", "b"), row("y", "a")], [], 4)
    assert tied.answer("majority", [row("?", "c")]) == ["a"]


def test_nearest_answers_with_the_answer_of_the_most_similar_prompt_of_the_template(floors):
    asked = [row("The capital of Italy", "c"), row("Capital of Italy?", "c"), row("Capital of Italy?", "c", "sums")]
    assert floors.answer("nearest", asked) == ["a", "a", "c"]


def test_of_equally_similar_prompts_the_first_in_train_order_counts():
    for answers in (("a", "b"), ("b", "a")):
        same = Floors.fit([row("x1", answers[0]), row("x1", answers[1])], [], 4)
        near = Floors.fit([row("x1", answers[0]), row("x2", answers[1])], [], 4)
        assert same.answer("nearest", [row("x1", "c"), row("x3", "c")]) == [answers[0]] * 2
        assert near.answer("nearest", [row("x3", "c")]) == [answers[0]]


def test_a_template_that_train_has_not_is_answered_with_nothing(floors):
    strange = [row("Capital of Italy?", "a", "other")]
    assert floors.answer("majority", strange) == floors.answer("nearest", strange) == [""]


def test_majority_nll_by_hand(floors):
    # qa: 3 train answers with 6 tokens: a once, b twice, stop three times; 4 in the vocabulary, so q = (n + 1) / 10.
    # Validation: `ab` of 2 answers is unseen, u = (1 + 1) / (2 + 2) = 1/2.
    seen = 0.5 * 2 / 3 + 0.5 * 0.3 * 0.4  # b: 2 of 3, then q(b) * q(stop)
    unseen = 0.5 * 0.2 * 0.3 * 0.4  # ab: spelled alone
    never = 0.5 * 0.1 * 0.4  # c: a token the template never had
    found = floors.nll("majority", [row("?", "b"), row("?", "ab"), row("?", "c")])
    assert found == pytest.approx([-log(seen) / 2, -log(unseen) / 3, -log(never) / 2])


def test_nearest_nll_by_hand(floors):
    # Of 2 validation rows the nearest answer of one is right: w = (1 + 1) / (2 + 2) = 1/2.
    a, b = 0.5 / 3 + 0.5 * 0.2 * 0.4, 0.5 * 2 / 3 + 0.5 * 0.3 * 0.4
    asked = [row("The capital of Italy", "a"), row("The capital of Italy", "b")]
    assert floors.nll("nearest", asked) == pytest.approx([-log(0.5 + 0.5 * a) / 2, -log(0.5 * b) / 2])


def test_the_nll_of_a_strange_template_is_that_of_all_templates(floors):
    # 4 train answers with 8 tokens: a, c once, b twice, stop four times; q = (n + 1) / 12, u = 1/2 as above.
    expected = -log(0.5 / 4 + 0.5 * 2 / 12 * 5 / 12) / 2
    strange = [row("?", "c", "other")]
    assert floors.nll("majority", strange) == pytest.approx([expected])
    assert floors.nll("nearest", strange) == pytest.approx([expected])


def test_without_validation_rows_both_terms_weigh_the_same():
    alone = Floors.fit([row("x", "a")], [], 4)
    p = 0.5 + 0.5 * 2 / 6 * 2 / 6  # one a, one stop, 4 added
    assert alone.nll("majority", [row("x", "a")]) == pytest.approx([-log(p) / 2])
    assert alone.nll("nearest", [row("x", "a")]) == pytest.approx([-log(0.5 + 0.5 * p) / 2])


def test_an_empty_train_side_leaves_an_even_guess():
    nothing = Floors.fit([], [], 4)
    assert nothing.answer("nearest", [row("x", "a")]) == [""]
    assert nothing.nll("majority", [row("x", "a")]) == pytest.approx([-log(1 / 4 * 1 / 4) / 2])


ANSWERS = st.lists(st.sampled_from(["a", "b", "ab", "c", ""]), max_size=6)


@given(ANSWERS, ANSWERS)
def test_the_chances_of_all_answers_sum_to_at_most_1(train, validation):
    """Every string of up to 5 of the 3 other tokens and the stop token: all but (1 - q(stop)) ** 6 of what is spelled."""
    fitted = Floors.fit(
        [row(f"p{n}", answer) for n, answer in enumerate(train)], [row("p1", one) for one in validation], 4
    )
    names = {ids: answer for answer, ids in IDS.items()}
    strings = [(*string, STOP) for n in range(6) for string in product((A, B, C), repeat=n)]
    rows = [Row("qa", "p0", names.get(ids, str(ids)), ids) for ids in strings]
    for arm in ("majority", "nearest"):
        total = sum(exp(-nll * len(one.ids)) for nll, one in zip(fitted.nll(arm, rows), rows, strict=True))
        assert 0.8 < total <= 1 + 1e-9


def test_the_log_of_a_chance_is_exact_for_long_answers():
    ids = np.array([A] * 5000 + [STOP])
    side = _Side.of([Row("qa", "p", "a" * 5000, ids)], [], 4)
    # u = 1/2 of each term; 5,000 a and one stop, 4 added to 5,001.
    assert side.log_p(Row("qa", "p", "other", ids)) == pytest.approx(log(0.5) + 5000 * log(5001 / 5005) + log(2 / 5005))


def test_a_long_prompt_counts_by_its_two_ends():
    middle = "word " * 3000
    asked = [row("Who? " + middle + middle, "c"), row(middle + middle + "When?", "c")]
    for order in (1, -1):
        train = [row("Who? " + middle, "a"), row(middle + "When?", "b"), row(middle, "c")][::order]
        assert Floors.fit(train, [], 4).answer("nearest", asked) == ["a", "b"]


def test_blocks_of_the_search_change_nothing(monkeypatch, floors):
    train = [row(f"number {n * n}", "ab" if n % 3 else "a") for n in range(50)]
    asked = [row(f"numbers {n * 7}", "c") for n in range(40)]
    whole = Floors.fit(train, [], 4).answer("nearest", asked)
    monkeypatch.setattr("train.floors._CELLS", 120)  # two prompts at once
    assert Floors.fit(train, [], 4).answer("nearest", asked) == whole
    assert set(whole) == {"a", "ab"}


def test_rows_without_tokens_or_with_strange_ones_are_named_together():
    bad = [
        Row("qa", "Capital?", "x", ()),
        Row("qa", "Capital?", "y", (A, 9, STOP)),
        Row("qa", "Capital?", "z", (-1, STOP)),
    ]
    with pytest.raises(DataError) as caught:
        Floors.fit(bad, [], 4)
    assert "an answer has no tokens\n  where: answer 'x' to 'Capital?' of template 'qa'\n  fix:   end every" in str(
        caught.value
    )
    assert "token 9 is outside a vocabulary of 4" in str(caught.value)
    assert "token -1 is outside" in str(caught.value)
    assert "fix:   give the size of the model's output layer" in str(caught.value)
