"""Is tuning worth it here, or does something that needs no training do as well? The answer in words.

    tuned - retrieved on score  +0.12 (+0.05 to +0.19), and better than all the others too
        ->  "Tuning is worth it here: score +0.120 (+0.050 to +0.190) over the best without training, retrieved."

Better than the best of several is claimed only if the tuned model is better than each of them: a test of all at once
that needs no correction, since every single one has to hold.
"""

from collections.abc import Mapping, Sequence

from schemas.report import Advice, Arm, Comparison, Mean

PROMPTED: tuple[Arm, ...] = ("few-shot", "retrieved", "engineered")
_NAMES: dict[Arm, str] = {
    "majority": "the commonest train answer",
    "nearest": "the nearest train answer",
    "copy": "the copied input",
    "base": "the base as it is",
    "few-shot": "the base with worked examples",
    "retrieved": "the base with retrieved examples",
    "engineered": "the base with an instruction",
}


def advise(comparisons: Sequence[Comparison], means: Sequence[Mean], left_out: Mapping[Arm, str]) -> Advice:
    """Return whether tuning is worth it, from the tuned model's comparisons on score.

    Args:
        comparisons: Those of the tuned model on score count.
        means: Say which arm without training is best.
        left_out: Arms that did not answer: of them nothing is known.
    """
    ours = {one.than: one for one in comparisons if one.better == "tuned" and one.measure == "score"}
    if not ours:
        return Advice(reading="unknown", words="Whether tuning is worth it is not known: it was compared with nothing.")
    score = {mean.arm: mean.score for mean in means}
    order = sorted(ours, key=lambda arm: score.get(arm, 0.0), reverse=True)
    better, open_, worse = (
        [arm for arm in order if ours[arm].reading == reading] for reading in ("better", "unclear", "worse")
    )
    asked = [arm for arm in PROMPTED if arm in ours]
    if worse:
        first = worse[0]
        words = (
            f"Tuning is not worth it here: {_NAMES[first]} does better than the tuned model, {_numbers(ours[first])}."
        )
        if len(worse) > 1:
            words += f" So {_do(worse[1:])}."
        return Advice(reading="not-worth", words=words + _open(asked, left_out))
    if open_:
        first = open_[0]
        words = (
            f"{_capital(_NAMES[first])} does as well, as far as these data can tell: no evidence that tuning is "
            f"better, {_numbers(ours[first])}."
        )
        if len(open_) > 1:
            words += f" The same holds for {_listed(open_[1:])}."
        if better:
            words += f" It is better than {_listed(better)}."
        return Advice(reading="as-well", words=words + _open(asked, left_out))
    first = order[0]
    words = f"Tuning is worth it here: {_numbers(ours[first])} over the best without training, {_NAMES[first]}."
    if not asked:
        words = f"Tuning beats what was asked without it: {_numbers(ours[first])} over the best, {_NAMES[first]}."
    return Advice(reading="worth", words=words + _open(asked, left_out))


def _open(asked: Sequence[Arm], left_out: Mapping[Arm, str]) -> str:
    """Return what nobody knows, since an arm did not answer."""
    if not asked:
        return " Whether worked examples in the prompt do as well is not known: no such arm was asked."
    missing = [arm for arm in PROMPTED if arm in left_out]
    return f" Not known: how {_listed(missing)} would do." if missing else ""


def _numbers(one: Comparison) -> str:
    return f"score {one.difference:+.3f} ({one.low:+.3f} to {one.high:+.3f})"


def _do(arms: Sequence[Arm]) -> str:
    return f"{'do' if len(arms) > 1 else 'does'} {_listed(arms)}"


def _listed(arms: Sequence[Arm]) -> str:
    names = [_NAMES[arm] for arm in arms]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
