"""Why an export cannot be used at all, and what to do: one problem for each reason, with its cure.

An export of a project that sorts texts by a control `sentiment`
    ->  no verdict (2 of 2): controls answered: sentiment
        fix: name the control that holds the answer: `--response sentiment` ...

An export of which only some answers are unusable is no case for this: those are listed and left out.
"""

from pathlib import Path

from annotation.export import Imported, Unreadable, reasons
from annotation.results import Names
from schemas import AnnotationError

_CONTROLS = "controls answered: "
_CURES = {
    "no prompt": "tuneloop reads texts only: for one under another key give `--prompt KEY`; pictures and sound it "
    "cannot use, and a chat that was typed in Label Studio is a source for the template chat, not an answer",
    "unknown verdict": "say what the words mean, such as --means Positive=accept",
    "several verdicts": "a verdict is one choice: name another control with --verdict, or make it one choice there",
    "bad result": "the file is damaged or was made by another program: export it again from Label Studio, as JSON",
    "bad value": "mend the value in the file, or export it again from Label Studio, as JSON",
    "not a task": "export it again from Label Studio, as JSON",
    "not an annotation": "export it again from Label Studio, as JSON",
}


def refusal(found: Imported, path: Path, names: Names) -> AnnotationError | None:
    """Return what is wrong with an export that holds answers and not one that can be used; None for any other.

    Args:
        found: What the export held.
        path: The file.
        names: The controls that were looked for.
    """
    if found.answers or not found.unreadable:
        return None
    n = len(found.unreadable)
    return AnnotationError.of(
        AnnotationError(
            f"no answer can be used: {reason} ({count:,} of {n:,}): {first.detail}",
            where=f"{path}, {first.place}",
            fix=_cure(reason, first, names),
        )
        for reason, count, first in reasons(found.unreadable)
    )


def _cure(reason: str, first: Unreadable, names: Names) -> str:
    if reason != "no verdict":
        return _CURES.get(reason, "export it again from Label Studio, as JSON")
    controls = first.detail.removeprefix(_CONTROLS).split(", ")
    if controls == ["none"]:
        return "nothing was answered on that screen: look at the task in Label Studio"
    left = [control for control in controls if control not in (*names.response, *names.verdict)]
    if not left:
        return (
            "what stands in that control is neither a choice nor a text, such as a box in a picture: it has no use here"
        )
    return (
        f"name the control that holds the answer: `--response {left[0]}` where people chose or wrote the response "
        f"itself, or `--verdict {left[0]}` with `--means WORD=accept` where they judged one"
    )
