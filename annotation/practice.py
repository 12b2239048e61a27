"""The practice round: who has passed it, and what each person got wrong, with the explanations. Pure.

Ten gold items, eight answered right, mark 0.8  -> passed at the moment of the tenth answer
nine of them answered                           -> not done yet
eight right, two mended after the tenth         -> passed; the two stay wrong
five right                                      -> not passed; a second file of items gives another chance

The first answer of a person to an item counts, and only if it was not changed after the last item was answered, since
the explanations are shown from then on (Label Studio touches an answer for a moment after it was sent: a minute is
allowed).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from annotation.gold import PASS_MARK, Gold
from schemas import Annotation

_GRACE = timedelta(minutes=1)
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True)
class Wrong:
    """An item that was answered wrongly."""

    item: Gold
    answer: Annotation


@dataclass(frozen=True)
class Practised:
    """How one person did.

    Attributes:
        annotator: The person.
        answered: Items answered so far.
        right: Of them right.
        total: Items in all.
        finished_at: When the last item was answered; None while items are open.
        passed_at: The same if enough were right; None otherwise.
        wrong: What was wrong, in the order of the items; to be shown only to who has finished.
    """

    annotator: str
    answered: int
    right: int
    total: int
    finished_at: str | None
    passed_at: str | None
    wrong: tuple[Wrong, ...]

    @property
    def state(self) -> str:
        """The result in a word or two."""
        if self.passed_at:
            return "passed"
        return "not passed" if self.finished_at else f"{self.total - self.answered} items left"


def practice_result(
    answers: Sequence[Annotation], items: Sequence[Gold], pass_mark: float = PASS_MARK
) -> dict[str, Practised]:
    """Return annotator to result, for everybody who answered an item, in order of name.

    Args:
        answers: Each answer once; those about other examples are no matter.
        items: What `read_gold` gives.
        pass_mark: Share of the items that must be right.
    """
    known = {item.id: item for item in items}
    first: dict[str, dict[str, Annotation]] = defaultdict(dict)
    for answer in sorted(answers, key=lambda one: (one.created_at, one.key)):
        if answer.example in known:
            first[answer.annotator].setdefault(answer.example, answer)
    return {who: _practised(who, first[who], items, pass_mark) for who in sorted(first)}


def is_right(answer: Annotation, item: Gold) -> bool:
    """Return whether an answer says what the item wants.

    The verdict must be the item's. An edit must make the change: hold each word that the right text has and the shown
    one lacks, and none that the shown one has too much; case is no matter. Where the words are the same, the texts
    must be equal but for white space.
    """
    if answer.verdict != item.verdict:
        return False
    if item.verdict != "edit" or item.text is None:
        return True
    given = answer.response or ""
    if given.split() == item.text.split():
        return True
    wanted, shown, got = _words(item.text), _words(item.response), _words(given)
    missing, too_much = wanted - shown, shown - wanted
    if not missing and not too_much:
        return False
    return not (missing - got) and all(got[word] <= wanted[word] for word in too_much)


def _practised(who: str, given: dict[str, Annotation], items: Sequence[Gold], pass_mark: float) -> Practised:
    finished = max(answer.created_at for answer in given.values()) if len(given) == len(items) else None
    wrong = tuple(
        Wrong(item, given[item.id])
        for item in items
        if item.id in given and not (is_right(given[item.id], item) and _in_time(given[item.id], finished))
    )
    right = len(given) - len(wrong)
    has_passed = finished is not None and right / len(items) >= pass_mark
    return Practised(who, len(given), right, len(items), finished, finished if has_passed else None, wrong)


def _in_time(answer: Annotation, finished: str | None) -> bool:
    if finished is None:
        return True
    return datetime.fromisoformat(answer.updated_at) <= datetime.fromisoformat(finished) + _GRACE


def _words(text: str) -> Counter[str]:
    return Counter(_WORDS.findall(text.casefold()))
