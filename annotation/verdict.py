r"""Verdict and text of one answer brought to agree, by stated rules; every use of a rule is counted.

| shown | verdict | text in the box | becomes | rule |
|---|---|---|---|---|
| a response | accept, edit or none | changed | edit | `accept_but_changed` if it was accept |
| a response | edit | unchanged | accept | `edit_but_unchanged` |
| a response | none | unchanged | accept | |
| a response | edit | empty or no box | edit without text, so disputed | `empty_edit` |
| a response | accept | emptied or no box | accept | |
| a response | reject | changed | reject, the text is left out | `reject_but_changed` |
| any | reject | no error type, no comment | reject | `reject_without_reason` |
| none | accept, edit, write or none | some | write | |
| none | accept, edit or write | empty | unsure | `nothing_written` |
| any | unsure | any | unsure | |

A dispute is settled by the same table: who picks a side takes its verdict and text, and who writes edits. A picked
side that has no text of its own, because somebody called the response wrong and wrote no other, is `empty_edit`.

Texts are equal when they differ in line endings and in white space at the ends of lines alone.
"""

from typing import NamedTuple

from schemas.annotation import Verdict

MEANINGS: dict[str, Verdict] = {
    **dict.fromkeys(("accept", "accepted", "approve", "approved", "correct", "good", "keep", "ok", "yes"), "accept"),
    **dict.fromkeys(("edit", "edited", "fix", "fixed", "needs edit", "revise", "revised"), "edit"),
    **dict.fromkeys(("bad", "discard", "incorrect", "no", "reject", "rejected", "wrong"), "reject"),
    **dict.fromkeys(("don't know", "not sure", "unclear", "unsure"), "unsure"),
    **dict.fromkeys(("write", "written"), "write"),
}


class Settled(NamedTuple):
    """A verdict and a text that agree, and the rule that made them, if one was needed."""

    verdict: Verdict
    response: str | None
    rule: str | None


def same_text(left: str, right: str) -> bool:
    """Return whether two texts differ in line endings and in white space at line ends at most."""
    return _lines(left) == _lines(right)


def settle(
    verdict: Verdict | None, text: str | None, shown: str, *, to_write: bool, has_reason: bool
) -> Settled | None:
    """Return verdict and text by the table above, or None if the answer says nothing at all.

    Args:
        verdict: What was chosen; None where the screen had no such choice.
        text: What stood in the box; None where there was no box or it was left empty.
        shown: The response that was shown.
        to_write: True if there was none and one was wanted.
        has_reason: Whether an error type or a comment was given.
    """
    written = bool(text and text.strip())
    if verdict == "unsure":
        return Settled("unsure", None, None)
    if verdict == "reject":
        return _rejected(text, shown, to_write=to_write, has_reason=has_reason)
    if verdict is None and not written:
        return None
    if to_write:
        return Settled("write", text, None) if written else Settled("unsure", None, "nothing_written")
    if verdict == "edit" and not written:
        return Settled("edit", None, "empty_edit")
    # Label Studio stores no text for a box that was emptied, nor for a screen without one.
    if text is None or not written:
        return Settled("accept", None, None)
    if same_text(text, shown):
        return Settled("accept", None, "edit_but_unchanged" if verdict == "edit" else None)
    return Settled("edit", text, "accept_but_changed" if verdict == "accept" else None)


def _rejected(text: str | None, shown: str, *, to_write: bool, has_reason: bool) -> Settled:
    if text and text.strip() and not to_write and not same_text(text, shown):
        return Settled("reject", None, "reject_but_changed")
    return Settled("reject", None, None if has_reason else "reject_without_reason")


def _lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines
