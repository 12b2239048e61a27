from datetime import UTC, datetime
from typing import Any

import pytest

from annotation.desk import EVERYBODY, Pay, alpha_by_week, alpha_of_verdicts, desk, outcomes_of
from annotation.forecast import forecast
from annotation.period import days_between, since_moment, week_of
from annotation.project_list import Project, ProjectList
from annotation.working_time import working_times
from schemas import Annotation, ConfigError

ANN, BEN, LEAD = "ann@example.org", "ben@example.org", "lead@example.org"
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)  # a Friday


def answer(example: str, verdict: str = "accept", who: str = ANN, day: str = "2026-11-26", **more: Any) -> Annotation:
    return Annotation.model_validate(
        {
            "key": f"ls:1:{example}{who}",
            "example": example,
            "seen": {"prompt": [{"role": "user", "content": f"What is {example}?"}], "response": "five"},
            "annotator": who,
            "verdict": verdict,
            "created_at": f"{day}T10:00:00Z",
            "updated_at": f"{day}T10:00:00Z",
            "lead_time_seconds": 60.0,
            "guideline": "g",
            **more,
        }
    )


def test_each_person_has_a_line_and_everybody_the_last() -> None:
    answers = [
        answer("x"),
        answer("y", "edit", response="six"),
        answer("x", "reject", BEN),  # against ann: x is disputed
        answer("z", "unsure", BEN),
        answer("old", day="2026-11-01"),  # before the period
    ]
    projects = ProjectList(projects=[Project(id=1, title="t", left=8, skipped=2, skipped_by={ANN: 2})])
    found = desk(answers, projects, since_moment("7d", NOW), NOW, Pay(per_hour=30))
    ann, ben, everybody = found.people
    assert (ann.who, ann.done, ann.errors, ann.disputed, ann.accepted, ann.skipped) == (ANN, 2, 1, 1, 1, 2)
    assert (ben.done, ben.unsure, ben.errors, ben.disputed, ben.accepted, ben.skipped) == (2, 1, 1, 1, 0, 0)
    assert (everybody.who, everybody.done, everybody.disputed, everybody.left) == (EVERYBODY, 4, 1, 8)
    # Two answers of a minute each: 60 an hour, of which one found an error; 2 minutes at 30 an hour cost 1.
    assert (ann.items_an_hour, ann.minutes_an_item, ann.errors_an_hour, ann.cost) == (60, 1, 30, 1.0)
    assert ann.cost_per_accepted == 1.0
    assert ben.cost_per_accepted is None
    assert everybody.cost_per_accepted == 2.0


def test_practice_is_paid_and_counts_nowhere_else() -> None:
    answers = [answer("x"), answer("gold", "reject", purpose="practice")]
    found = desk(answers, ProjectList(), since_moment("7d", NOW), NOW, Pay(per_item=0.5))
    ann = found.people[0]
    assert (ann.done, ann.practised, ann.errors, ann.items, ann.cost) == (1, 1, 0, 2, 1.0)
    assert set(outcomes_of(answers)) == {"x"}


def test_without_answers_there_is_an_empty_line_for_everybody() -> None:
    found = desk([], ProjectList(), since_moment("7d", NOW), NOW)
    (everybody,) = found.people
    assert (everybody.done, everybody.items_an_hour, everybody.minutes_an_item, everybody.cost) == (0, None, None, None)
    assert found.alpha_by_week == {}


def test_the_forecast_comes_from_whole_days_and_idle_ones_count() -> None:
    # 22, 23 nothing, 24, 25, 26 = 4 each; the 27th is not over. 12 items in 5 days, 24 left: 10 days.
    days = ["2026-11-22", "2026-11-24", "2026-11-26"]
    answers = [answer(f"{day}-{n}", day=day) for day in days for n in range(4)]
    answers += [answer(f"today-{n}", day="2026-11-27") for n in range(100)]
    found = desk(answers, ProjectList(projects=[Project(id=1, title="t", left=24)]), since_moment("7d", NOW), NOW)
    assert found.forecast.days == 10


@pytest.mark.parametrize(
    ("left", "days", "said"),
    [
        (0, [1, 2], "0 days (between 0 and 0)"),
        (10, [5, 5], "not enough days (2 of 3)"),
        (10, [0, 0, 0], "nothing was done in these days"),
        (80, [20, 20, 20, 20], "4 days (between 4 and 4)"),
        (80, [19, 20, 21, 20], "4 days (between 4 and 5)"),
        (80, [0, 60, 5], "4 days (between 1 and no upper bound)"),
    ],
)
def test_a_forecast_says_what_it_can(left: int, days: list[int], said: str) -> None:
    assert str(forecast(left, days)) == said


def test_idle_time_is_cut_at_three_medians_and_at_ten_minutes() -> None:
    # Template g: median of 20, 30, 40, 40, 50, 3000 is 40, so 3000 counts for 120. Template h has too few for a median.
    seconds = [20.0, 30.0, 40.0, 40.0, 50.0, 3000.0]
    answers = [answer(f"g{n}", lead_time_seconds=s) for n, s in enumerate(seconds)]
    answers += [answer("h", guideline="h", lead_time_seconds=5000.0), answer("none", lead_time_seconds=None)]
    answers += [answer("nan", lead_time_seconds=float("nan")), answer("minus", lead_time_seconds=-5.0)]
    times = working_times(answers)
    assert times.of(answers[:6]) == 20 + 30 + 40 + 40 + 50 + 120
    assert times.of(answers[6:7]) == 600
    assert times.of(answers[7:]) == 3 * 40  # without a time: the median of the template
    assert (times.n_cut, times.n_untimed) == (2, 3)


def test_agreement_is_told_by_week() -> None:
    # Week 47: ann and ben agree on accept and on reject, alpha 1. Week 48: one pair that agrees on one verdict alone,
    # where alpha is not defined.
    answers = [
        answer("a", "accept", ANN, "2026-11-17"), answer("a", "accept", BEN, "2026-11-17"),
        answer("b", "reject", ANN, "2026-11-18"), answer("b", "reject", BEN, "2026-11-18"),
        answer("c", "accept", ANN, "2026-11-24"), answer("c", "accept", BEN, "2026-11-24"),
    ]  # fmt: skip
    assert alpha_by_week(answers) == {"2026-W47": 1.0, "2026-W48": None}


def test_alpha_is_krippendorffs_by_hand() -> None:
    # Units (accept, accept), (accept, reject): n = 4 values, 3 accept, 1 reject. Observed disagreement 2 of 4 = 1/2;
    # expected 2 * 3 * 1 / (4 * 3) = 1/2. Alpha = 1 - 1 = 0.
    answers = [answer("a", who=ANN), answer("a", who=BEN), answer("b", who=ANN), answer("b", "reject", BEN)]
    assert alpha_of_verdicts(answers) == pytest.approx(0.0)
    # Neither who is unsure nor who settles a dispute has a voice.
    more = [answer("a", "unsure", "cy@example.org"), answer("b", "reject", LEAD, adjudicated=True)]
    assert alpha_of_verdicts([*answers, *more]) == pytest.approx(0.0)


def test_a_period_is_given_in_words() -> None:
    assert since_moment("7d", NOW) == "2026-11-20T12:00:00.000000Z"
    assert since_moment("24h", NOW) == "2026-11-26T12:00:00.000000Z"
    assert since_moment("2026-11-01", NOW) == "2026-11-01T00:00:00.000000Z"
    assert since_moment("all", NOW) == "1970-01-01T00:00:00.000000Z"
    for bad in ("7 days", "", "d7", "2026-13-01"):
        with pytest.raises(ConfigError, match="is no time"):
            since_moment(bad, NOW)
    with pytest.raises(ConfigError, match="lies in the future"):
        since_moment("2027-01-01", NOW)
    assert week_of("2027-01-01T00:00:00.000000Z") == "2026-W53"
    assert days_between("2026-11-25T23:00:00.000000Z", NOW) == ["2026-11-25", "2026-11-26"]
