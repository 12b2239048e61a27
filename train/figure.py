"""A report's figures as inline SVG: no script, every text escaped, colours left to the page's style sheet.

Interval("tuned against base", +0.12, +0.05, +0.19)  ->  a row of text, a whisker, a dot, and the line of no difference

Shapes repeat what colours say, so that a figure reads in grey: a filled dot holds, a hollow one does not, a
square is worse. All figures are `WIDTH` units wide: on a phone the same picture shrinks little and stays legible.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.page import visible
from schemas.report import MORE_IS_BETTER, Arm, Comparison, CurvePoint, Mean, Measure, Reading, reading_of

Limits = tuple[float, float]

WIDTH = 400
_EDGE = 16  # room for half a tick label at either end
_LEAST_SPAN = 1e-6  # numbers have at most six decimals
_ROW = 40
_BAR_ROW = 26
_BAR = (72, 340)  # after the arm's name, before its value
_CURVE = (44, 34, WIDTH - _EDGE, 196)  # left, top, right, bottom of the plotting area


@dataclass(frozen=True)
class Interval:
    """A difference with its 95 % interval; `said` is its reading where more is known than the interval."""

    label: str
    value: float
    low: float
    high: float
    more_is_better: bool
    said: Reading | None = None

    @classmethod
    def of(cls, found: Comparison) -> "Interval":
        """Return the interval of a comparison."""
        label = f"{found.better} against {found.than}"
        more = MORE_IS_BETTER[found.measure]
        return cls(label, found.difference, found.low, found.high, more, found.adjusted_reading)

    @property
    def reading(self) -> Reading:
        """What the interval allows to say: the whole of it must lie on one side of zero."""
        return self.said or reading_of(self.low, self.high, more_is_better=self.more_is_better)

    def __str__(self) -> str:
        return f"{signed(self.value)} ({signed(self.low)} to {signed(self.high)})"


def number(value: float) -> str:
    """Return a number with three decimals, or one from 100 on; more where it would look like zero and is not."""
    if not math.isfinite(value):
        return "undefined"
    least = 1 if abs(value) >= 100 else 3
    digits = next((digits for digits in range(least, 7) if round(value, digits)), least)
    rounded = round(value, digits) or 0.0  # no minus zero
    return f"{rounded:,.{digits}f}".replace("-", "−")


def signed(value: float) -> str:
    """Return a difference: a number with its sign, zero without one."""
    text = number(value)
    return f"+{text}" if value > 0 and any(digit in text for digit in "123456789") else text


def limits_of(intervals: Iterable[Interval]) -> Limits:
    """Return the range an axis needs for all intervals and zero, with a little air."""
    ends = [end for one in intervals for end in (one.value, one.low, one.high)]
    return limits_around([0.0, *ends])


def interval_plot(intervals: Sequence[Interval], title: str) -> Markup:
    """Return differences under one another on one axis, with the line of no difference and which way is better.

    Args:
        intervals: Of one measure.
        title: What a screen reader says first.
    """
    limits = limits_of(intervals)
    bottom = _ROW * len(intervals) + 4
    x_zero = along(0, limits, _EDGE, WIDTH - _EDGE)
    parts = []
    for row, one in enumerate(intervals):
        top = row * _ROW
        parts += [
            draw_text(0, top + 13, one.label, "label"),
            draw_text(WIDTH, top + 13, f"{one}", f"value {one.reading}", "end"),
            draw_line("zero", x_zero, top + 18, x_zero, top + 34),  # between the texts, never through them
            *_marks(one, limits, (_EDGE, WIDTH - _EDGE), top + 26),
        ]
    parts.append(_x_axis(limits, bottom, _EDGE, WIDTH - _EDGE))
    left, right = ("← worse", "better →") if all(one.more_is_better for one in intervals) else ("← better", "worse →")
    parts += [draw_text(0, bottom + 34, left, "tick", "start"), draw_text(WIDTH, bottom + 34, right, "tick", "end")]
    spoken = [f"{one.label}: {one}, {one.reading}" for one in intervals]
    return draw_svg(WIDTH, bottom + 40, title, spoken, parts)


def interval_strip(one: Interval, limits: Limits) -> Markup:
    """Return one interval without text, small enough for a cell of a table; equal limits make rows comparable."""
    width, height = 132, 18
    x_zero = along(0, limits, 6, width - 6)
    parts = [draw_line("zero", x_zero, 0, x_zero, height), *_marks(one, limits, (6, width - 6), height / 2)]
    return draw_svg(width, height, one.label, [f"{one}, {one.reading}"], parts)


def arm_plot(means: Sequence[Mean], measure: Measure, title: str) -> Markup:
    """Return a bar for each arm with its value; a score's axis is 0 to 1, that of NLL starts at 0."""
    measured = [(mean.arm, mean.score if measure == "score" else mean.nll) for mean in means]
    values: list[tuple[Arm, float]] = [(arm, value) for arm, value in measured if value is not None]
    top = 1.0 if measure == "score" else max([value for _, value in values if math.isfinite(value)], default=0.0)
    limits = (0.0, top if top > _LEAST_SPAN else 1.0)
    bottom = _BAR_ROW * len(values) + 2
    parts = [draw_line("axis", _BAR[0], 0, _BAR[0], bottom)]
    for row, (arm, value) in enumerate(values):
        y = row * _BAR_ROW
        end = along(value, limits, *_BAR) if math.isfinite(value) else _BAR[0]
        parts += [
            draw_text(_BAR[0] - 8, y + 18, arm, f"label {arm}", "end"),
            Markup('<rect class="bar {}" x="{}" y="{}" width="{:.1f}" height="14"/>').format(
                arm, _BAR[0], y + 7, end - _BAR[0]
            ),
            draw_text(end + 6, y + 18, number(value), f"value {arm}"),
        ]
    parts.append(_x_axis(limits, bottom, *_BAR))
    return draw_svg(WIDTH, bottom + 22, title, [f"{arm} {number(value)}" for arm, value in values], parts)


def curve(points: Sequence[CurvePoint], best_step: int, title: str) -> Markup:
    """Return train loss and validation NLL by step, both in nats a token on one axis, with the step that was kept."""
    train = [(point.step, point.train_loss) for point in points if math.isfinite(point.train_loss)]
    validation = [
        (point.step, point.validation_nll)
        for point in points
        if point.validation_nll is not None and math.isfinite(point.validation_nll)
    ]
    left, top, right, bottom = _CURVE
    x_limits = limits_around([best_step, *(point.step for point in points)], air=0)
    y_limits = limits_around([value for _, value in train + validation])

    def place(series: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
        return [(along(step, x_limits, left, right), along(value, y_limits, bottom, top)) for step, value in series]

    x_best = along(best_step, x_limits, left, right)
    parts = [_y_axis(y_limits), _x_axis(x_limits, bottom, left, right, whole=True), _legend(best_step)]
    parts += [draw_line("best", x_best, top, x_best, bottom), draw_path("train", place(train))]
    parts += [draw_path("validation", place(validation))]
    for (step, _), (x, y) in zip(validation, place(validation), strict=True):
        parts.append(draw_dot("kept" if step == best_step else "reading", x, y, 5 if step == best_step else 3))
    if len(train) == 1:  # a path of one point draws nothing
        parts.append(draw_dot("train", *place(train)[0], 3))
    parts.append(draw_text((left + right) / 2, bottom + 32, "optimizer step", "tick", "middle"))
    spoken = [f"best step {best_step:,}"]
    spoken += [f"{name} from {number(series[0][1])} to {number(series[-1][1])}"
               for name, series in (("train loss", train), ("validation NLL", validation)) if series]  # fmt: skip
    return draw_svg(WIDTH, bottom + 38, title, spoken, parts)


def _legend(best_step: int) -> Markup:
    kept = f"kept: step {best_step:,}"
    entries = (("train", 0, "train loss"), ("validation", 108, "validation NLL"), ("best", 240, kept))
    return Markup("").join(
        part
        for name, x, words in entries
        for part in (draw_line(name, x, 9, x + 20, 9), draw_text(x + 26, 13, words, "tick", "start"))
    )


def _marks(one: Interval, limits: Limits, ends: tuple[float, float], y: float) -> list[Markup]:
    """Return whisker and point; a bound that is no finite number draws nothing, its text says so."""
    if not all(math.isfinite(value) for value in (one.value, one.low, one.high)):
        return []
    x, low, high = (along(value, limits, *ends) for value in (one.value, one.low, one.high))
    whisker = f"whisker {one.reading}"
    parts = [draw_line(whisker, low, y, high, y), *(draw_line(whisker, end, y - 4, end, y + 4) for end in (low, high))]
    if one.reading == "worse":
        square = Markup('<rect class="point worse" x="{:.1f}" y="{:.1f}" width="9" height="9"/>')
        return [*parts, square.format(x - 4.5, y - 4.5)]
    return [*parts, draw_dot(f"point {one.reading}", x, y, 5)]


def limits_around(values: Sequence[float], air: float = 0.06) -> Limits:
    """Return a range that holds all finite values and is never empty."""
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    span = high - low
    # A span below what is written, or below the numbers' own precision, would give ticks that read alike.
    if span <= max(_LEAST_SPAN, 1e-9 * max(abs(low), abs(high))):
        half = max(abs(high) * 0.1, 0.1)
        return low - half, high + half
    return low - air * span, high + air * span


def along(value: float, limits: Limits, start: float, end: float) -> float:
    """Return where a value stands between two ends of an axis."""
    share = (value - limits[0]) / (limits[1] - limits[0])
    return start + min(max(share, 0.0), 1.0) * (end - start)


def round_ticks(limits: Limits, most: int = 5, *, whole: bool = False) -> list[tuple[float, str]]:
    """Return round values within the limits, at most `most` and one, with their texts."""
    rough = (limits[1] - limits[0]) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * (1 - 1e-9))
    if whole:
        step = max(1.0, step)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(limits[0] / step - 1e-9), math.floor(limits[1] / step + 1e-9)
    values = [(count * step) or 0.0 for count in range(first, last + 1)]
    return [(value, f"{value:,.{digits}f}".replace("-", "−")) for value in values]


def _x_axis(limits: Limits, y: float, start: float, end: float, *, whole: bool = False) -> Markup:
    parts = [draw_line("axis", start, y, end, y)]
    for value, words in round_ticks(limits, whole=whole):
        x = along(value, limits, start, end)
        parts += [draw_line("axis", x, y, x, y + 4), draw_text(x, y + 17, words, "tick", "middle")]
    return Markup("").join(parts)


def _y_axis(limits: Limits) -> Markup:
    left, top, right, bottom = _CURVE
    parts = []
    for value, words in round_ticks(limits, most=4):
        y = along(value, limits, bottom, top)
        parts += [draw_line("grid", left, y, right, y), draw_text(left - 6, y + 4, words, "tick", "end")]
    return Markup("").join(parts)


def draw_svg(width: float, height: float, title: str, spoken: Sequence[str], parts: Sequence[Markup]) -> Markup:
    """Return a figure: its parts in a frame, and what a screen reader says of it."""
    frame = Markup('<svg class="figure" viewBox="0 0 {} {:.0f}" role="img" aria-label="{}">{}</svg>')
    label = visible(f"{title}: {'; '.join(spoken)}" if spoken else title)
    return frame.format(width, height, label, Markup("").join(parts))


def draw_text(x: float, y: float, words: str, name: str, anchor: str = "start") -> Markup:
    """Return a text at a place."""
    text = Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>')
    return text.format(name, x, y, anchor, visible(words))


def draw_line(name: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    """Return a straight line."""
    line = Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>')
    return line.format(name, x1, y1, x2, y2)


def draw_dot(name: str, x: float, y: float, radius: float) -> Markup:
    """Return a filled circle."""
    return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(name, x, y, radius)


def draw_path(name: str, places: Sequence[tuple[float, float]]) -> Markup:
    """Return a line through places."""
    return Markup('<polyline class="{}" points="{}"/>').format(name, " ".join(f"{x:.1f},{y:.1f}" for x, y in places))
