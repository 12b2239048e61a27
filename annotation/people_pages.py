"""Pages for people, in the private folder `data/people`: one for each annotator, one for the lead.

An annotator's page says what to do next and how long it takes, how the practice went, what an adjudicator changed and
why, and what the last answers were. The lead's page, `index.html`, has everything. They are plain HTML without any
script; all texts are escaped. They name people, so the folder is for its owner alone (mode 0700) and part of no report.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from annotation.corrections import Correction, corrections, text_of
from annotation.desk import PRACTICE, Desk, Work, outcomes_of, subject
from annotation.people_names import by_number
from annotation.practice import Practised
from annotation.private_file import write_private
from annotation.project_list import Project, ProjectList
from pipeline.consensus import EXACT, Outcome, Rules
from pipeline.screen import shown_prompt
from pipeline.word_diff import Piece, word_diff
from schemas import Annotation, ConfigError

LAST_ANSWERS = 30
LAST_CORRECTIONS = 50
OPEN_DISPUTES = 100
INDEX = "index.html"
_LEAST_TIMES = 5
_PROMPT_SHOWN = 200
_FOR_LEADS = ("dispute", "lead")
WHY = {
    "practice": "Practice: your answers count once you have passed",
    "dispute": "Disputes: people answered differently, and your word settles it",
    "lead": "Others were unsure of these: your word settles it",
    "overlap": "Two people answer each of these",
    "main": "Review",
    "feedback": "What a trained model found odd",
    "test": "Test examples, to be judged with great care",
}


@dataclass(frozen=True)
class ToDo:
    """A project with work left; of the practice, what this person still has to answer."""

    project: Project
    left: int
    address: str
    why: str
    minutes: float | None


@dataclass(frozen=True)
class Shown:
    """One answer as a page shows it."""

    answer: Annotation
    link: str
    prompt: str
    status: str
    pieces: list[Piece]


@dataclass(frozen=True)
class Dispute:
    """An example that people answered differently, with everybody's latest answer."""

    prompt: str
    why: str
    answers: list[Shown]


@dataclass(frozen=True)
class PersonPage:
    """All that stands on an annotator's page.

    Attributes:
        name: The pseudonym, which also names the file.
        annotator: As Label Studio names the person.
        to_do: Projects with work left, the most urgent first.
        drafts: Links to tasks with a draft.
        work: What the person did in the period; None for nothing.
        corrections: With the link to the task.
    """

    name: str
    annotator: str
    to_do: list[ToDo]
    drafts: list[str]
    practice: Practised | None
    work: Work | None
    corrections: list[tuple[Correction, str]]
    answers: list[Shown]
    n_answers: int
    n_corrections: int
    minutes: float | None = field(default=None)


def person_pages(
    answers: Sequence[Annotation],
    projects: ProjectList,
    desk: Desk,
    names: Mapping[str, str],
    practised: Mapping[str, Practised],
    votes: Sequence[Annotation] | None = None,
    reads: Mapping[str, Collection[str]] | None = None,
    rules: Rules = EXACT,
) -> list[PersonPage]:
    """Return a page for everybody who has a pseudonym, in the order of these.

    Args:
        answers: Each answer once.
        projects: How far the projects are.
        desk: What was done in the period.
        names: Annotator to pseudonym.
        practised: Annotator to result, for who took part in the practice round.
        votes: The answers that vote; all if left out.
        reads: Annotator to the languages they read; who is not in it reads all.
        rules: When edits agree, as the recipe says.
    """
    outcomes, changed = outcomes_of(answers if votes is None else votes, rules), corrections(answers)
    work = {one.who: one for one in desk.people[:-1]}
    by_person: dict[str, list[Annotation]] = {who: [] for who in names}
    for answer in sorted(answers, key=lambda one: (one.updated_at, one.key), reverse=True):
        by_person[answer.annotator].append(answer)
    pages = []
    for who in sorted(names, key=lambda who: by_number(names[who])):
        given, mine = by_person[who], changed.get(who, [])
        to_do = _to_do(given, projects, desk, practised.get(who), (reads or {}).get(who))
        known = [one.minutes for one in to_do if one.minutes is not None]
        pages.append(
            PersonPage(
                name=names[who],
                annotator=who,
                to_do=to_do,
                drafts=_drafts(who, projects),
                practice=practised.get(who),
                work=work.get(who),
                corrections=[(one, projects.link(one.answer.key, one.answer.task)) for one in mine[:LAST_CORRECTIONS]],
                answers=[_shown(answer, projects, outcomes) for answer in given[:LAST_ANSWERS]],
                n_answers=len(given),
                n_corrections=len(mine),
                minutes=sum(known) if known else None,
            )
        )
    return pages


def disputes(votes: Sequence[Annotation], projects: ProjectList, rules: Rules = EXACT) -> list[Dispute]:
    """Return the examples that are disputed by the answers that vote, those with the newest answer first."""
    outcomes = outcomes_of(votes, rules)
    open_ones = [outcome for outcome in outcomes.values() if outcome.status == "disputed"]
    open_ones.sort(key=lambda one: (one.answers[-1].updated_at, one.answers[-1].key), reverse=True)
    return [
        Dispute(_prompt(one.answers[-1]), one.why, [_shown(answer, projects, outcomes) for answer in one.answers])
        for one in open_ones
    ]


def write_pages(
    folder: Path,
    pages: Sequence[PersonPage],
    lead: Mapping[str, Any],
    projects: ProjectList,
    now: datetime,
    checked: str = "",
    feedback: str = "",
) -> list[Path]:
    """Write a page for each person and the lead's, for their owner alone; return the files, the lead's first.

    Args:
        folder: Usually `data/people`; made with mode 0700, and set to it if it is there.
        pages: What `person_pages` gives.
        lead: `desk`, `rows`, `columns`, `lines` and `disputes` for the lead's page.
        projects: How far the projects are.
        now: Said on every page.
        checked: How much of the test side people have checked, in a sentence; empty before the first split.
        feedback: Name of the page about the newest training run, in the same folder; empty without one.

    Raises:
        ConfigError: The folder cannot be written.
    """
    templates = environment()
    common = {"now": shown_time(now), "projects": projects, "checked": checked, "feedback": feedback}
    texts = {INDEX: templates.get_template("lead.html.jinja").render(pages=pages, **lead, **common)}
    person = templates.get_template("person.html.jinja")
    texts |= {f"{page.name}.html": person.render(page=page, **common) for page in pages}
    return write_texts(folder, texts)


def write_texts(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write files for their owner alone into a folder for their owner alone, made if need be; return them in order.

    Raises:
        ConfigError: The folder cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        for name, text in texts.items():
            write_private(folder / name, text)
    except OSError as error:
        raise ConfigError(
            f"cannot be written: {error.strerror}", where=str(folder), fix="give --data-root a folder that is yours"
        ) from error
    return [folder / name for name in texts]


def environment() -> Environment:
    """Return what renders the pages of `annotation/pages`: every value is escaped, a missing one is an error."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "pages"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    templates.filters["clock"] = _clock
    templates.globals.update(text_of=text_of, word_diff=word_diff)
    return templates


def shown_time(moment: datetime) -> str:
    """Return a moment as pages show it."""
    return moment.strftime("%Y-%m-%d %H:%M")


def _to_do(
    given: Sequence[Annotation],
    projects: ProjectList,
    desk: Desk,
    practised: Practised | None,
    reads: Collection[str] | None,
) -> list[ToDo]:
    """Return the work left for a person, in the languages they read.

    Disputes and what others were unsure of are for who has settled one before. Practice is for who has not finished
    it. Minutes are by the person's own median, or by everybody's before there are enough answers.
    """
    own = [desk.times.seconds[answer.key, answer.created_at] for answer in given]
    seconds = median(own) if len(own) >= _LEAST_TIMES else desk.times.typical
    settles = any(answer.adjudicated for answer in given)
    found = []
    for project in projects.in_order:
        left = project.left
        if project.purpose == PRACTICE and practised is not None:
            left = practised.total - practised.answered
        is_read = reads is None or project.language in reads
        if left and is_read and (settles or project.purpose not in _FOR_LEADS):
            minutes = None if seconds is None else left * seconds / 60
            why = WHY.get(project.purpose, project.purpose)
            found.append(ToDo(project, left, projects.address(project), why, minutes))
    return found


def _drafts(who: str, projects: ProjectList) -> list[str]:
    return [
        f"{projects.address(project)}?task={task}"
        for project in projects.projects
        for task in project.drafts_by.get(who, [])
    ]


def _shown(answer: Annotation, projects: ProjectList, outcomes: Mapping[str, Outcome]) -> Shown:
    text = text_of(answer)
    is_change = text is not None and text != answer.seen.response
    status = "practice" if answer.purpose == PRACTICE else ""
    if not status and (outcome := outcomes.get(subject(answer))):
        status = outcome.status
    return Shown(
        answer=answer,
        link=projects.link(answer.key, answer.task),
        prompt=_prompt(answer),
        status=status,
        pieces=word_diff(answer.seen.response, text or "") if is_change else [],
    )


def _prompt(answer: Annotation) -> str:
    text = "\n\n".join(text for _, text in shown_prompt(answer.seen))
    return text if len(text) <= _PROMPT_SHOWN else f"{text[:_PROMPT_SHOWN]} … ({len(text):,} characters)"


def _clock(moment: str) -> str:
    return moment[:16].replace("T", " ")
