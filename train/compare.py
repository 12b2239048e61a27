"""Whether one arm is better than another, and how sure the data allow us to be.

score of tuned 1 0 1 1 ..., of base 0 0 1 0 ..., groups a a b c ...
    ->  Comparison(difference=+0.31, low=+0.22, high=+0.40, ...), "The tuned model is better than base ..."
"""

from collections.abc import Collection, Sequence
from math import inf

from numpy.typing import ArrayLike

from schemas.report import ARMS, MORE_IS_BETTER, Arm, Comparison, Measure
from train.bootstrap import evidence, interval
from train.detectable import minimum_detectable, minimum_detectable_of_answers
from train.evidence_words import finds_from
from train.groups import checked
from train.mcnemar import is_right_or_wrong, mcnemar

__all__ = ["compare", "interval", "minimum_detectable", "verdict"]
_MEASURES: dict[Measure, str] = {"score": "score", "nll": "NLL"}


def compare(
    better_values: ArrayLike,
    than_values: ArrayLike,
    groups: Sequence[str],
    *,
    better: Arm,
    than: Arm,
    measure: Measure,
    resamples: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Return the mean of `better_values` minus `than_values` with its 95 % interval, as `train.bootstrap` makes it.

    Args:
        better_values: A value for each example.
        than_values: The other arm's, in the same order.
        groups: Each example's group.
        better: The arm of the first values.
        than: The arm of the second.
        measure: `score`, 0 to 1, or `nll`, nats a token.
        resamples: How often the groups are drawn.
        seed: The same seed gives the same interval.

    Raises:
        DataError: The three differ in length, or a value is no finite number.
    """
    where = f"comparison of {better} with {than} on {measure}"
    one, other = checked(better_values, groups, where), checked(than_values, groups, where)
    # Neither is below 0, so no mean difference is larger than the largest value.
    bound = 1.0 if measure == "score" else float(max(one.max(initial=0.0), other.max(initial=0.0)))
    found = evidence(one - other, groups, bound=bound, resamples=resamples, seed=seed)
    fits = measure == "score" and is_right_or_wrong(one, other)
    least = minimum_detectable_of_answers if fits else minimum_detectable
    detectable = least(one - other, groups)
    return Comparison(
        better=better,
        than=than,
        measure=measure,
        difference=found.mean,
        low=found.low,
        high=found.high,
        n=len(one),
        n_groups=found.n_groups,
        p=found.p,
        detectable=detectable if 0 < detectable < inf else None,
        mcnemar=mcnemar(one, other, groups) if fits else None,
    )


def verdict(comparisons: Sequence[Comparison], score_only: Collection[Arm] = ()) -> str:
    """Return one sentence: what the tuned model is better than, what it is worse than, and what is open.

    Better than an arm only where both the score's and the NLL's interval hold; every other comparison of the tuned
    model is named with its numbers. Comparisons of other arms are passed over. Arms in `score_only` have no NLL, and
    their score alone decides.
    """
    ours = {(one.than, one.measure): one for one in comparisons if one.better == "tuned"}
    if not ours:
        return "The tuned model was compared with nothing."
    pairs = [
        (arm, measure)
        for arm in reversed(ARMS)
        if any(arm == than for than, _ in ours)
        for measure in _MEASURES
        if measure == "score" or arm not in score_only
    ]
    holding = {pair for pair in pairs if pair in ours and ours[pair].holds}
    better = [
        arm for arm in dict.fromkeys(arm for arm, _ in pairs) if {pair for pair in pairs if pair[0] == arm} <= holding
    ]
    worse = [_named(ours[pair]) for pair in pairs if pair in ours and ours[pair].reading == "worse"]
    open_ = [_named(ours[pair]) for pair in pairs if pair in ours and ours[pair].reading == "unclear"]
    missing = [f"{arm} on {_MEASURES[measure]}" for arm, measure in pairs if (arm, measure) not in ours]
    parts = [
        f"{says} {_listed(names)}"
        for says, names in (
            ("is better than", better),
            ("is worse than", worse),
            ("shows no evidence of improvement over", open_),
            ("was not compared with", missing),
        )
        if names
    ]
    return f"The tuned model {'; it '.join(parts)}."


def _named(one: Comparison) -> str:
    better = "" if MORE_IS_BETTER[one.measure] else ", less is better"
    finds = f"; this test finds differences from {finds_from(one.detectable)} on" if one.detectable is not None else ""
    could = finds if one.reading == "unclear" else ""
    numbers = f"{one.difference:+.3f} ({one.low:+.3f} to {one.high:+.3f}{better}{could})"
    return f"{one.than} on {_MEASURES[one.measure]}: {numbers}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
