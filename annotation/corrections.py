"""What an adjudicator changed, and why, for the person whose answer it was. Pure.

ann edits "5" to "6", the adjudicator to "4" with the remark "2 + 2 is 4"
    ->  for ann: your answer edit "6", the final one edit "4", the difference, the remark
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from annotation.desk import PRACTICE, subject
from annotation.preferences import is_comparison
from annotation.verdict import same_text
from pipeline.word_diff import Piece, word_diff
from schemas import Annotation


@dataclass(frozen=True)
class Correction:
    """One answer that did not stand.

    Attributes:
        answer: The person's own.
        final: The adjudicator's.
        pieces: The difference between both texts; empty where one of them has none.
    """

    answer: Annotation
    final: Annotation
    pieces: list[Piece]


def corrections(answers: Sequence[Annotation]) -> dict[str, list[Correction]]:
    """Return annotator to the answers of theirs that an adjudicator's word changed, the latest word first."""
    about: dict[str, list[Annotation]] = defaultdict(list)
    for answer in answers:
        if answer.purpose != PRACTICE and not is_comparison(answer):
            about[subject(answer)].append(answer)
    found: dict[str, list[Correction]] = defaultdict(list)
    for given in about.values():
        words = [answer for answer in given if answer.adjudicated and answer.verdict != "unsure"]
        if not words:
            continue
        final = max(words, key=lambda one: (one.updated_at, one.key))
        latest: dict[str, Annotation] = {}
        for answer in sorted(given, key=lambda one: (one.updated_at, one.key)):
            if not answer.adjudicated and answer.annotator != final.annotator:
                latest[answer.annotator] = answer
        for who, answer in latest.items():
            if answer.verdict != "unsure" and _differ(answer, final):
                found[who].append(Correction(answer, final, _pieces(answer, final)))
    for listed in found.values():
        listed.sort(key=lambda one: (one.final.updated_at, one.final.key), reverse=True)
    return dict(found)


def text_of(answer: Annotation) -> str | None:
    """Return the response that an answer stands for; None for one that turns it down or mends it without a text."""
    if answer.verdict == "accept":
        return answer.seen.response
    return answer.response if answer.verdict in ("edit", "write") else None


def _differ(answer: Annotation, final: Annotation) -> bool:
    ours, theirs = text_of(answer), text_of(final)
    if ours is None or theirs is None:
        return answer.verdict != final.verdict
    # Who edited to the text that was accepted in the end agrees, whatever the verdicts are called.
    return not same_text(ours, theirs)


def _pieces(answer: Annotation, final: Annotation) -> list[Piece]:
    ours, theirs = text_of(answer), text_of(final)
    return [] if ours is None or theirs is None else word_diff(ours, theirs)
