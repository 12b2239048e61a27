"""What the answers about one row come to: its status, its new text, and a sentence for people.

row "5", standing: a1 edit "4"            -> edited, response "4", edited_from "5"
row "5", standing: a1 accept, a2 reject   -> disputed, "verdicts differ: a1 accept, a2 reject"
row "6", stale: a1 accept                 -> no status, stale, "its text changed after these answers: a1 accept"
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

import pyarrow as pa

from pipeline.consensus import EXACT, Outcome, Rules, consensus, counted_of
from pipeline.joining import AnsweredRow
from schemas import Status

# settled: verdicts differ, and the model decided; left_open: it could not decide either; confirmed: all said the
# same, and so did it; doubted: all said the same, and it was not convinced, so the row is disputed.
ModelSays = Literal["settled", "left_open", "confirmed", "doubted"]
DECISIONS = pa.schema(
    [
        ("status", pa.string()),
        ("votes", pa.list_(pa.string())),
        ("annotators", pa.list_(pa.string())),
        ("guideline", pa.string()),
        ("edited_from", pa.string()),
        ("response", pa.string()),
        ("turn", pa.int64()),
        ("n_completion_tokens", pa.int64()),
        ("is_confirmed", pa.bool_()),
        ("is_stale", pa.bool_()),
        ("reopened", pa.string()),
        ("detail", pa.string()),
        ("repeats", pa.string()),
        ("score", pa.float64()),
    ]
)

_TEXT_CHANGED = "its text changed"


@dataclass(frozen=True)
class Decision:
    """What becomes of a row with answers: one row of `DECISIONS`.

    Attributes:
        status: None where the row is as good as unanswered.
        votes: Verdicts, of stale answers too, so that they can be looked up.
        annotators: Pseudonyms, in the order of the votes.
        edited_from: The text that was replaced; None where there was none.
        response: The new text of the message `turn`; None leaves the row as it is.
        n_completion_tokens: Of the whole completion; `decide` gives the count before the edit.
        is_confirmed: Whether two people or an adjudicator stand behind the status.
        reopened: Why a stale row's answers are to be given again; None where its text changed.
        detail: A sentence for the case that the row is dropped.
        repeats: The same, where the new text repeats a benchmark's item.
        score: How much of it.
        model_says: What a model of the people did to the row; None where it was not asked.
        is_near: Whether edits agree that are alike and not equal.
    """

    status: Status | None
    votes: list[str]
    annotators: list[str]
    guideline: str | None
    edited_from: str | None
    response: str | None
    turn: int | None
    n_completion_tokens: int
    is_confirmed: bool
    is_stale: bool
    reopened: str | None
    detail: str
    repeats: str | None = None
    score: float | None = None
    model_says: ModelSays | None = None
    is_near: bool = False

    def with_tokens(self, n: int) -> Self:
        """Return the decision with another token count."""
        return replace(self, n_completion_tokens=n)

    def with_item(self, sentence: str, score: float) -> Self:
        """Return the decision for a row whose new text repeats a benchmark's item."""
        return replace(self, repeats=sentence, score=score)

    def row(self) -> dict[str, Any]:
        """Return the decision as a row of `DECISIONS`."""
        return {name: value for name, value in asdict(self).items() if name in DECISIONS.names}


def decide(
    row: AnsweredRow,
    names: Mapping[str, str],
    rules: Rules = EXACT,
    posterior: Mapping[str, float] | None = None,
) -> Decision:
    """Return what the answers about a row come to.

    Stale answers count only where none stands, and then for nothing but the mark.

    Args:
        row: A row with at least one answer.
        names: Annotator to pseudonym.
        rules: How answers come to a status.
        posterior: What a model makes of the standing answers; None to go by them alone.
    """
    is_stale = not row.standing
    outcome = consensus(row.standing or row.stale, rules, None if is_stale else posterior)
    status, response, edited_from = None if is_stale else outcome.status, None, None
    if status == "edited" and outcome.response is not None:
        edited_from = _content(row.completion, outcome.turn)
        response = outcome.response if outcome.response != edited_from else None
        # A near-duplicate's edit may be what the kept row says already.
        status = "edited" if response is not None else "accepted"
    if status == "accepted" and not row.completion:
        status = None
    annotators = [names[annotator] for annotator in outcome.annotators]
    return Decision(
        status=status,
        votes=outcome.votes,
        annotators=annotators,
        guideline=outcome.guideline,
        edited_from=edited_from if response is not None else None,
        response=response,
        turn=outcome.turn,
        n_completion_tokens=row.n_completion_tokens,
        is_confirmed=outcome.is_confirmed,
        is_stale=is_stale,
        reopened=row.reopened or None if is_stale else None,
        detail=_sentence(outcome, status, annotators, stale=(row.reopened or _TEXT_CHANGED) if is_stale else ""),
        model_says=_model_says(outcome),
        is_near=outcome.is_near and not is_stale,
    )


def rewritten(completion: Sequence[Mapping[str, Any]], text: str, turn: int | None) -> list[dict[str, Any]]:
    """Return the completion with one message's content replaced, or with a new message if it was empty."""
    if not completion:
        return [{"role": "assistant", "content": text}]
    at = len(completion) - 1 if turn is None else turn
    return [{**message, "content": text} if i == at else dict(message) for i, message in enumerate(completion)]


def _content(completion: Sequence[Mapping[str, Any]], turn: int | None) -> str | None:
    if not completion:
        return None
    content: str = completion[-1 if turn is None else turn]["content"]
    return content


def _model_says(outcome: Outcome) -> ModelSays | None:
    if outcome.posterior is None:
        return None
    counted = {answer.verdict for answer in counted_of(outcome.answers)}
    if len(counted) > 1:
        return "left_open" if outcome.status == "disputed" else "settled"
    # Edits whose texts differ are disputed whatever a model says of the verdict.
    return "doubted" if outcome.status == "disputed" and counted != {"edit"} else "confirmed"


def _sentence(outcome: Outcome, status: str | None, annotators: Sequence[str], *, stale: str) -> str:
    said = ", ".join(f"{who} {vote}" for who, vote in zip(annotators, outcome.votes, strict=True))
    if outcome.posterior is not None and outcome.status != "disputed":
        said += f" (a model holds this {outcome.posterior:.2f} likely)"
    if stale == _TEXT_CHANGED:
        return f"{stale} after these answers: {said}"
    if stale:
        return f"asked again ({stale}) after these answers: {said}"
    if status is None:
        return f"its response is still to be written; so far: {said}"
    if status == "disputed":
        return f"{outcome.why}: {said}"
    if status == "unsure":
        return f"nobody could say: {said}"
    if status == "rejected":
        wrong = sorted({label for answer in outcome.answers for label in answer.error_types})
        return f"rejected: {said}" + (f"; wrong: {', '.join(wrong)}" if wrong else "")
    return f"no second person has confirmed it: {said}"
