"""An annotation: what one person said of one example, and exactly what that person saw."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from schemas.base import Strict
from schemas.example import Message

# `prefer` says which of two answers is better and nothing of the example's own response: it never votes.
Verdict = Literal["accept", "edit", "reject", "unsure", "write", "prefer"]
Preferred = Literal["a", "b", "tie", "both_bad"]


def utc_time(text: str) -> str:
    """Return a moment in the one form in which the order of texts is the order of time.

    ``2024-05-15T14:09:16+02:00`` becomes ``2024-05-15T12:09:16.000000Z``; without a zone it is UTC.

    Raises:
        ValueError: The text is no ISO 8601 date and time.
    """
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Moment = Annotated[str, AfterValidator(utc_time)]


class Seen(Strict):
    """What stood on the screen. Two are the same exactly when their texts are."""

    prompt: list[Message] = Field(title="messages shown as context")
    response: str = Field(title="the answer that was shown for review; empty when one was to be written")
    other: str | None = Field(default=None, title="answer B, where two were compared; `response` is then answer A")


class Annotation(Strict):
    """One person's answer. Never lost, never overwritten: a later answer is a new record."""

    key: str = Field(title="where it was given: tool, project and annotation id; later records replace earlier")
    example: str | None = Field(title="id of the example, where the task carried one")
    source: str | None = Field(default=None, title="source of the example, where the task carried it")
    seen: Seen
    annotator: str = Field(title="as the tool names the person; never leaves data/annotations")
    verdict: Verdict
    response: str | None = Field(default=None, title="the text the person left in the box, for edit and write")
    preferred: Preferred | None = Field(default=None, title="which answer is better, for prefer")
    turn: int | None = Field(default=None, ge=0, title="which completion message was edited, from 0; None = the last")
    error_types: list[str] = Field(default=[], title="labels of what is wrong")
    rating: int | None = Field(default=None, ge=1, le=5)
    comment: str | None = None
    adjudicated: bool = Field(default=False, title="true when a lead settled a dispute: this word wins")
    guideline: str | None = Field(default=None, title="digest of the guideline in force")
    round: str | None = Field(default=None, title="review round")
    purpose: str | None = Field(
        default=None, title="what the person was asked for: main, overlap, dispute, practice, ..."
    )
    task: int | None = Field(default=None, title="number of the task in the tool, for links")
    queue: str | None = Field(
        default=None, title="how the example was chosen, ranked or random; of the random ones errors are counted"
    )
    created_at: Moment = Field(title="ISO 8601, UTC")
    updated_at: Moment = Field(title="ISO 8601, UTC; of two records with one key the later stands")
    lead_time_seconds: float | None = None
    withdrawn: bool = Field(default=False, title="true when the person has deleted the answer: it counts no more")
    contradiction: str | None = Field(default=None, title="verdict and text disagreed; which rule settled it")
