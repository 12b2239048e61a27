"""What people answered differently, as two unnamed sides between which somebody settles.

ann accepts "It has 6 legs.", ben edits it to "It has 8 legs.", cleo edits it to the same:

    A: one person accepted the response as it stands        It has [6] legs.
    B: 2 people edited the response                         It has [8] legs.

Answers are one side when the policy would call them agreed. Where there are more than two sides, the two
with the most people are A and B and the others stand below, in words. Which of two is A depends on a digest
of their texts, so it tells nothing of who came first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from annotation.words import Words
from pipeline.consensus import TEXT_VERDICTS, latest_of_each
from pipeline.digest import value_digest
from schemas import Annotation


@dataclass(frozen=True)
class Side:
    """One of the different answers.

    Attributes:
        verdict: accept, edit, write, reject or unsure.
        text: The text it stands for; None where it gives none.
        answers: Who says so, oldest first.
    """

    verdict: str
    text: str | None
    answers: tuple[Annotation, ...]


def sides(answers: Sequence[Annotation]) -> list[Side]:
    """Return the different answers, A and B first, then the others from most to fewest people.

    Of each person the latest answer counts. Who is unsure is never A or B while there are two others.
    Preferences say nothing of the response and are no side.
    """
    groups: dict[tuple[str, str], list[Annotation]] = {}
    for answer in latest_of_each([answer for answer in answers if answer.verdict != "prefer"]):
        kind = "edit" if answer.verdict in TEXT_VERDICTS else answer.verdict
        groups.setdefault((kind, " ".join((answer.response or "").split())), []).append(answer)
    found = [Side(group[-1].verdict, group[-1].response, tuple(group)) for group in groups.values()]
    ranked = sorted(found, key=lambda side: (side.verdict == "unsure", -len(side.answers), _digest(side)))
    return sorted(ranked[:2], key=_digest) + ranked[2:]


def told(side: Side, words: Words, *, with_text: bool = False) -> str:
    """Return what a side says, in words and without a name: how many, their verdict, errors and remarks."""
    n = len(side.answers)
    who = words.people.one if n == 1 else words.people.more.format(n=n)
    code = "empty_edit" if side.verdict == "edit" and not side.text else side.verdict
    lines = [f"{who}: {getattr(words.says, code)}"]
    wrong = dict.fromkeys(label for answer in side.answers for label in answer.error_types)
    if wrong:
        lines.append(words.wrong_with_it.format(errors=", ".join(wrong)))
    lines += [words.remark.format(comment=answer.comment) for answer in side.answers if answer.comment]
    if with_text and side.text:
        lines.append(side.text)
    return "\n".join(lines)


def _digest(side: Side) -> str:
    return value_digest([side.verdict, side.text])
