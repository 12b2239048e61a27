import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.rule_checks import RULES
from annotation.suspicion import chance_of, reason, suspicion
from annotation.suspicion import surprise_of as suspicion_surprise

NAN = float("nan")


def surprise_of(template, tuned, base, *doubts):
    """Return the surprise; without doubt unless some are given."""
    return suspicion_surprise(template, tuned, base, [np.array(one) for one in doubts or [np.full(len(tuned), NAN)]])


def names(*values: str) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(some, pa.string()) for some in (values[:1], values[1:])])


def no_rules(n: int) -> np.ndarray:
    return np.zeros(n, np.uint32)


def rule(name: str) -> int:
    return 1 << [one.name for one in RULES].index(name)


def test_each_template_is_ranked_by_itself():
    # sums 1 < 2 < 9, tales 50 < 60: a likely tale costs more than an unlikely sum.
    template = names("sums", "tales", "sums", "tales", "sums")
    surprise = surprise_of(template, np.array([2.0, 50, 9, 60, 1]), np.zeros(5))
    # (position - 0.5) / n
    assert surprise.unlikely.tolist() == [1.5 / 3, 0.5 / 2, 2.5 / 3, 1.5 / 2, 0.5 / 3]


def test_what_training_helped_least_counts_as_much_as_what_is_unlikely():
    # Both answers cost 2 now; the first cost 9 before and the second 1: training made it less likely.
    surprise = surprise_of(names("sums", "sums"), np.array([2.0, 2]), np.array([9.0, 1]))
    assert surprise.gain.tolist() == [-7, 1]
    assert surprise.unlikely.tolist() == [0.5, 0.5]  # equals share their rank
    assert surprise.unlearned.tolist() == [0.25, 0.75]
    assert surprise.both.tolist() == [0.375, 0.625]


def test_rows_without_a_score_take_no_part_and_no_place():
    surprise = surprise_of(names("sums", "sums", "sums"), np.array([1.0, NAN, 2]), np.array([NAN, 1, NAN]))
    assert surprise.unlikely[[0, 2]].tolist() == [0.25, 0.75]
    assert surprise.both.tolist() == [0.25, 0, 0.75]  # without the base, the first rank alone; without both, nothing


def test_rules_and_doubts_of_both_models_join_as_chances_and_surprise_orders_what_is_equal():
    # The root of the mean doubt of the template, 16 / 16 = 1, is what firmness is measured by; one in ten is firm.
    n = 16
    seen, unseen = [16.0, *[0.0] * 15], [0.0, 16.0, *[0.0] * 14]
    surprise = surprise_of(names(*["sums"] * n), np.arange(1.0, n + 1), np.zeros(n), seen, unseen)
    firm = 0.7 * 256 / (256 + 25)
    assert surprise.chance == pytest.approx([firm, firm, *[0] * 14])
    both = surprise_of(names(*["sums"] * n), np.arange(1.0, n + 1), np.zeros(n), seen, seen)
    assert both.chance[0] == pytest.approx(1 - (1 - firm) ** 2)
    bits = np.zeros(n, np.uint32)
    bits[0] = rule("conflict")
    ranks = (np.arange(n) + 0.5) / n  # both ranks are alike here
    expected = np.array([1 - 0.5 * (1 - firm), firm, *[0] * 14])
    assert suspicion(surprise, bits) == pytest.approx(expected * 0.999 + 0.001 * ranks)


def test_without_any_doubt_only_rules_and_ranks_count():
    surprise = surprise_of(names("sums", "sums"), np.array([1.0, 2]), np.array([1.0, 1]))
    assert suspicion(surprise, no_rules(2)).tolist() == pytest.approx([0.00025, 0.00075])


def test_half_of_the_largest_chance_is_reached_at_five_nats():
    assert chance_of(0.0) == 0
    assert chance_of(5.0) == pytest.approx(0.35)
    assert chance_of(1e6) == pytest.approx(0.7)


def test_a_template_that_is_hardly_ever_doubted_does_not_blow_a_small_doubt_up():
    surprise = surprise_of(names(*["sums"] * 5), np.zeros(5), np.zeros(5), [0.1, 0, 0, 0, NAN])
    assert surprise.chance == pytest.approx([chance_of(0.1 / 0.05**0.5), 0, 0, 0, 0])


def test_firm_doubt_has_a_sentence_where_the_model_is_worth_it():
    rare = surprise_of(names(*["sums"] * 10), np.zeros(10), np.zeros(10), [9.0, *[0] * 9])
    assert "A trained model doubts that this answer is right." in reason(rare, no_rules(10), 0, "sums")
    assert "doubts" not in reason(rare, no_rules(10), 1, "sums")
    # Three of ten are doubted, where one in ten may be wrong: a third of the chance.
    often = surprise_of(names(*["sums"] * 10), np.zeros(10), np.zeros(10), [9.0, 9, 9, *[0] * 7])
    assert often.chance[0] == pytest.approx(chance_of(9 / 2.7**0.5) / 3)
    assert "doubts" not in reason(often, no_rules(10), 0, "sums")


def of_hundred(cost: float, before: float = 5.0) -> str:
    """Return the reason for an answer beside 99 that cost 0 to 98, and 5 more before training."""
    tuned = np.array([*range(99), cost], float)
    base = np.append(np.arange(99) + 5.0, before)
    return reason(surprise_of(names(*["sums"] * 100), tuned, base), no_rules(100), 99, "sums")


def test_a_reason_says_in_words_what_stands_out():
    unlikely = "The trained model finds this answer very unlikely: more so than 99 of 100 answers to sums."
    assert of_hundred(200.0, before=300.0) == unlikely
    assert of_hundred(200.0, before=100.0) == (
        f"{unlikely} Training made this answer less likely; it helped 99 of 100 answers to sums more."
    )
    assert of_hundred(50.5, before=52.0) == "Training helped 99 of 100 answers to sums more than this one."


def test_a_row_that_stands_out_by_nothing_still_has_a_reason():
    # 51 of the other 99 cost less: position 52, (52 - 0.5) / 100.
    assert of_hundred(50.5, before=90.0) == "The trained model finds this answer less likely than 51 of 100 to sums."


def test_several_reasons_join_and_rules_come_first():
    surprise = surprise_of(names(*["sums"] * 10), np.arange(10.0), np.full(10, NAN))
    bits = no_rules(10)
    bits[9] = rule("conflict") | rule("pii")
    assert reason(surprise, bits, 9, "sums") == (
        "Another example has the same prompt and a different response. It seems to hold personal data. "
        "The trained model finds this answer very unlikely: more so than 95 of 100 answers to sums."
    )


costs = st.floats(0, 50) | st.just(NAN)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), costs, costs), min_size=1, max_size=30))
def test_surprise_lies_between_0_and_1_and_knows_order_only_within_a_template(rows):
    template, tuned, base = zip(*rows, strict=True)
    surprise = surprise_of(names(*template), np.array(tuned), np.array(base))
    assert ((surprise.both >= 0) & (surprise.both < 1)).all()
    alone = [n for n, one in enumerate(template) if one == "a"]
    if alone:
        own = surprise_of(names(*["a"] * len(alone)), np.array(tuned)[alone], np.array(base)[alone])
        np.testing.assert_array_equal(own.both, surprise.both[alone])
