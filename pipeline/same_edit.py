r"""Whether two people's texts are the same edit: equal but for white space, or alike by chrF.

    same_edit("4", "4\n", 1.0)                        -> True
    same_edit("The Nile", "the Nile", 1.0)            -> False, their chrF is 0.74
    same_edit("The Nile", "the Nile", 0.7)            -> True

chrF is sacrebleu's, with its defaults: the F-score of character n-grams up to 6, without white space.
"""

from sacrebleu.metrics.chrf import CHRF

_CHRF = CHRF()


def normalised(text: str) -> str:
    """Return a text with every run of white space as one blank, and none at its ends."""
    return " ".join(text.split())


def same_edit(one: str, other: str, threshold: float) -> bool:
    """Return whether two texts are equal once normalised, or alike to at least `threshold`.

    Args:
        one: A text.
        other: Another; the order is no matter.
        threshold: chrF from 0 to 1; at 1 equal texts alone are the same, and chrF is not asked: it sees no
            white space, so "now here" would be "nowhere".
    """
    left, right = normalised(one), normalised(other)
    return left == right or (threshold < 1 and chrf(left, right) >= threshold)


def chrf(one: str, other: str) -> float:
    """Return the chrF of two texts, from 0 to 1: the lesser of both directions, since chrF weighs recall more."""
    there, back = _CHRF.sentence_score(one, [other]).score, _CHRF.sentence_score(other, [one]).score
    return float(min(there, back)) / 100
