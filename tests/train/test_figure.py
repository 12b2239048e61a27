import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.report import Comparison, CurvePoint, Mean
from train.figure import (
    WIDTH,
    Interval,
    arm_plot,
    curve,
    interval_plot,
    interval_strip,
    limits_of,
    number,
    signed,
)

NUMBERS = st.floats(-1e6, 1e6)
INTERVALS = st.builds(
    lambda value, below, above, more: Interval("tuned against base", value, value - below, value + above, more),
    NUMBERS, st.floats(0, 1e6), st.floats(0, 1e6), st.booleans(),
)  # fmt: skip
POINTS = st.builds(
    lambda step, loss, nll: CurvePoint(step=step, train_loss=loss, validation_nll=nll),
    st.integers(0, 10**6), st.floats(0, 1e3), st.none() | st.floats(0, 1e3),
)  # fmt: skip


def of(value, low, high, more_is_better=True, label="tuned against base"):
    return Interval(label, value, low, high, more_is_better)


def shapes(svg, tag, name=""):
    return [one for one in ET.fromstring(svg).iter(tag) if name in one.get("class", "").split() or not name]


def texts(svg):
    return [one.text for one in ET.fromstring(svg).iter("text")]


def assert_drawn_inside(svg):
    root = ET.fromstring(svg)  # fails where a text was not escaped
    width, height = map(float, root.get("viewBox").split()[2:])
    for one in root.iter():
        for key in ("x", "x1", "x2", "cx"):
            assert 0 <= float(one.get(key, 0)) <= width
        for key in ("y", "y1", "y2", "cy"):
            assert 0 <= float(one.get(key, 0)) <= height
        assert "nan" not in one.get("points", "")
        assert "inf" not in one.get("points", "")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.4126, "0.413"),
        (0, "0.000"),
        (-0.5, "−0.500"),  # a real minus, as wide as the plus
        (0.0004, "0.0004"),  # three decimals would call it nothing
        (-1e-9, "0.000"),  # no minus zero
        (1234.56, "1,234.6"),
        (float("nan"), "undefined"),
    ],
)
def test_numbers_have_three_decimals_and_more_only_where_they_would_vanish(value, text):
    assert number(value) == text


def test_a_difference_shows_its_sign_and_zero_shows_none():
    assert [signed(value) for value in (0.25, -0.25, 0.0)] == ["+0.250", "−0.250", "0.000"]


@pytest.mark.parametrize(
    ("low", "high", "more_is_better", "reading"),
    [
        (0.01, 0.2, True, "better"),
        (-0.2, -0.01, True, "worse"),
        (-0.01, 0.2, True, "unclear"),
        (0.0, 0.2, True, "unclear"),  # touches zero
        (0.01, 0.2, False, "worse"),  # of NLL, less is better
        (-0.2, -0.01, False, "better"),
    ],
)
def test_an_interval_reads_better_only_if_the_whole_of_it_lies_on_the_better_side(low, high, more_is_better, reading):
    assert of((low + high) / 2, low, high, more_is_better).reading == reading


def test_better_agrees_with_what_a_comparison_says_holds():
    for measure in ("score", "nll"):
        for low, high in [(0.1, 0.2), (-0.2, -0.1), (-0.1, 0.1)]:
            found = Comparison(
                better="tuned",
                than="base",
                measure=measure,
                difference=(low + high) / 2,
                low=low,
                high=high,
                n=9,
                n_groups=9,
            )
            assert (Interval.of(found).reading == "better") == found.holds


def test_shapes_tell_the_readings_apart_without_colour():
    svg = interval_plot([of(0.2, 0.1, 0.3), of(0, -0.1, 0.1), of(-0.2, -0.3, -0.1)], "Score")
    assert len(shapes(svg, "circle", "better")) == 1 == len(shapes(svg, "circle", "unclear"))
    assert len(shapes(svg, "rect", "worse")) == 1


@pytest.mark.parametrize(
    ("more_is_better", "ways"), [(True, ("← worse", "better →")), (False, ("← better", "worse →"))]
)
def test_an_interval_plot_writes_every_value_and_which_way_is_better(more_is_better, ways):
    svg = interval_plot([of(-0.5, -0.75, -0.25, more_is_better=more_is_better)], "t")
    assert {"tuned against base", "−0.500 (−0.750 to −0.250)", *ways} <= set(texts(svg))


def test_a_point_lies_between_the_ends_of_its_whisker_and_on_the_right_side_of_zero():
    svg = interval_plot([of(0.2, 0.1, 0.3)], "Score")
    (dot,), (zero,) = shapes(svg, "circle"), shapes(svg, "line", "zero")
    whisker = shapes(svg, "line", "whisker")[0]
    low, x, high = (float(one) for one in (whisker.get("x1"), dot.get("cx"), whisker.get("x2")))
    assert float(zero.get("x1")) < low < x < high
    assert x - low == pytest.approx(high - x, abs=0.2)  # drawn to a tenth


def test_the_words_of_a_row_do_not_meet():
    svg = interval_plot(
        [of(-99.9999, -99.9999, -99.9999, label="nearest against majority")], "NLL"
    )  # the longest there are
    left, right = (one for one in texts(svg) if "against" in one or "to" in one)
    assert (len(left) + len(right)) * 7.2 < WIDTH  # a bold figure of 12 units is 7 wide


def test_strips_on_equal_limits_have_their_zero_at_one_place():
    few, many = of(0.1, 0.05, 0.15), of(0.5, -0.9, 1.0)
    limits = limits_of([few, many])
    places = {shapes(interval_strip(one, limits), "line", "zero")[0].get("x1") for one in (few, many)}
    assert len(places) == 1


def test_a_bar_is_as_long_as_its_score_and_the_axis_of_a_score_ends_at_one():
    means = [Mean(arm="base", score=0.25, nll=2.0), Mean(arm="tuned", score=0.5, nll=1.0)]
    score, nll = (
        [float(one.get("width")) for one in shapes(arm_plot(means, measure, "t"), "rect")]
        for measure in ("score", "nll")
    )
    assert score == [67.0, 134.0]  # of 268 units from 0 to 1
    assert nll == [268.0, 134.0]  # the largest fills the axis
    assert {"base", "0.250", "tuned", "0.500"} <= set(texts(arm_plot(means, "score", "t")))


def test_a_curve_marks_the_step_that_was_kept_and_joins_validations_over_the_gaps():
    points = [
        CurvePoint(step=10, train_loss=2.0, validation_nll=1.5),
        CurvePoint(step=20, train_loss=1.0, validation_nll=None),
        CurvePoint(step=30, train_loss=0.5, validation_nll=1.0),
    ]
    svg = curve(points, 30, "Learning curve")
    train, validation = shapes(svg, "polyline")
    assert len(train.get("points").split()) == 3
    assert len(validation.get("points").split()) == 2
    (kept,) = shapes(svg, "circle", "kept")
    assert f"{kept.get('cx')},{kept.get('cy')}" == validation.get("points").split()[-1]
    assert "kept: step 30" in texts(svg)


@pytest.mark.parametrize(
    "points",
    [
        [],
        [CurvePoint(step=1, train_loss=0.7, validation_nll=None)],
        [CurvePoint(step=step, train_loss=0.7, validation_nll=0.7) for step in (1, 2)],  # flat
        [CurvePoint(step=1, train_loss=float("nan"), validation_nll=float("inf"))],  # a run that blew up
    ],
)
def test_a_curve_of_no_one_equal_or_undefined_readings_is_drawn(points):
    assert_drawn_inside(curve(points, 1, "Learning curve"))


def test_an_undefined_interval_is_written_but_not_drawn():
    svg = interval_plot([of(float("nan"), float("-inf"), float("inf"))], "Score")
    assert_drawn_inside(svg)
    assert not shapes(svg, "circle")
    assert "undefined (undefined to undefined)" in texts(svg)


@given(st.lists(INTERVALS, max_size=4), st.lists(POINTS, max_size=6), st.integers(0, 10**6))
def test_whatever_the_numbers_all_is_drawn_inside_the_picture(intervals, points, best_step):
    assert_drawn_inside(interval_plot(intervals, "t"))
    assert_drawn_inside(curve(points, best_step, "t"))
    for one in intervals:
        assert_drawn_inside(interval_strip(one, limits_of(intervals)))


@given(st.lists(st.floats(-1, 2), min_size=1, max_size=4), st.floats(0, 1e9))
@example([0.0], 5e-324)  # the least there is has no ticks
def test_whatever_the_means_all_bars_are_inside(scores, nll):
    means = [Mean(arm="base", score=score, nll=nll) for score in scores]
    for measure in ("score", "nll"):
        assert_drawn_inside(arm_plot(means, measure, "t"))


@given(INTERVALS)
def test_ticks_are_few_and_all_different(one):
    ticks = [text.text for text in shapes(interval_plot([one], "t"), "text", "tick")]
    assert 3 <= len(ticks) <= 9
    assert len(set(ticks)) == len(ticks)


def test_a_figure_says_its_values_to_a_screen_reader():
    svg = interval_plot([of(0.2, 0.1, 0.3)], "Score: differences")
    assert (
        ET.fromstring(svg).get("aria-label")
        == "Score: differences: tuned against base: +0.200 (+0.100 to +0.300), better"
    )


def test_markup_in_a_label_is_text():
    svg = interval_plot([of(0.2, 0.1, 0.3, label='<b a="1">&')], "<i>")
    assert '<b a="1">&' in texts(svg)
