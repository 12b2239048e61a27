"""What several people's answers about one example come to. Pure: no files, no rows.

a1 accept, a2 accept            -> accepted, 2 agreeing
a1 edit "4", a2 edit "4 "       -> edited, 2 agreeing
a1 accept, a2 reject            -> disputed
a1 accept, a2 reject, lead edit -> edited, settled by the adjudicator

With a model's posterior (`pipeline.aggregation`) beside them, two or more people need not all agree:

a1 accept, a2 reject, posterior accept 0.97 -> accepted, 1 agreeing
a1 accept, a2 reject, posterior accept 0.60 -> disputed, the model is not sure
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from pipeline.same_edit import normalised, same_edit
from schemas import Annotation, Status

TEXT_VERDICTS = ("edit", "write")
# What a model is asked about: where a response is to be written, there is nothing to judge.
JUDGED = ("accept", "edit", "reject")
_STATUS: dict[str, Status] = {"accept": "accepted", "reject": "rejected"}


@dataclass(frozen=True)
class Rules:
    """How answers come to a status.

    Attributes:
        same_edit_chrf: Two edits agree from this chrF on; at 1 equal texts alone do.
        min_posterior: A model's verdict counts from this probability on.
    """

    same_edit_chrf: float = 1.0
    min_posterior: float = 0.9


EXACT = Rules()


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
        posterior: How likely the model holds its verdict; None where no model was asked.
        is_near: True when edits agree that are alike and not equal.
    """

    status: Status
    answers: tuple[Annotation, ...]
    agreeing: int = 0
    by_adjudicator: bool = False
    response: str | None = None
    turn: int | None = None
    why: str = ""
    posterior: float | None = None
    is_near: bool = False

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


def consensus(
    answers: Sequence[Annotation], rules: Rules = EXACT, posterior: Mapping[str, float] | None = None
) -> Outcome:
    """Return what at least one answer about one example comes to; the order of the answers is no matter.

    Of each person the latest answer counts. An adjudicator's word wins, the latest if there are several.
    Who is unsure counts for nobody, an unsure adjudicator included. An edit without text says that the
    response is wrong and not what is right: it agrees with nothing, so the outcome is disputed.

    Edits agree when each two of them do (`pipeline.same_edit`) and are of one message; of texts that
    agree the latest stands, letter by letter.

    A posterior speaks where two or more people gave a verdict and no adjudicator did. Its likeliest verdict
    is the outcome if it is likely enough and somebody gave it. A new text takes two people who agree on it:
    a model weighs verdicts and knows nothing of texts.

    Args:
        answers: About one example.
        rules: How they come to a status.
        posterior: Verdict to probability, as a model has it; None to go by the answers alone.
    """
    latest = latest_of_each(answers)
    counted = counted_of(latest)
    if not counted:
        return Outcome("unsure", latest)
    settled = [answer for answer in counted if answer.adjudicated]
    if settled:
        return _agreed(settled[-1:], latest, rules, by_adjudicator=True)
    if posterior and is_judged(latest):
        return _believed(counted, latest, rules, posterior)
    return _agreed(counted, latest, rules)


def counted_of(latest: Sequence[Annotation]) -> list[Annotation]:
    """Return the answers that count: all but those of people who are unsure."""
    return [answer for answer in latest if answer.verdict != "unsure"]


def is_judged(latest: Sequence[Annotation]) -> bool:
    """Return whether a model may decide: two people gave a verdict on a response, and no adjudicator did."""
    counted = counted_of(latest)
    is_open = not any(answer.adjudicated for answer in counted)
    return is_open and len(counted) > 1 and all(answer.verdict in JUDGED for answer in counted)


def latest_of_each(answers: Sequence[Annotation]) -> tuple[Annotation, ...]:
    """Return the latest answer of each person, oldest first."""
    return tuple(sorted({answer.annotator: answer for answer in sorted(answers, key=_when)}.values(), key=_when))


def _when(answer: Annotation) -> tuple[str, str, str, str]:
    # The whole record breaks ties, so that no two different answers are ever in doubt.
    return answer.updated_at, answer.created_at, answer.key, answer.model_dump_json()


def _agreed(
    counted: Sequence[Annotation], latest: tuple[Annotation, ...], rules: Rules, *, by_adjudicator: bool = False
) -> Outcome:
    """Return the status that all the counted answers share, or disputed."""
    verdicts = {answer.verdict for answer in counted}
    for verdict, status in _STATUS.items():
        if verdicts == {verdict}:
            return Outcome(status, latest, len(counted), by_adjudicator)
    if not verdicts <= set(TEXT_VERDICTS):
        return Outcome("disputed", latest, why="verdicts differ")
    return _edited(counted, latest, rules, by_adjudicator=by_adjudicator)


def _edited(
    edits: Sequence[Annotation], latest: tuple[Annotation, ...], rules: Rules, *, by_adjudicator: bool = False
) -> Outcome:
    """Return edited if the texts agree, or disputed."""
    texts = {(normalised(answer.response or ""), answer.turn) for answer in edits}
    if any(not text for text, _ in texts):
        return Outcome("disputed", latest, why="an edit has no text")
    for (one, at), (other, elsewhere) in combinations(sorted(texts, key=str), 2):
        if at != elsewhere or not same_edit(one, other, rules.same_edit_chrf):
            return Outcome("disputed", latest, why="the edited texts differ")
    # Oldest first, so the last one is the latest.
    text, turn = edits[-1].response, edits[-1].turn
    return Outcome("edited", latest, len(edits), by_adjudicator, text, turn, is_near=len(texts) > 1)


def _believed(
    counted: Sequence[Annotation], latest: tuple[Annotation, ...], rules: Rules, posterior: Mapping[str, float]
) -> Outcome:
    """Return what a model makes of two or more verdicts, or disputed where it is not sure or cannot be right."""
    verdict, likely = max(sorted(posterior.items()), key=lambda item: item[1])
    said = [answer for answer in counted if answer.verdict == verdict]
    if likely < rules.min_posterior:
        return Outcome("disputed", latest, why=f"the model is not sure, {verdict} {likely:.2f}", posterior=likely)
    if not said:
        return Outcome("disputed", latest, why=f"the model holds {verdict} likely, nobody said so", posterior=likely)
    if verdict in _STATUS:
        return Outcome(_STATUS[verdict], latest, len(said), posterior=likely)
    if len(said) == 1:
        return Outcome("disputed", latest, why="one person's edit, which nobody else made", posterior=likely)
    return replace(_edited(said, latest, rules), posterior=likely)
