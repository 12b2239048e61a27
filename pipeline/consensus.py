"""What several people's answers about one example come to. Pure: no files, no rows.

a1 accept, a2 accept            -> accepted, 2 agreeing
a1 edit "4", a2 edit "4 "       -> edited, 2 agreeing
a1 accept, a2 reject            -> disputed
a1 accept, a2 reject, lead edit -> edited, settled by the adjudicator
"""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas import Annotation, Status

TEXT_VERDICTS = ("edit", "write")


@dataclass(frozen=True)
class Outcome:
    """What the answers come to.

    Attributes:
        status: accepted, edited, rejected, disputed or unsure.
        answers: The latest answer of each person, oldest first; `votes` and `annotators` follow it.
        agreeing: People behind the status; 0 where it is disputed or unsure.
        by_adjudicator: True when an adjudicator's word decided.
        response: The new text, for edited.
        turn: Which completion message it replaces; None is the last.
        why: A phrase for what kept the answers from agreeing; empty otherwise.
    """

    status: Status
    answers: tuple[Annotation, ...]
    agreeing: int = 0
    by_adjudicator: bool = False
    response: str | None = None
    turn: int | None = None
    why: str = ""

    @property
    def votes(self) -> list[str]:
        """The verdict of each person."""
        return [answer.verdict for answer in self.answers]

    @property
    def annotators(self) -> list[str]:
        """The people, as the tool names them."""
        return [answer.annotator for answer in self.answers]

    @property
    def guideline(self) -> str | None:
        """Digest of the guideline that the newest answer followed."""
        return self.answers[-1].guideline

    @property
    def is_confirmed(self) -> bool:
        """Whether two people agree or an adjudicator has spoken."""
        return self.by_adjudicator or self.agreeing >= 2


def consensus(answers: Sequence[Annotation]) -> Outcome:
    """Return what at least one answer about one example comes to; the order of the answers is no matter.

    Of each person the latest answer counts. An adjudicator's word wins, the latest if there are several.
    Who is unsure counts for nobody, an unsure adjudicator included. An edit without text says that the
    response is wrong and not what is right: it agrees with nothing, so the outcome is disputed.
    """
    latest = latest_of_each(answers)
    counted = [answer for answer in latest if answer.verdict != "unsure"]
    if not counted:
        return Outcome("unsure", latest)
    settled = [answer for answer in counted if answer.adjudicated]
    if settled:
        return _agreed(settled[-1:], latest, by_adjudicator=True)
    return _agreed(counted, latest)


def latest_of_each(answers: Sequence[Annotation]) -> tuple[Annotation, ...]:
    """Return the latest answer of each person, oldest first."""
    return tuple(sorted({answer.annotator: answer for answer in sorted(answers, key=_when)}.values(), key=_when))


def _when(answer: Annotation) -> tuple[str, str, str, str]:
    # The whole record breaks ties, so that no two different answers are ever in doubt.
    return answer.updated_at, answer.created_at, answer.key, answer.model_dump_json()


def _agreed(counted: Sequence[Annotation], latest: tuple[Annotation, ...], *, by_adjudicator: bool = False) -> Outcome:
    """Return the status that all the counted answers share, or disputed."""
    verdicts = {answer.verdict for answer in counted}
    n = len(counted)
    if verdicts == {"accept"}:
        return Outcome("accepted", latest, n, by_adjudicator)
    if verdicts == {"reject"}:
        return Outcome("rejected", latest, n, by_adjudicator)
    if not verdicts <= set(TEXT_VERDICTS):
        return Outcome("disputed", latest, why="verdicts differ")
    texts = {(" ".join((answer.response or "").split()), answer.turn) for answer in counted}
    if any(not text for text, _ in texts):
        return Outcome("disputed", latest, why="an edit has no text")
    if len(texts) > 1:
        return Outcome("disputed", latest, why="the edited texts differ")
    # Texts that differ in white space alone: the latest, letter by letter.
    return Outcome("edited", latest, n, by_adjudicator, counted[-1].response, counted[-1].turn)
