"""The lead's desk: what each person and all together did in a period, what is left, what it cost. Pure.

ann: 30 answers in 60 minutes, 6 of them edits or rejects -> 30 items an hour, 2 minutes an item, 6 errors an hour

Practice answers are work: they are counted in time and pay, and nowhere else. Adjudications count like answers.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import krippendorff
import numpy as np

from annotation.forecast import Forecast, forecast
from annotation.period import LONG_AGO, day_of, days_between, week_of
from annotation.preferences import is_comparison
from annotation.project_list import ProjectList
from annotation.working_time import WorkingTimes, working_times
from pipeline.consensus import EXACT, Outcome, Rules, consensus
from pipeline.screen import seen_digest
from schemas import Annotation

ERRORS = ("edit", "reject")
GOOD = ("accepted", "edited")
PRACTICE = "practice"
EVERYBODY = "all"


@dataclass(frozen=True)
class Pay:
    """What work is paid; either may be None. With both, both are paid."""

    per_hour: float | None = None
    per_item: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is any rate."""
        return self.per_hour is not None or self.per_item is not None

    def amount(self, items: int, seconds: float) -> float | None:
        """Return what so many items in so much time cost; None without any rate."""
        if not self.is_known:
            return None
        return items * (self.per_item or 0.0) + seconds / 3600 * (self.per_hour or 0.0)


@dataclass(frozen=True)
class Work:
    """One person's work in the period, or everybody's.

    Attributes:
        who: The annotator; `EVERYBODY` for all together.
        done: Answers, without those of the practice round.
        practised: Answers of the practice round.
        unsure: Answers that say unsure.
        errors: Answers that found something wrong: edit or reject.
        disputed: Examples this person answered in the period that are disputed today.
        accepted: Examples answered in the period that are accepted or edited today.
        skipped: Presses of Skip as of the last pull; None where that is not known by person.
        left: Tasks that still need an answer, of those this person may take.
        seconds: Working time, practice included, idle time cut.
        cost: None without a rate.
    """

    who: str
    done: int
    practised: int
    unsure: int
    errors: int
    disputed: int
    accepted: int
    skipped: int | None
    left: int
    seconds: float
    cost: float | None

    @property
    def items(self) -> int:
        """All that is paid by item."""
        return self.done + self.practised

    @property
    def items_an_hour(self) -> float | None:
        """None without time."""
        return self.items / self.seconds * 3600 if self.seconds else None

    @property
    def minutes_an_item(self) -> float | None:
        """None without items."""
        return self.seconds / 60 / self.items if self.items else None

    @property
    def errors_an_hour(self) -> float | None:
        """Edits and rejects in an hour of work; None without time."""
        return self.errors / self.seconds * 3600 if self.seconds else None

    @property
    def cost_per_accepted(self) -> float | None:
        """What an accepted or edited example cost; None without a rate or without such an example."""
        return self.cost / self.accepted if self.cost is not None and self.accepted else None


@dataclass(frozen=True)
class Desk:
    """The whole report.

    Attributes:
        people: One entry a person, in order of name, everybody together last.
        forecast: For all that is left.
        alpha_by_week: ISO week to Krippendorff's alpha of the verdicts; None where it is undefined.
        times: How long the answers took.
        since: The first moment of the period.
    """

    people: list[Work]
    forecast: Forecast
    alpha_by_week: dict[str, float | None]
    times: WorkingTimes
    since: str

    @property
    def everybody(self) -> Work:
        """All people together."""
        return self.people[-1]


def desk(
    answers: Sequence[Annotation],
    projects: ProjectList,
    since: str,
    now: datetime,
    pay: Pay | None = None,
    votes: Sequence[Annotation] | None = None,
    rules: Rules = EXACT,
) -> Desk:
    """Return what was done since a moment.

    Args:
        answers: Every answer ever, each once: what is disputed is told from all of them.
        projects: How far the projects are.
        since: As `annotation.period.since_moment` gives it.
        now: The present; the day it is in is no day of the forecast.
        pay: The rates, if there are any.
        votes: The answers that vote, by which examples are disputed or accepted; all if left out.
        rules: When edits agree, as the recipe says.
    """
    times = working_times(answers)
    outcomes = outcomes_of(answers if votes is None else votes, rules)
    recent = [answer for answer in answers if answer.created_at >= since]
    by_person: dict[str, list[Annotation]] = defaultdict(list)
    for answer in recent:
        by_person[answer.annotator].append(answer)

    def work(who: str, given: Sequence[Annotation]) -> Work:
        return _work(who, given, outcomes, times, projects, pay or Pay())

    people = [work(who, by_person[who]) for who in sorted(by_person)]
    dated = [answer.created_at for answer in answers if answer.created_at > LONG_AGO]
    days = days_between(max(since, min(dated)), now) if dated else []
    counts = Counter(day_of(answer.created_at) for answer in recent if answer.purpose != PRACTICE)
    return Desk(
        people=[*people, work(EVERYBODY, recent)],
        forecast=forecast(projects.left, [counts[day] for day in days]),
        alpha_by_week=alpha_by_week(recent),
        times=times,
        since=since,
    )


def outcomes_of(answers: Sequence[Annotation], rules: Rules = EXACT) -> dict[str, Outcome]:
    """Return what the answers about each example come to, by `subject`; practice and comparisons are about none."""
    about: dict[str, list[Annotation]] = defaultdict(list)
    for answer in answers:
        if answer.purpose != PRACTICE and not is_comparison(answer):
            about[subject(answer)].append(answer)
    return {which: consensus(given, rules) for which, given in about.items()}


def subject(answer: Annotation) -> str:
    """Return what an answer is about: the id of the example, else the digest of what was seen."""
    return answer.example or seen_digest(answer.seen)


def alpha_by_week(answers: Sequence[Annotation]) -> dict[str, float | None]:
    """Return the agreement on the examples answered in each ISO week, oldest first."""
    weeks: dict[str, list[Annotation]] = defaultdict(list)
    for answer in answers:
        if answer.purpose != PRACTICE:
            weeks[week_of(answer.created_at)].append(answer)
    return {week: alpha_of_verdicts(weeks[week]) for week in sorted(weeks)}


def alpha_of_verdicts(answers: Sequence[Annotation]) -> float | None:
    """Return Krippendorff's alpha (nominal) of the verdicts, the latest of each person on each example.

    Who is unsure, settles a dispute or compares two answers is no voice in it. None where alpha is undefined: no
    example with two voices, or one verdict alone.
    """
    voices: dict[str, dict[str, str]] = defaultdict(dict)
    for answer in sorted(answers, key=lambda one: (one.updated_at, one.key)):
        if answer.verdict != "unsure" and not answer.adjudicated and not is_comparison(answer):
            voices[subject(answer)][answer.annotator] = answer.verdict
    pairable = [list(votes.values()) for votes in voices.values() if len(votes) > 1]
    kinds = sorted({verdict for votes in pairable for verdict in votes})
    if len(kinds) < 2:
        return None
    counts = np.array([[votes.count(kind) for kind in kinds] for votes in pairable])
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def _work(
    who: str,
    given: Sequence[Annotation],
    outcomes: Mapping[str, Outcome],
    times: WorkingTimes,
    projects: ProjectList,
    pay: Pay,
) -> Work:
    real = [answer for answer in given if answer.purpose != PRACTICE]
    about = {subject(answer) for answer in real} & outcomes.keys()
    seconds = times.of(given)
    if who == EVERYBODY:
        skipped: int | None = sum(project.skipped for project in projects.projects)
    else:
        skipped = projects.skipped_of(who)
    return Work(
        who=who,
        done=len(real),
        practised=len(given) - len(real),
        unsure=sum(answer.verdict == "unsure" for answer in real),
        errors=sum(answer.verdict in ERRORS for answer in real),
        disputed=sum(outcomes[which].status == "disputed" for which in about),
        accepted=sum(outcomes[which].status in GOOD for which in about),
        skipped=skipped,
        # People share the projects: what one takes is left for nobody else, so all see the same number.
        left=projects.left,
        seconds=seconds,
        cost=pay.amount(len(given), seconds),
    )
