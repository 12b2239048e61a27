from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.schedule import Schedule


def test_the_rate_climbs_in_a_line_and_falls_along_a_cosine_to_a_tenth():
    schedule = Schedule(peak=1.0, steps=12, warmup=4)
    assert [schedule.rate(step) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert schedule.rate(8) == pytest.approx(0.55)  # half way: cos(pi / 2) = 0, so 0.1 + 0.45
    assert schedule.rate(10) == pytest.approx(0.1 + 0.45 * (1 - 0.5**0.5))  # three quarters
    assert schedule.rate(12) == pytest.approx(0.1)


def test_the_rate_falls_along_a_line():
    schedule = Schedule(peak=2.0, steps=10, warmup=2, shape="linear", final_share=0.5)
    # After two steps of climbing, 2.0 falls to 1.0 in eight steps: an eighth each.
    assert [schedule.rate(step) for step in (0, 1, 2, 4, 6, 10)] == pytest.approx([1.0, 2.0, 2.0, 1.75, 1.5, 1.0])


def test_a_constant_rate_only_climbs():
    schedule = Schedule(peak=3.0, steps=10, warmup=3, shape="constant", final_share=0.1)
    assert [schedule.rate(step) for step in range(10)] == pytest.approx([1.0, 2.0, *[3.0] * 8])


@pytest.mark.parametrize("shape", ["cosine", "linear"])
def test_a_rate_may_fall_to_nothing(shape):
    assert Schedule(1.0, 100, 1, shape, final_share=0.0).rate(99) == pytest.approx(0.0, abs=0.011)


@pytest.mark.parametrize("shape", ["cosine", "linear", "constant"])
def test_a_run_that_only_warms_up_has_a_rate(shape):
    assert Schedule(0.5, 1, 1, shape).rate(0) == 0.5


@given(
    st.integers(1, 200), st.integers(0, 50), st.sampled_from(["cosine", "linear", "constant"]), st.floats(0, 1)
)  # fmt: skip
def test_no_rate_is_over_the_peak_and_after_warming_up_none_rises(steps, warmup, shape, final_share):
    schedule = Schedule(1.0, steps, min(warmup, steps), shape, final_share)
    rates = [schedule.rate(step) for step in range(steps)]
    assert all(0 <= rate <= 1 for rate in rates)
    falling = rates[schedule.warmup :]
    assert all(one >= other - 1e-12 for one, other in pairwise(falling))
