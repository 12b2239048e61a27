import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.error_rate import enough, error_rate, n_more, rate_of
from schemas import Annotation, Seen


def answer(example: str, verdict: str, who: str = "ann", queue: str | None = "random") -> Annotation:
    return Annotation.model_validate(
        {
            "key": f"{example}{who}", "example": example, "seen": Seen(prompt=[], response="5"), "annotator": who,
            "verdict": verdict, "response": "4" if verdict == "edit" else None, "queue": queue,
            "created_at": "2026-01-01", "updated_at": "2026-01-01",
        }
    )  # fmt: skip


def test_only_random_examples_count_and_each_once():
    answers = [
        answer("a", "accept"), answer("a", "accept", "bob"), answer("b", "edit"), answer("c", "reject"),
        answer("d", "accept"), answer("e", "unsure"), answer("f", "accept"), answer("f", "reject", "bob"),
        answer("g", "reject", queue="ranked"), answer("h", "reject", queue=None),
    ]  # fmt: skip
    rate = error_rate(answers)
    assert (rate.n, rate.n_wrong, rate.n_undecided, rate.share) == (4, 2, 2, 0.5)


def test_the_interval_is_wilsons():
    # Wilson (1927) for 0 of 20 at z = 1.96: the upper end is z**2 / (n + z**2) = 3.84 / 23.84 = 16.1 %.
    rate = rate_of(0, 20)
    assert (rate.low, rate.high) == (0, pytest.approx(0.1611, abs=1e-4))
    # 10 of 100: centre (10 + 1.92) / 103.84 = 11.48 %, half width 5.96 %.
    assert (rate_of(10, 100).low, rate_of(10, 100).high) == pytest.approx((0.0552, 0.1744), abs=1e-4)
    assert str(rate_of(10, 100, 3)) == (
        "of 100 random rows 10 were wrong: 10.0%, 95 % interval 5.5% to 17.4%; 3 more are disputed or unsure"
    )


def test_nothing_answered_is_no_error_and_never_enough():
    rate = error_rate([])
    assert (rate.share, rate.low, rate.high) == (None, 0, 1)
    assert str(rate) == "no random row has a verdict yet"
    assert not enough(rate, 0.5)


def test_people_may_stop_when_the_upper_end_is_under_the_target():
    # 0 of n: 3.84 / (n + 3.84) <= 0.02 from n = 189 on.
    assert not enough(rate_of(0, 188), 0.02)
    assert enough(rate_of(0, 189), 0.02)
    assert n_more(rate_of(0, 60), 0.02) == 129
    assert n_more(rate_of(0, 189), 0.02) == 0
    assert n_more(rate_of(100_000, 100_000), 0.02) is None


@given(st.integers(0, 50), st.integers(0, 400))
def test_the_share_lies_within_its_interval(n_wrong, n_right):
    rate = rate_of(n_wrong, n_wrong + n_right)
    assert 0 <= rate.low <= rate.high <= 1
    if rate.share is not None:
        assert rate.low - 1e-9 <= rate.share <= rate.high + 1e-9
