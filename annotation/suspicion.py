"""How likely a mistake in an answer is, as trained models see it, and in words for the person who looks.

Of 526 answers to summarize, one that the tuned model gives 5.1 nats a token, more than it gives 520 of the others, and
that training made cheaper than only 10 others, has ``unlikely`` 0.99 and ``unlearned`` 0.98. That orders answers, and
says little of mistakes: there are many ways to say a thing. What counts is the doubt (`train/doubt.py`): how firmly
models, one of them best without having seen the row, expect another token than the one that stands there.

An example comes the earlier, the higher its doubt and the weights of the rules it breaks are together.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import rankdata

from annotation.rule_checks import Bits, doubt_of, rules_of

Floats = NDArray[np.float64]
T = TypeVar("T", float, Floats)
# Doubt d counts as the chance of a mistake _MOST * d^2 / (d^2 + _HALF^2). Fitted to the share of planted wrong answers
# at each doubt, of 19,471 train answers of which 9.5 % were wrong: 0.18 at 3, 0.35 at 5, 0.58 at 8, 0.78 beyond 10.
_MOST, _HALF = 0.7, 5.0
# Keeps answers without any doubt in the order of their surprise, and weighs nothing else.
_TIE = 1e-3
# A template whose answers a model hardly ever doubts: there the mean is not taken to be smaller than this.
_LEAST_MEAN = 0.05
# Above this chance, and above this share of its peers, there is a sentence for it.
WORTH_A_LOOK, _TELLING = 0.18, 0.9
# Share of a template's answers that may be wrong. Where a model has a doubt of so many nats of more of them than that,
# most of its doubts are its own mistakes, and count for less.
_LIKELY, _FIRM = 0.1, 3.0
_DOUBTED = "A trained model doubts that this answer is right."


class Surprise(NamedTuple):
    """How answers stand among the train answers of their template; NaN where a row has no score.

    Attributes:
        unlikely: Share of them, 0 to 1, that the tuned model finds likelier.
        unlearned: Share of them, 0 to 1, that training helped more: rank of tuned minus base.
        gain: Tuned minus base, nats a token; above 0, training made the answer less likely.
        chance: How likely a mistake is by the doubts of models, 0 to 1: at least one of them is right; 0 without any.
    """

    unlikely: Floats
    unlearned: Floats
    gain: Floats
    chance: Floats

    @property
    def both(self) -> Floats:
        """The mean of the two ranks, or the first alone where the base has no score; 0 without any."""
        both = np.where(np.isnan(self.unlearned), self.unlikely, (self.unlikely + self.unlearned) / 2)
        return np.nan_to_num(both)


def surprise_of(template: pa.ChunkedArray, tuned: Floats, base: Floats, doubts: Sequence[Floats]) -> Surprise:
    """Return how each answer stands among those of its template.

    Args:
        template: Name of each row's template.
        tuned: Negative log-likelihood under the tuned model, nats a token; NaN for rows that take no part.
        base: The same under the base model.
        doubts: Of the tuned model, which has learnt from more rows, and of one that has not seen the row and so cannot
            have got used to its mistake; each in nats, NaN where it has none.

    Templates are kept apart, since a label is easier to guess than a summary. A rank is (position - 0.5) / n, so that
    the most unlikely of 3 answers stands at 0.83, not at 1: among few, nothing stands out.
    """
    codes = template.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    gain = tuned - base
    right = np.prod([1 - _chance(codes, doubt) for doubt in doubts], axis=0)
    return Surprise(_rank_within(codes, tuned), _rank_within(codes, gain), gain, 1 - right)


def suspicion(surprise: Surprise, bits: Bits) -> Floats:
    """Return how likely a mistake is, 0 to 1: at least one of the broken rules, or the doubt, is right about it."""
    return (1 - (1 - doubt_of(bits)) * (1 - surprise.chance)) * (1 - _TIE) + _TIE * surprise.both


def chance_of(doubt: T) -> T:
    """Return how likely a mistake is where a model has this doubt, 0 to 0.7."""
    return _MOST * doubt**2 / (doubt**2 + _HALF**2)


def reason(surprise: Surprise, bits: Bits, row: int, template: str) -> str:
    """Return why a row is looked at, in sentences for the reviewer; never empty for a row with a score."""
    said = [rule.sentence for rule in rules_of(int(bits[row]))]
    unlikely, unlearned = surprise.unlikely[row], surprise.unlearned[row]
    if surprise.chance[row] >= WORTH_A_LOOK:
        said.append(_DOUBTED)
    if unlikely >= _TELLING:
        said.append(
            "The trained model finds this answer very unlikely: "
            f"more so than {_of_100(unlikely)} of 100 answers to {template}."
        )
    if unlearned >= _TELLING:
        others = f"{_of_100(unlearned)} of 100 answers to {template}"
        is_worse = surprise.gain[row] > 0
        said.append(
            f"Training made this answer less likely; it helped {others} more."
            if is_worse
            else f"Training helped {others} more than this one."
        )
    if not said and not np.isnan(unlikely):
        said.append(f"The trained model finds this answer less likely than {_of_100(unlikely)} of 100 to {template}.")
    return " ".join(said)


def _rank_within(codes: NDArray[np.int32], values: Floats) -> Floats:
    ranks = np.full(len(values), np.nan)
    order = np.argsort(codes, kind="stable")
    order = order[~np.isnan(values[order])]
    starts = np.flatnonzero(np.diff(codes[order])) + 1
    for members in np.split(order, starts):
        if len(members):
            ranks[members] = (rankdata(values[members]) - 0.5) / len(members)
    return ranks


def _chance(codes: NDArray[np.int32], doubt: Floats) -> Floats:
    """Return how likely a mistake is by the doubt of one model; 0 where it has none.

    A doubt counts over the root of the template's mean: where a model is often firm and contradicted, it says less.
    """
    known = ~np.isnan(doubt)
    n = np.maximum(1, np.bincount(codes[known], minlength=codes.max(initial=0) + 1))
    mean = np.bincount(codes[known], doubt[known], minlength=len(n)) / n
    firm = np.bincount(codes[known], doubt[known] >= _FIRM, minlength=len(n)) / n
    scaled = np.nan_to_num(doubt) / np.sqrt(np.maximum(mean, _LEAST_MEAN))[codes]
    trust = np.minimum(1.0, _LIKELY / np.maximum(firm, _LIKELY))[codes]
    return np.asarray(chance_of(scaled) * trust)


def _of_100(share: float) -> int:
    return min(99, int(share * 100))
