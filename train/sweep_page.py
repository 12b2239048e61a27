"""A sweep as one HTML page: which settings were tried, what each came to, and what to write into the recipe.

No script, nothing loaded, no text of the data; the look is that of the report.
"""

import math
from collections.abc import Sequence
from importlib.resources import files

from markupsafe import Markup

from schemas.report import CurvePoint
from schemas.sweep import Sweep, Trial
from train.figure import (
    WIDTH,
    Limits,
    along,
    draw_dot,
    draw_line,
    draw_path,
    draw_svg,
    draw_text,
    limits_around,
    number,
    round_ticks,
)
from train.page import environment, report_style

_LEFT, _TOP, _RIGHT, _BOTTOM = 44, 12, WIDTH - 16, 176
_OUTCOMES = {"done": "whole", "pruned": "stopped early", "failed": "no number"}


def sweep_page(found: Sweep) -> str:
    """Return the page, whole: its style and its figures are in it."""
    template = environment().from_string(files("train").joinpath("sweep.html.jinja").read_text("utf-8"))
    order = sorted(found.trials, key=lambda trial: (trial.outcome != "done", trial.nll is None, trial.nll or 0.0))
    return template.render(
        sweep=found,
        best=found.winner,
        order=order,
        outcomes=_OUTCOMES,
        counts={name: sum(trial.outcome == name for trial in found.trials) for name in _OUTCOMES},
        rate=rate,
        scatter=scatter(found),
        curves=curves(found),
        far=any(trial.nll is not None and trial.nll > _ceiling(found) for trial in found.trials),
        far_curve=any(nll > _curve_ceiling(found) for trial in found.trials for _, nll in _judged(trial.curve)),
        style=Markup(report_style()),  # noqa: S704 - our own file
    )


def rate(value: float) -> str:
    """Return a learning rate as people write it."""
    return f"{value:.2e}".replace("e-0", "e−").replace("e-", "e−").replace("e+0", "e").replace("e+", "e")


def scatter(found: Sweep) -> Markup:
    """Return every trial by learning rate and lowest validation NLL; its rank stands beside it.

    A filled dot came through, a hollow one was stopped early, a cross ended without a number: at what it had reached
    before, or on top. What is above the ceiling stands on top too, with an arrow.
    """
    ceiling = _ceiling(found)
    y_limits = _limits([trial.nll for trial in found.trials if trial.nll is not None], ceiling)
    low, high = (math.log10(end) for end in found.rates)
    x_limits = (low - 0.05 * (high - low), high + 0.05 * (high - low))
    parts = [_frame(y_limits), *_decades(x_limits)]
    for trial in found.trials:
        x = along(math.log10(trial.learning_rate), x_limits, _LEFT, _RIGHT)
        far = trial.nll is not None and trial.nll > ceiling
        y = _TOP + 4 if far or trial.nll is None else along(trial.nll, y_limits, _BOTTOM, _TOP)
        words = [*([] if trial.rank is None else [f"r{trial.rank}"]), *(["↑"] if far else [])]
        parts += _mark(trial, x, y, " ".join(words), best=trial.number == found.best)
    parts.append(draw_text((_LEFT + _RIGHT) / 2, _BOTTOM + 32, "learning rate", "tick", "middle"))
    spoken = [f"trial {trial.number}: rate {rate(trial.learning_rate)}, {_said(trial)}" for trial in found.trials]
    return draw_svg(WIDTH, _BOTTOM + 38, "Lowest validation NLL by learning rate", spoken, parts)


def curves(found: Sweep) -> Markup:
    """Return the validation NLL of every trial by step, the best in front; cut off at the ceiling."""
    series = [(trial, _judged(trial.curve)) for trial in found.trials]
    y_limits = _limits([nll for _, points in series for _, nll in points], _curve_ceiling(found))
    x_limits: Limits = (0.0, float(max(1, found.steps)))
    parts = [_frame(y_limits)]
    for value, words in round_ticks(x_limits, whole=True):
        x = along(value, x_limits, _LEFT, _RIGHT)
        parts += [draw_line("axis", x, _BOTTOM, x, _BOTTOM + 4), draw_text(x, _BOTTOM + 17, words, "tick", "middle")]
    for trial, points in sorted(series, key=lambda pair: pair[0].number == found.best):
        places = [
            (along(step, x_limits, _LEFT, _RIGHT), along(min(nll, y_limits[1]), y_limits, _BOTTOM, _TOP))
            for step, nll in points
        ]
        name = "validation" if trial.number == found.best else "train"
        parts.append(draw_path(name, places))
        if places and trial.outcome != "done":
            parts.append(draw_dot(f"point {'unclear' if trial.outcome == 'pruned' else 'worse'}", *places[-1], 3))
    parts.append(draw_text((_LEFT + _RIGHT) / 2, _BOTTOM + 32, "optimizer step", "tick", "middle"))
    return draw_svg(WIDTH, _BOTTOM + 38, "Validation NLL of each trial by step", [f"best is trial {found.best}"], parts)


def _ceiling(found: Sweep) -> float:
    """Return the highest NLL that a figure shows in its place: one broken trial would else press the others flat."""
    return 2 * (found.winner.nll or 0.0) + 1


def _curve_ceiling(found: Sweep) -> float:
    """Return the same for curves; that of the best trial is whole."""
    return max(_ceiling(found), *(nll for _, nll in _judged(found.winner.curve)))


def _limits(nlls: Sequence[float], ceiling: float) -> Limits:
    """Return what an axis spans for the NLLs below a ceiling, with room above them for those that are not."""
    low, high = limits_around([nll for nll in nlls if nll <= ceiling])
    return (low, high + 0.2 * (high - low)) if any(nll > ceiling for nll in nlls) else (low, high)


def _said(trial: Trial) -> str:
    nll = "no NLL" if trial.nll is None else f"NLL {number(trial.nll)}"
    return f"{nll}, {_OUTCOMES[trial.outcome]}"


def _judged(curve: Sequence[CurvePoint]) -> list[tuple[int, float]]:
    return [(point.step, point.validation_nll) for point in curve if point.validation_nll is not None]


def _mark(trial: Trial, x: float, y: float, words: str, *, best: bool) -> list[Markup]:
    if trial.outcome == "failed":
        cross = [
            draw_line("whisker worse", x - 4, y - 4, x + 4, y + 4),
            draw_line("whisker worse", x - 4, y + 4, x + 4, y - 4),
        ]
        return [*cross, draw_text(x + 7, y + 4, words, "tick")]
    name = "point better" if trial.outcome == "done" else "point unclear"
    return [draw_dot(name, x, y, 6 if best else 4), draw_text(x + 8, y + 4, words, "label" if best else "tick")]


def _frame(y_limits: Limits) -> Markup:
    parts = [draw_line("axis", _LEFT, _BOTTOM, _RIGHT, _BOTTOM)]
    for value, words in round_ticks(y_limits, most=4):
        y = along(value, y_limits, _BOTTOM, _TOP)
        parts += [draw_line("grid", _LEFT, y, _RIGHT, y), draw_text(_LEFT - 6, y + 4, words, "tick", "end")]
    return Markup("").join(parts)


def _decades(limits: Limits) -> list[Markup]:
    """Return ticks at 1, 2 and 5 times powers of ten, or at powers alone, some left out, where these would crowd."""
    times = (1, 2, 5) if limits[1] - limits[0] < 1.7 else (1, 3) if limits[1] - limits[0] < 3 else (1,)
    parts = []
    apart = max(1, math.ceil((limits[1] - limits[0]) / 8))
    for power in range(math.floor(limits[0] / apart) * apart, math.ceil(limits[1]) + 1, apart):
        for one in times:
            at = power + math.log10(one)
            if limits[0] <= at <= limits[1]:
                x = along(at, limits, _LEFT, _RIGHT)
                words = f"{one}e{power}".replace("-", "−")
                parts += [
                    draw_line("axis", x, _BOTTOM, x, _BOTTOM + 4),
                    draw_text(x, _BOTTOM + 17, words, "tick", "middle"),
                ]
    return parts
