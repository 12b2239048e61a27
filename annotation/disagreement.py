"""How far people, or models, disagree about one example, as a number from 0 to 1.

accept, reject                  -> 1.0   the only pair differs
accept, accept, reject          -> 0.67  2 of 3 pairs differ
label B; votes B, B, C, C, C    -> 4/7   for another label than the given one: (3 + 1) of (5 + 2)
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

from pipeline.consensus import latest_of_each
from schemas import Annotation


def disagreement(votes: Sequence[Hashable]) -> float:
    """Return the share of pairs of votes that differ, 0 to 1; 0 with fewer than two votes.

    It is the observed disagreement of Krippendorff's alpha for one item with nominal values.
    """
    n = len(votes)
    if n < 2:
        return 0.0
    same = sum(count * (count - 1) for count in Counter(votes).values())
    return 1 - same / (n * (n - 1))


def share_against(given: Hashable, votes: Sequence[Hashable]) -> float:
    """Return the share of votes for something else than the given answer, 0 to 1, after one more vote on each side.

    The two added votes (Laplace's rule of succession) keep 1 of 1 below 13 of 14. Without votes it is 0.5.
    """
    return (sum(vote != given for vote in votes) + 1) / (len(votes) + 2)


def disagreements(answers: Iterable[Annotation], examples: frozenset[str]) -> dict[str, float]:
    """Return example to how far the latest words of its people differ, for those of `examples` that have answers.

    An unsure word counts for nobody here either. Two edits differ where their texts do, but for white space.
    """
    given: dict[str, list[Annotation]] = {}
    for answer in answers:
        if answer.example in examples and answer.example is not None:
            given.setdefault(answer.example, []).append(answer)
    return {example: disagreement([*_words(some)]) for example, some in given.items()}


def _words(answers: Sequence[Annotation]) -> Iterable[tuple[str, str]]:
    for answer in latest_of_each(answers):
        if answer.verdict != "unsure":
            yield answer.verdict, " ".join((answer.response or "").split())
