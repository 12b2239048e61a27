"""A page for annotators, `data/people/feedback.html`: what the model learned from them, and where to look next.

It names no annotator and counts nobody's work apart from the others', so that all may read it. Of the test side it
shows totals alone; every example on it is of the train or the validation side. Plain HTML without any script.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from annotation.checked_share import share_in_words
from annotation.checked_texts import Kinds
from annotation.error_rate import ErrorRate, rate_of
from annotation.feedback import Pick, Sizes, find_feedback
from annotation.feedback_outcome import RoundOutcome, round_outcome
from annotation.feedback_record import Sent, read_sent, sentence_of
from annotation.guideline_trouble import Trouble, templates_of, troubles
from annotation.lessons import Lessons, lessons
from annotation.people_pages import environment, shown_time, write_texts
from annotation.project_list import Project, ProjectList
from annotation.training_run import TrainingRun
from pipeline.consensus import EXACT, Rules
from pipeline.recipe import Recipe
from pipeline.screen import screen, seen_digest
from pipeline.snapshot import Snapshot
from schemas import Annotation, Template
from schemas.report import Reading

PAGE = "feedback.html"
NEXT = Sizes(limit=12, validation=4, random=0)
_EXAMPLES = 3
_SHOWN = 400
_READINGS: dict[Reading, str] = {"better": "better", "unclear": "no clear difference", "worse": "worse"}


@dataclass(frozen=True)
class Shown:
    """One example of the train or validation side: texts cut to a length one reads.

    Attributes:
        side: What is said of where it is from.
        why: Why to look at it, in sentences; empty where it only shows something.
        model_answer: What a model answers; empty where none was asked.
        link: To its task, else to its project; empty where no Label Studio is known.
    """

    template: str
    side: str
    prompt: str
    answer: str
    why: str = ""
    model_answer: str = ""
    link: str = ""


@dataclass(frozen=True)
class FeedbackPage:
    """All that stands on the page.

    Attributes:
        learned: From the run's report and scores.
        examples: Validation examples that the model answers as the data do, and did not before.
        rounds: What came of what was sent, the newest round first.
        troubles: By guideline, the most troublesome first.
        next: The head of the queue.
        test_share: How much of the test side people have checked.
    """

    run: str
    learned: Lessons
    examples: list[Shown]
    rounds: list[RoundOutcome]
    troubles: list[Trouble]
    next: list[Shown]
    test_share: str


def feedback_page(
    data_root: Path,
    recipe: Recipe,
    templates: Mapping[str, tuple[Template, Path]],
    run: TrainingRun,
    votes: Sequence[Annotation],
    projects: ProjectList,
    rules: Rules = EXACT,
) -> FeedbackPage:
    """Return what the page says after a training run.

    Args:
        data_root: Folder of the store.
        recipe: The recipe of the run.
        templates: All templates, by name.
        run: A finished training run.
        votes: The answers that vote.
        projects: The projects as last written down, for links.
        rules: When edits agree, as the recipe says.

    Raises:
        ConfigError: The recipe has no data.
        SnapshotError: The run's rows, scores or report are gone or damaged.
        AnnotationError: A record of what was sent is damaged.
    """
    learned = lessons(data_root, recipe.name, run)
    sent = read_sent(data_root, recipe.name)
    of_example = templates_of(data_root, recipe.name, (answer.example for answer in votes if answer.example))
    own = [answer for answer in votes if answer.example in of_example]
    said = {(answer.example, seen_digest(answer.seen)) for answer in votes}
    kinds = Kinds.of({name: template for name, (template, _) in templates.items()})
    found = find_feedback(data_root, recipe.name, run, kinds, NEXT)
    waiting = [
        (row, pick)
        for row, pick in found.rows
        if (pick.id, seen_digest(screen(row["prompt"], row["completion"]))) not in said
    ]
    links = _links(sent.get(run.key, []), projects)
    report = learned.report
    agreement = learned.checked if learned.checked.n else learned.everything
    return FeedbackPage(
        run=run.key,
        learned=learned,
        examples=_examples(run.rows(data_root), agreement.examples),
        rounds=[round_outcome(key, some, votes, rules) for key, some in reversed(sent.items())],
        troubles=troubles(own, of_example, templates, rules),
        next=[_next(row, pick, links.get(pick.id, "")) for row, pick in waiting],
        test_share=share_in_words(report.n, report.n_reviewed),
    )


def write_feedback_page(folder: Path, page: FeedbackPage, now: datetime) -> Path:
    """Write the page into the folder of people's pages; return its file.

    Raises:
        ConfigError: The folder cannot be written.
    """
    text = (
        environment()
        .get_template("feedback.html.jinja")
        .render(
            page=page,
            now=shown_time(now),
            checked=page.test_share,
            readings=_READINGS,
            sentence_of=sentence_of,
            model_errors=_model_errors(page.rounds),
        )
    )
    return write_texts(folder, {PAGE: text})[0]


def _model_errors(rounds: Sequence[RoundOutcome]) -> ErrorRate:
    """Return, of the validation rows that the model answers otherwise, in how many the data were wrong."""
    rates = [one.by_queue["validation"].rate for one in rounds]
    return rate_of(sum(one.n_wrong for one in rates), sum(one.n for one in rates))


def _examples(rows: Snapshot, ids: Sequence[str]) -> list[Shown]:
    wanted, found = pa.array(ids[:_EXAMPLES], pa.string()), []
    for batch in rows.batches(["id", "template", "split", "prompt", "completion"]):
        is_shown = pc.and_(
            pc.is_in(batch.column("id"), value_set=wanted), pc.equal(batch.column("split"), "validation")
        )
        for row in batch.filter(is_shown).to_pylist():
            prompt, answer = _texts(row)
            found.append(Shown(row["template"], "validation", prompt, answer))
    return found


def _next(row: Mapping[str, Any], pick: Pick, link: str) -> Shown:
    prompt, answer = _texts(row)
    side = "validation" if pick.queue == "validation" else "train"
    return Shown(row["template"], side, prompt, answer, pick.why, _cut(pick.model_answer), link)


def _texts(row: Mapping[str, Any]) -> tuple[str, str]:
    seen = screen(row["prompt"], row["completion"])
    return _cut("\n\n".join(message.content for message in seen.prompt)), _cut(seen.response)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} … ({len(text):,} characters)"


def _links(sent: Iterable[Sent], projects: ProjectList) -> dict[str, str]:
    """Return example to the address of its task, where its project is still known."""
    known: dict[int, Project] = {project.id: project for project in projects.projects}
    return {
        one.example: f"{projects.address(known[one.project])}?task={one.task}"
        for one in sent
        if one.project in known and one.task is not None and projects.url
    }
