"""Whether a report opens the gates of its recipe.

score_over_base = 0.02, tuned minus base +0.05 (+0.01 to +0.09)  ->  fails: 0.01 is 0.01 under 0.02
"""

from collections.abc import Iterator

from schemas import GateError
from schemas.evaluation import Gates
from schemas.report import Arm, GateResult, Report

_FLOORS: tuple[Arm, ...] = ("majority", "nearest", "copy")
_ROUNDING = 1e-12


def judged(report: Report, gates: Gates) -> list[GateResult]:
    """Return what became of each gate that the recipe sets, in the order of `Gates`; none set, none returned.

    A gate whose value the report lacks, because an arm did not run or forgetting was not measured, fails.
    """
    return [
        *_over(report, "score_over_base", gates.score_over_base, ("base",)),
        *_over(report, "score_over_floors", gates.score_over_floors, _FLOORS),
        *_forgetting(report, gates.max_forgetting),
        *_reviewed(report, gates.min_reviewed),
    ]


def refusal(results: list[GateResult], where: str) -> GateError | None:
    """Return an error that tells every gate that failed, by how much, and what to do; None if all hold.

    Args:
        results: Of `judged`.
        where: What people can open.
    """
    return GateError.of(
        [GateError(f"gate {one.gate} fails: {one.words}", where=where, fix=one.fix) for one in results if not one.holds]
    )


def _over(report: Report, gate: str, least: float | None, arms: tuple[Arm, ...]) -> Iterator[GateResult]:
    if least is None:
        return
    found = [one for one in report.comparisons if one.better == "tuned" and one.measure == "score" and one.than in arms]
    if not found:
        yield _lacking(gate, least, f"the tuned model was compared with no such arm ({', '.join(arms)})")
    for one in found:
        holds = one.low >= least - _ROUNDING
        numbers = f"score over {one.than} is {one.difference:+.3f}, surely from {one.low:+.3f} on"
        short = "" if holds else f", {least - one.low:.3f} under the {least:+.3f} asked for"
        # With more rows the interval would shrink around the difference; past that it is the model that lacks.
        enough = one.difference >= least
        cure = (
            "the difference is large enough and the test side too small to be sure of it: give test a larger share "
            "in [split] shares, or add data"
            if enough
            else "look at the slices of the report for what is weak, mend the data (`tuneloop feedback`) or the "
            "settings (`tuneloop sweep`), and train again"
        )
        yield GateResult(
            gate=gate, asked=least, found=one.low, holds=holds, words=f"{numbers}{short}", fix="" if holds else cure
        )


def _forgetting(report: Report, most: float | None) -> Iterator[GateResult]:
    if most is None:
        return
    found = report.forgetting
    if found is None:
        yield _lacking("max_forgetting", most, "forgetting was not measured: this family of models writes no free text")
        return
    holds = found.high <= most + _ROUNDING
    change = (
        f"NLL of general text changed by {found.tuned_nll - found.base_nll:+.3f}, surely by {found.high:+.3f} at most"
    )
    over = "" if holds else f", {found.high - most:.3f} over the {most:+.3f} allowed"
    cure = "set [train] replay_share (0.1 is a start), fewer epochs or a lower learning_rate, or an adapter as method"
    yield GateResult(
        gate="max_forgetting", asked=most, found=found.high, holds=holds, words=f"{change}{over}",
        fix="" if holds else cure,
    )  # fmt: skip


def _reviewed(report: Report, least: float | None) -> Iterator[GateResult]:
    if least is None:
        return
    share = report.n_reviewed / report.n if report.n else 0.0
    holds = share >= least - _ROUNDING
    words = f"people have checked {report.n_reviewed:,} of the {report.n:,} test rows ({share:.1%})"
    missing = "" if holds else f", {least - share:.1%} under the {least:.1%} asked for"
    cure = (
        "have people check the test side: `tuneloop annotate push`, then `tuneloop annotate pull` and `tuneloop data`"
    )
    yield GateResult(
        gate="min_reviewed", asked=least, found=share, holds=holds, words=f"{words}{missing}", fix="" if holds else cure
    )


def _lacking(gate: str, asked: float, words: str) -> GateResult:
    fix = f"take {gate} out of [evaluate] gates, or let the arm run"
    return GateResult(gate=gate, asked=asked, found=None, holds=False, words=words, fix=fix)
