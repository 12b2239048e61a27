"""How likely a mistake in an answer is, as a trained model sees it, and in words for the person who looks.

Of 526 answers to summarize, one that the tuned model gives 5.1 nats a token, more than it gives 520 of the others, and
that training made cheaper than only 10 others, has ``unlikely`` 0.99 and ``unlearned`` 0.98: its surprise is 0.985.

An example comes the earlier, the higher its surprise and the weights of the rules it breaks are together.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import rankdata

from annotation.rule_checks import Bits, doubt_of, rules_of

Floats = NDArray[np.float64]
_STEEP, _MOST = 4, 0.2
# Above this share of its peers, an answer's rank is worth a sentence of its own.
_TELLING = 0.9


class Surprise(NamedTuple):
    """How answers stand among the train answers of their template; NaN where a row has no score.

    Attributes:
        unlikely: Share of them, 0 to 1, that the tuned model finds likelier.
        unlearned: Share of them, 0 to 1, that training helped more: rank of tuned minus base.
        gain: Tuned minus base, nats a token; above 0, training made the answer less likely.
    """

    unlikely: Floats
    unlearned: Floats
    gain: Floats

    @property
    def both(self) -> Floats:
        """The mean of the two ranks, or the first alone where the base has no score; 0 without any."""
        both = np.where(np.isnan(self.unlearned), self.unlikely, (self.unlikely + self.unlearned) / 2)
        return np.nan_to_num(both)


def surprise_of(template: pa.ChunkedArray, tuned: Floats, base: Floats) -> Surprise:
    """Return how each answer stands among those of its template.

    Args:
        template: Name of each row's template.
        tuned: Negative log-likelihood under the tuned model, nats a token; NaN for rows that take no part.
        base: The same under the base model.

    Templates are kept apart, since a label is easier to guess than a summary. A rank is (position - 0.5) / n, so that
    the most unlikely of 3 answers stands at 0.83, not at 1: among few, nothing stands out.
    """
    codes = template.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    gain = tuned - base
    return Surprise(_rank_within(codes, tuned), _rank_within(codes, gain), gain)


def suspicion(surprise: Surprise, bits: Bits) -> Floats:
    """Return how likely a mistake is, 0 to 1: at least one of the broken rules, or the surprise, is right about it.

    A surprise s counts as the chance s**4 / 5: a rank tells little below the top tenth, and even at the top less than
    any rule. On the sample's planted wrong answers the surprise of a tiny model found no more than chance, so it may
    order what no rule speaks against, and not push aside what one does.
    """
    return 1 - (1 - doubt_of(bits)) * (1 - surprise.both**_STEEP * _MOST)


def reason(surprise: Surprise, bits: Bits, row: int, template: str) -> str:
    """Return why a row is looked at, in sentences for the reviewer; never empty for a row with a score."""
    said = [rule.sentence for rule in rules_of(int(bits[row]))]
    unlikely, unlearned = surprise.unlikely[row], surprise.unlearned[row]
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


def _of_100(share: float) -> int:
    return min(99, int(share * 100))
