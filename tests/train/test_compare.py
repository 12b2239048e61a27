from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from schemas import DataError
from schemas.report import Comparison
from train.bootstrap import evidence
from train.compare import compare, interval, minimum_detectable, verdict

TENTHS = st.integers(0, 10).map(lambda n: n / 10)
PAIRS = st.lists(st.tuples(TENTHS, TENTHS, st.sampled_from("abcdefghij")), min_size=2, max_size=40)


def compared(one, other, groups, measure="score", **settings):
    return compare(one, other, groups, better="tuned", than="base", measure=measure, resamples=500, **settings)


@given(PAIRS)
def test_the_interval_holds_the_difference(rows):
    one, other, groups = zip(*rows, strict=True)
    found = compared(one, other, groups)
    assert found.low <= found.difference <= found.high
    assert found.difference == pytest.approx(np.mean(one) - np.mean(other))
    assert (found.n, found.n_groups) == (len(rows), len(set(groups)))


@given(PAIRS, st.integers(0, 100))
def test_adding_the_same_to_both_sides_changes_nothing(rows, shift):
    one, other, groups = zip(*rows, strict=True)
    plain = compared(one, other, groups, "score")
    shifted = compared(np.add(one, shift), np.add(other, shift), groups, "score")
    assert (shifted.low, shifted.high) == pytest.approx((plain.low, plain.high), abs=1e-9)


@given(PAIRS)
def test_swapping_the_arms_turns_the_sign_of_the_difference(rows):
    one, other, groups = zip(*rows, strict=True)
    there, back = compared(one, other, groups), compared(other, one, groups)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-9)


@given(PAIRS, st.integers(2, 5))
def test_copies_of_a_groups_rows_do_not_narrow_the_interval(rows, times):
    one, other, groups = zip(*rows, strict=True)
    once = compared(one, other, groups)
    often = compared(np.repeat(one, times), np.repeat(other, times), np.repeat(groups, times))
    assert (often.low, often.high) == pytest.approx((once.low, once.high), abs=1e-9)


def test_groups_of_one_give_the_bootstrap_of_examples():
    values = np.random.default_rng(3).normal(0.1, 1, 400)
    draws = np.random.default_rng(0).integers(0, 400, (2000, 400))
    # 400 groups: t(0.975, 399) = 1.9659, Phi(-sqrt(400 / 399) * 1.9659) = 0.02453.
    expected = np.quantile(values[draws].mean(axis=1), [0.02453, 0.97547])
    assert interval(values, [f"g{n:03}" for n in range(400)], resamples=2000) == pytest.approx(expected, abs=1e-4)


def test_blocks_change_nothing(monkeypatch):
    values, groups = np.random.default_rng(3).normal(0, 1, 90), [f"g{n % 30}" for n in range(90)]
    whole = interval(values, groups, resamples=999)
    monkeypatch.setattr("train.bootstrap._CELLS", 100)  # three resamples at once
    assert interval(values, groups, resamples=999) == pytest.approx(whole)


def test_the_mean_is_over_examples_and_not_over_groups():
    # Group a: three times +1. Groups b to k: once 0. Mean 3 / 13, not 1 / 11.
    found = compared([1] * 3 + [0] * 10, [0] * 13, list("aaabcdefghijk"))
    assert found.difference == pytest.approx(3 / 13)


def test_a_difference_that_is_the_same_everywhere_has_no_spread_however_uneven_the_groups():
    groups = [group for group in range(8) for _ in range(group + 1)]
    assert compared([0.75] * 36, [0.5] * 36, groups).low == compared([0.75] * 36, [0.5] * 36, groups).high == 0.25


def test_the_mean_is_in_the_interval_even_of_a_single_resample():
    values = np.arange(10) ** 3
    low, high = interval(values, range(10), resamples=1)
    assert low <= values.mean() <= high
    assert low < high  # the resample itself is the other end


def test_the_same_seed_gives_the_same_interval():
    values, groups = np.random.default_rng(3).normal(0, 1, 50), range(50)
    assert interval(values, groups, seed=1) == interval(values, groups, seed=1)
    assert interval(values, groups, seed=1) != interval(values, groups, seed=2)


def test_fewer_than_two_groups_give_the_widest_interval():
    score = compared([1, 1, 1], [0, 0, 0], ["a", "a", "a"])
    assert (score.low, score.high, score.holds) == (-1, 1, False)
    nll = compared([1.5], [4.0], ["a"], "nll")
    assert (nll.difference, nll.low, nll.high, nll.holds) == (-2.5, -4, 4, False)
    nothing = compared([], [], [])
    assert (nothing.difference, nothing.low, nothing.high, nothing.n) == (0, -1, 1, 0)
    assert interval([0.2, -0.5], ["a", "a"]) == (-0.5, 0.5)


@pytest.mark.parametrize(("n", "holds"), [(5, False), (6, True)])
def test_a_side_is_claimed_from_six_groups_that_differ(n, holds):
    # By chance alone 5 groups lie on one side in 2 / 32 = 6 % of cases, 6 in 3 %.
    few = compared([1] * n, [0] * n, range(n))
    assert few.holds == holds
    assert few.low == (1 if holds else 0)
    # Examples that do not differ are no evidence: 5 of 40 lie on one side.
    many = compared([1] * 5 + [0] * 35, [0] * 40, range(40))
    assert not many.holds


def test_nothing_holds_where_nothing_differs():
    same = compared([0.1] * 30, [0.1] * 30, range(30))
    assert (same.difference, same.low, same.high, same.holds) == (0, 0, 0, False)


@pytest.mark.parametrize("n_groups", [10, 50])
def test_of_equal_arms_about_one_in_twenty_seems_to_differ(n_groups):
    """200 draws of pairs of equal arms whose groups have effects of their own: expected 10, 3 to 22 at 99.9 %."""
    draws = np.random.default_rng(11)
    groups = np.repeat(np.arange(n_groups), 4)
    wrong = 0
    for seed in range(200):
        one, other = (draws.normal(size=n_groups)[groups] + draws.normal(size=len(groups)) for _ in range(2))
        low, high = interval(one - other, groups, resamples=1000, seed=seed)
        wrong += low > 0 or high < 0
    assert 3 <= wrong <= 22


def test_groups_taken_apart_would_claim_too_much():
    """The same draws with each example a group of its own: well over one in twenty."""
    draws = np.random.default_rng(11)
    wrong = 0
    for seed in range(100):
        values = np.repeat(draws.normal(size=30), 8)
        low, high = interval(values, range(240), resamples=500, seed=seed)
        wrong += low > 0 or high < 0
    assert wrong > 30


def test_a_real_shift_is_found():
    draws = np.random.default_rng(5)
    base = draws.uniform(0, 0.9, 200)
    better = compared(base + 0.1 * draws.uniform(0, 1, 200), base, range(200))
    assert better.holds
    assert better.low < 0.05 < better.high  # the true mean
    lower = compared(base, base + 0.05, range(200), "nll")
    assert lower.holds  # less is better


def test_values_that_do_not_belong_together_are_refused():
    with pytest.raises(DataError) as caught:
        compared([1, 0], [1, 0], ["a"])
    assert str(caught.value) == (
        "2 values, but 1 groups\n  where: comparison of tuned with base on score\n"
        "  fix:   give both for the same examples, in the same order"
    )


def test_values_that_are_no_numbers_are_refused():
    with pytest.raises(DataError, match="1 of 2 values are no finite numbers") as caught:
        compared([1, float("nan")], [1, 0], ["a", "b"])
    assert caught.value.where == "comparison of tuned with base on score"
    assert caught.value.fix.startswith("leave out the examples")


def test_the_minimum_detectable_difference_by_hand():
    # Mean 0.5, four groups of one, squares 4 * 0.25, SE = sqrt(4 / 3 * 1) / 4; 3 degrees of freedom:
    # t(0.975) + t(0.8) = 3.18245 + 0.97847.
    by_hand = 4.16092 * sqrt(4 / 3) / 4
    assert minimum_detectable([0, 1, 0, 1], list("abcd"), power=0.8) == pytest.approx(by_hand, rel=1e-5)
    # Copies of each row within its group tell nothing new.
    assert minimum_detectable([0, 0, 1, 1, 0, 0, 1, 1], list("aabbccdd"), power=0.8) == pytest.approx(by_hand, rel=1e-5)
    assert minimum_detectable([0, 1, 0, 1], list("abcd"), power=0.5) == pytest.approx(
        3.18245 * sqrt(4 / 3) / 4, rel=1e-5
    )
    assert minimum_detectable([1, 2], ["a", "a"]) == inf


def test_the_minimum_detectable_difference_is_found_with_its_power():
    draws = np.random.default_rng(7)
    true = minimum_detectable(np.resize([-1, 1], 100), range(100), power=0.8)
    found = sum(interval(draws.normal(true, 1, 100), range(100), resamples=500)[0] > 0 for _ in range(200))
    assert 140 <= found <= 180  # 160 expected, standard deviation 6


@given(PAIRS)
def test_p_is_under_one_in_twenty_exactly_where_the_interval_leaves_zero_out(rows):
    one, other, groups = zip(*rows, strict=True)
    found = compared(one, other, groups)
    assert 0 < found.p <= 1
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


@given(PAIRS)
def test_p_does_not_depend_on_which_arm_is_named_first(rows):
    one, other, groups = zip(*rows, strict=True)
    assert compared(one, other, groups).p == pytest.approx(compared(other, one, groups).p, abs=1e-9)


def test_p_is_that_of_the_t_test_where_values_are_normal():
    values = np.random.default_rng(2).normal(0.1, 1, 400)
    found = evidence(values, range(400), resamples=20_000)
    assert found.p == pytest.approx(ttest_1samp(values, 0).pvalue, rel=0.1)


@pytest.mark.parametrize(("n", "least"), [(0, 1.0), (1, 1.0), (5, 0.0625), (6, 0.03125)])
def test_p_is_never_below_that_of_a_coin_thrown_once_for_each_group_that_differs(n, least):
    # All n on one side: 2 / 2 ** n.
    assert compared([1] * n + [0] * 40, [0] * (n + 40), range(n + 40)).p >= least


def test_a_single_group_or_nothing_at_all_is_no_evidence():
    for rows in ([], [("a", 1, 0)], [("a", 1, 0), ("a", 1, 0)]):
        found = compared([row[1] for row in rows], [row[2] for row in rows], [row[0] for row in rows])
        assert (found.p, found.detectable, found.reading) == (1, None, "unclear")


def test_right_or_wrong_answers_bring_the_exact_test_along():
    # 1 0 in a and b, 0 1 in c: 2 won, 1 lost; two-sided binomial of 3: p = 1.
    found = compared([1, 1, 0, 1], [0, 0, 1, 1], list("abcd"))
    assert (found.mcnemar.won, found.mcnemar.lost, found.mcnemar.p) == (2, 1, 1)
    assert compared([1, 0.5], [0, 0], ["a", "b"]).mcnemar is None
    assert compared([1, 1], [0, 0], ["a", "b"], "nll").mcnemar is None


def test_where_no_answer_differs_the_test_still_says_what_it_could_have_found():
    # However little differs: six of 100 groups must differ; as many do with the chance 0.85 where 8.495 are expected: chi2(12) at 0.85 is 16.989.
    assert compared([1] * 100, [1] * 100, range(100)).detectable == pytest.approx(0.08495, abs=1e-5)
    assert compared([0.5] * 100, [0.5] * 100, range(100)).detectable is None  # nothing is known of the spread


def test_answers_that_turn_right_add_to_the_spread_they_must_be_found_in():
    # 100 rows, 10 won and 10 lost: mean 0, SE = sqrt(100 / 99 * 20) / 100 = 0.04495; 99 degrees of freedom:
    # t(0.975) + t(0.85) = 1.98422 + 1.04189 = 3.02611, f ** 2 = 9.15733; d ** 2 = f ** 2 * (SE ** 2 + d / 100).
    one, other = [1] * 10 + [0] * 90, [0] * 10 + [1] * 10 + [0] * 80
    plain = minimum_detectable(np.subtract(one, other), range(100))
    assert plain == pytest.approx(3.02611 * 0.04495, rel=1e-3)
    found = compared(one, other, range(100)).detectable
    assert found**2 == pytest.approx(9.15733 * (20 / 9900 + found / 100), rel=1e-4)
    assert found > plain


def pair(than, measure, difference, low, high):
    return Comparison(
        better="tuned", than=than, measure=measure, difference=difference, low=low, high=high, n=200, n_groups=100
    )


def holding(than):
    return [pair(than, "score", 0.2, 0.1, 0.3), pair(than, "nll", -0.5, -0.6, -0.4)]


def test_a_verdict_on_a_model_that_beats_everything():
    everything = [*holding("majority"), *holding("base"), *holding("nearest")]
    assert verdict(everything) == "The tuned model is better than base, nearest and majority."


def test_better_needs_both_measures():
    half = [*holding("base"), pair("nearest", "score", 0.02, -0.01, 0.05), pair("nearest", "nll", -0.5, -0.6, -0.4)]
    assert verdict(half) == (
        "The tuned model is better than base; it shows no evidence of improvement over nearest on score: "
        "+0.020 (-0.010 to +0.050)."
    )


def test_worse_is_said():
    mixed = [pair("base", "score", -0.2, -0.3, -0.1), pair("base", "nll", 0.5, 0.4, 0.6), *holding("majority")]
    assert verdict(mixed) == (
        "The tuned model is better than majority; it is worse than base on score: -0.200 (-0.300 to -0.100) "
        "and base on NLL: +0.500 (+0.400 to +0.600, less is better)."
    )


def test_a_measure_that_was_not_compared_is_named():
    assert verdict([pair("base", "score", 0.2, 0.1, 0.3)]) == "The tuned model was not compared with base on NLL."


def test_comparisons_of_other_arms_are_passed_over():
    other = pair("majority", "score", 0.2, 0.1, 0.3).model_copy(update={"better": "base"})
    assert verdict([other]) == "The tuned model was compared with nothing."
