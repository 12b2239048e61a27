"""How each person's verdicts compare with the others', and who answers nearly at random or accepts everything.

    ann   120 answers, accepts 0.71, agrees with the others on 0.86 of 100 items (by chance 0.55)
    ben    90 answers, accepts 0.52, agrees with the others on 0.53 of  80 items (by chance 0.50)   near random
    cy    110 answers, accepts 1.00, agrees with the others on 0.70 of 100 items (by chance 0.70)   accepts all

A flag is a reason to look at that person's answers and to talk with them, never a verdict: the others may be
wrong, or the person may have had the hard items. Nobody is flagged on fewer than 30 items.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scipy.stats import binom

from annotation.agreement import comparable
from pipeline.consensus import JUDGED
from schemas import Annotation

Flag = Literal["near random", "accepts all"]
# Person to verdict, for one item.
Verdicts = Mapping[str, str]

# Fewer items tell a careless person from an unlucky one too seldom.
LEAST_ITEMS = 30
# With one other person nobody can tell which of the two is wrong.
_LEAST_OTHERS = 2
# Half way between answering by chance and never being wrong: on yes or no, three answers in four.
_SKILL = 0.5
_RARE = 0.05
_NEARLY_ALL = 0.95


@dataclass(frozen=True)
class Quality:
    """One person's verdicts.

    Attributes:
        annotator: As the tool names the person.
        answers: Verdicts given, unsure ones left out.
        accept_rate: Share of them that accept.
        items: Items on which the others have a majority, this person and flagged people left out.
        others: How many other people that majority comes from.
        agrees: Share of these items on which this person says what the others' majority does; None without any.
        by_chance: What that share would be if this person drew verdicts at random, each as often as they give it.
        flag: near random or accepts all; None for most people. Who accepts all is not called near random as well.
        why_not: Why nobody could be judged near random on these items; empty where it could be judged.
    """

    annotator: str
    answers: int
    accept_rate: float
    items: int
    others: int
    agrees: float | None
    by_chance: float | None
    flag: Flag | None = None
    why_not: str = ""

    @property
    def skill(self) -> float | None:
        """0 for agreeing as by chance, 1 for always, as Cohen's kappa has it; None where chance always agrees."""
        if self.agrees is None or self.by_chance is None or self.by_chance == 1:
            return None
        return (self.agrees - self.by_chance) / (1 - self.by_chance)


def annotator_quality(answers: Sequence[Annotation]) -> list[Quality]:
    """Return how each person's verdicts compare with the others', in order of their names.

    Args:
        answers: As for `annotation.agreement.agreement`; the same ones are left out.
    """
    return quality_of(
        [
            {answer.annotator: answer.verdict for answer in item if answer.verdict in JUDGED}
            for item in comparable(answers)
        ]
    )


def quality_of(items: Collection[Verdicts]) -> list[Quality]:
    """Return the quality of everybody who gave a verdict, in order of their names.

    near random: a person with half the skill between chance and perfect would agree with the others this seldom
    in fewer than 1 of 20 cases, by a one-sided binomial test with p = chance + (1 - chance) / 2. Chance is
    that of Cohen's kappa, so where nearly everything is right and to be accepted, nobody is flagged for accepting.

    A person who answers at random spoils the majorities that others are measured by. So the one whose agreement
    is the least likely is flagged first and taken out of the others' majorities, and everybody else is
    measured again, until nobody new is found.

    accepts all: at least 0.95 of 30 or more verdicts accept, on items where the others accept so much less often
    that a person who accepts as often as they do would accept this many in fewer than 1 of 20 cases.

    Args:
        items: For each item, person to verdict.
    """
    found: dict[str, Quality] = {}
    while True:
        measured = _measure(items, found)
        worst = min(measured, key=lambda person: (_likely(measured[person]), person), default=None)
        if worst is None or _likely(measured[worst]) >= _RARE:
            break
        found[worst] = replace(measured[worst], flag="near random")
    everybody = {**measured, **found}
    return [
        replace(one, flag="accepts all") if _accepts_all(items, person) else one
        for person, one in sorted(everybody.items())
    ]


def _measure(items: Collection[Verdicts], flagged: Collection[str]) -> dict[str, Quality]:
    """Return the quality of everybody who is not flagged, against others who are not."""
    given: dict[str, Counter[str]] = {}
    pairs: dict[str, list[tuple[str, str]]] = {}
    others: dict[str, set[str]] = {}
    for item in items:
        trusted = Counter(verdict for who, verdict in item.items() if who not in flagged)
        for who, verdict in item.items():
            if who in flagged:
                continue
            given.setdefault(who, Counter())[verdict] += 1
            majority = _majority(trusted - Counter([verdict]))
            if majority is not None:
                pairs.setdefault(who, []).append((verdict, majority))
                others.setdefault(who, set()).update(item.keys() - {who} - set(flagged))
    return {who: _quality(who, given[who], pairs.get(who, []), len(others.get(who, ()))) for who in given}


def _majority(votes: Counter[str]) -> str | None:
    """Return the verdict that most gave, or None for a tie or no votes."""
    first, *rest = votes.most_common(2) or [("", 0)]
    return first[0] if first[1] and not (rest and rest[0][1] == first[1]) else None


def _quality(who: str, given: Counter[str], pairs: Sequence[tuple[str, str]], others: int) -> Quality:
    n, answers = len(pairs), given.total()
    plain = Quality(who, answers, given["accept"] / answers, n, others, None, None)
    if not n:
        return replace(plain, why_not="no item on which others have a majority")
    mine, theirs = (Counter(column) for column in zip(*pairs, strict=True))
    agrees = sum(one == other for one, other in pairs) / n
    by_chance = sum(mine[verdict] * theirs[verdict] for verdict in mine) / n**2
    why_not = ""
    if n < LEAST_ITEMS:
        why_not = f"fewer than {LEAST_ITEMS} items on which others have a majority"
    elif others < _LEAST_OTHERS:
        why_not = "only one other person to compare with"
    return replace(plain, agrees=agrees, by_chance=by_chance, why_not=why_not)


def _likely(one: Quality) -> float:
    """Return how likely a person of half skill agrees this seldom or less; 1 for who cannot be judged."""
    if one.why_not or one.agrees is None or one.by_chance is None:
        return 1.0
    half = one.by_chance + _SKILL * (1 - one.by_chance)
    return float(binom.cdf(round(one.agrees * one.items), one.items, half))


def _accepts_all(items: Collection[Verdicts], who: str) -> bool:
    """Return whether a person accepts nearly all of what the others turn down at times."""
    shared = [item for item in items if who in item and len(item) > 1]
    n, accepts = len(shared), sum(item[who] == "accept" for item in shared)
    if n < LEAST_ITEMS or accepts < _NEARLY_ALL * n:
        return False
    of_others = [verdict == "accept" for item in shared for other, verdict in item.items() if other != who]
    return float(binom.sf(accepts - 1, n, sum(of_others) / len(of_others))) < _RARE
