"""What an answer on one of our screens comes to: verdict, text, preference, and whether it settles a dispute.

On the dispute screen ``settled: a`` beside the task's ``a: {"verdict": "edit", "text": "4"}`` is an edit to ``4``;
``settled: write`` is an edit to what stands in the box; both are an adjudicator's word. On the preference screen
``preferred: b`` is the verdict `prefer`, which says nothing of the example's own response.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from annotation.results import Results
from annotation.verdict import MEANINGS, same_text, settle
from pipeline.screen import asks_for_text
from schemas import Preferred, Seen, Verdict


@dataclass(frozen=True)
class Answered:
    """What one answer comes to.

    Attributes:
        seen: What was shown; on the preference screen both answers.
        verdict: The verdict, in agreement with the text.
        response: The new text, for edit and write.
        rule: The rule that made verdict and text agree, if one was needed.
        preferred: The better answer, for prefer.
        settles: True for an answer on the dispute screen.
    """

    seen: Seen
    verdict: Verdict
    response: str | None = None
    rule: str | None = None
    preferred: Preferred | None = None
    settles: bool = False


def answered(data: Mapping[str, Any], seen: Seen, results: Results) -> Answered | None:
    """Return what the results of a task with these data come to, or None if they say nothing.

    Tasks without a `screen` are of an older round or of somebody else: they are read as a review.
    """
    if data.get("screen") == "preference":
        return _preference(data, seen, results)
    if data.get("screen") == "dispute":
        return _settlement(data, seen, results)
    to_write = asks_for_text(seen)
    settled = settle(results.verdict, results.response, seen.response, to_write=to_write, has_reason=results.has_reason)
    return settled and Answered(seen, settled.verdict, settled.response, settled.rule)


def _preference(data: Mapping[str, Any], seen: Seen, results: Results) -> Answered | None:
    a, b = data.get("answer_a"), data.get("answer_b")
    if results.preferred is None or not isinstance(a, str) or not isinstance(b, str):
        return None
    both = seen.model_copy(update={"response": a, "other": b})
    return Answered(both, "prefer", preferred=results.preferred)


def _settlement(data: Mapping[str, Any], seen: Seen, results: Results) -> Answered | None:
    """Return the adjudicator's word; a text in the box that nobody showed wins over a picked side."""
    if results.settled is None:
        return None
    box, rule = results.response, None
    if results.settled in ("a", "b"):
        side = data.get(results.settled)
        verdict, text = (side.get("verdict"), side.get("text")) if isinstance(side, dict) else (None, None)
        meant = MEANINGS.get(str(verdict))
        if meant is None:
            return None
        is_new = box is not None and bool(box.strip()) and not same_text(box, seen.response)
        if is_new and not same_text(box or "", text or ""):
            meant, text, rule = "edit", box, "accept_but_changed"
    else:
        meant, text = ("reject", None) if results.settled == "reject" else ("edit", box)
    settled = settle(
        meant,
        text,
        seen.response,
        to_write=asks_for_text(seen),
        has_reason=results.has_reason,
    )
    return settled and Answered(seen, settled.verdict, settled.response, settled.rule or rule, settles=True)
