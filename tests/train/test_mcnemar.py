import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import DataError
from schemas.report import McNemar
from train.mcnemar import is_right_or_wrong, mcnemar

ROWS = st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1]), st.sampled_from("abcdefgh")), max_size=40)


def test_ten_won_and_two_lost_by_hand():
    # Two-sided: 2 * (C(12,0) + C(12,1) + C(12,2)) / 2 ** 12 = 2 * 79 / 4096. The twenty that agree do not count.
    one, other = [1] * 10 + [0] * 2 + [1] * 20, [0] * 10 + [1] * 2 + [1] * 20
    found = mcnemar(one, other, range(32))
    assert found.p == pytest.approx(158 / 4096)
    assert found == McNemar(won=10, lost=2, p=found.p, one_row_a_group=True)


def test_a_group_counts_once_on_the_side_where_it_has_more():
    # a: two won, one lost; b: one each, so neither; c: three lost.
    found = mcnemar([1, 1, 0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 1, 1, 1, 1], list("aaabbccc"))
    assert (found.won, found.lost, found.p, found.one_row_a_group) == (1, 1, 1, False)


def test_copies_of_rows_are_no_more_evidence():
    once = mcnemar([1] * 8, [0] * 8, range(8))
    often = mcnemar([1] * 24, [0] * 24, [n // 3 for n in range(24)])
    assert (often.won, often.p) == (once.won, once.p) == (8, 2 / 256)


@given(ROWS)
def test_turning_the_arms_round_turns_won_and_lost_round(rows):
    one, other, groups = zip(*rows, strict=True) if rows else ((), (), ())
    there, back = mcnemar(one, other, groups), mcnemar(other, one, groups)
    assert (there.won, there.lost, there.p) == (back.lost, back.won, back.p)


def test_without_a_row_or_a_difference_there_is_no_evidence():
    assert mcnemar([], [], []).p == mcnemar([1, 0], [1, 0], ["a", "b"]).p == 1


@pytest.mark.parametrize(
    ("values", "is_it"), [([0, 1, 1], True), ([0.0], True), ([], False), ([0.5, 1], False), ([float("nan")], False)]
)
def test_only_scores_of_nothing_or_all_are_right_or_wrong(values, is_it):
    assert is_right_or_wrong(values) == is_it


def test_other_scores_are_refused_with_what_fits_them():
    with pytest.raises(DataError) as caught:
        mcnemar([0.5, 1], [0, 1], ["a", "b"])
    assert str(caught.value) == (
        "scores other than 0 and 1\n  where: McNemar's test\n"
        "  fix:   use the paired bootstrap of `train.compare`, which takes any score"
    )
    with pytest.raises(DataError, match="1 and 2 values, but 2 groups"):
        mcnemar([1], [1, 0], ["a", "b"])
