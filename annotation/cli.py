"""`tuneloop annotate`: tasks out to Label Studio, answers back in, by files."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from annotation.cli_options import DataRoot, say
from annotation.export import Imported, called, people, read_export, reasons
from annotation.queue import Queue, Queued, queue_of
from annotation.refusal import refusal
from annotation.results import Names
from annotation.task import review_of, task_of
from annotation.task_file import write_tasks_file
from pipeline.annotations import add_annotations
from pipeline.recipe import load_recipe
from pipeline.template import load_templates
from schemas import ConfigError, Review, nearest
from schemas.annotation import Verdict

REVIEW_CONFIG = Path(__file__).parent / "review.xml"
_MOST_LISTED = 10

app = App(name="annotate", help="Have people review examples in Label Studio, and bring their answers in.")
# By import string, so that one command does not load what the others need.
for _name, _target, _help in (
    ("start", "annotation.sync_cli:start", "a local Label Studio with its projects, and what waits in them"),
    ("stop", "annotation.sync_cli:stop", "stop the local Label Studio"),
    ("push", "annotation.sync_cli:push_tasks", "send what waits; what is there is not sent again"),
    ("pull", "annotation.sync_cli:pull_answers", "bring new, edited and deleted answers in"),
    ("people", "annotation.people_cli:app", "who reviews: invite, list, shut out"),
    ("practice", "annotation.practice_cli:practice", "gold items: who may vote"),
    ("status", "annotation.desk_cli:status", "how far people are, how fast, how well they agree"),
    ("agreement", "annotation.agreement_cli:agreement_command", "how far people agree, question by question"),
    ("error-rate", "annotation.error_rate_cli:show_error_rate", "what the random rows say, and whether to stop"),
    ("feedback-status", "annotation.feedback_status_cli:feedback_status", "what came of what a training run found"),
    ("pages", "annotation.pages_cli:pages", "a start page for each person, and the lead's"),
    ("pay", "annotation.desk_cli:pay", "items, minutes and amount for each person"),
    ("reopen", "annotation.reopen_cli:reopen", "ask again what a changed guideline touches"),
    ("export", "annotation.answers_cli:export", "all answers as JSON or CSV"),
    ("preferences", "annotation.answers_cli:preferences", "chosen and rejected answers as parquet"),
    ("backup", "annotation.sync_cli:backup", "projects, tasks and answers in one file"),
    ("restore", "annotation.sync_cli:restore", "a backup into an empty server"),
    ("doctor", "annotation.sync_cli:doctor", "check the way to Label Studio"),
):
    app.command(_target, name=_name, help=_help)
Keys = Annotated[list[str] | None, Parameter(help="key of the task's data that held it, if none of the usual")]
Controls = Annotated[list[str] | None, Parameter(help="name of that control on a screen of your own; may repeat")]


@app.command(name="tasks")
def write_tasks(
    *,
    to: Annotated[Path, Parameter(help="file to write, to be imported in Label Studio")],
    recipe: Annotated[Path | None, Parameter(help="recipe file; the sample recipe if left out")] = None,
    data_root: DataRoot = Path("data"),
    limit: Annotated[int | None, Parameter(help="write this many, the most urgent first")] = None,
) -> None:
    """Write what waits for people as Label Studio tasks, the most urgent first.

    Example: tuneloop annotate tasks --to tasks.json --limit 200
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"--limit is {limit}", where="tuneloop annotate tasks", fix="give 1 or more, or leave it out")
    read = load_recipe(recipe)
    templates = load_templates([Path(folder).expanduser() for folder in read.template_dirs])
    queue = queue_of(data_root, read, templates, random_share=read.review.random_share)
    found = queue.rows(limit)
    n = write_tasks_file(to, (_task(one, review_of(one.row, templates)) for one in found))
    say(f"{n:,} tasks written to {to} of {queue.n:,} that wait: {_told(queue)}")
    for line in _left_out(queue):
        say(line)
    say(f"labelling config: {REVIEW_CONFIG}")
    sys.stdout.write(f"{to}\n")


@app.command(name="import")
def import_answers(
    file: Annotated[Path, Parameter(help="what Label Studio exported as JSON")],
    *,
    data_root: DataRoot = Path("data"),
    adjudicator: Annotated[
        list[str] | None,
        Parameter(help="e-mail address or number of an annotator whose word settles disputes; may repeat"),
    ] = None,
    verdict: Controls = None,
    response: Controls = None,
    error_types: Controls = None,
    rating: Controls = None,
    comment: Controls = None,
    prompt: Keys = None,
    shown: Keys = None,
    means: Annotated[list[str] | None, Parameter(help="what a choice means, such as Fine=accept; may repeat")] = None,
) -> None:
    """Add the answers in a Label Studio export to data/annotations; what is there already adds nothing.

    Example: tuneloop annotate import project-3.json --adjudicator lead@example.org
    """
    given = {
        "verdict": verdict,
        "response": response,
        "error_types": error_types,
        "rating": rating,
        "comment": comment,
    }
    names = Names.model_validate(
        {
            **{control: tuple(value) for control, value in given.items() if value},
            "meanings": _meanings(means or []),
            "prompt_keys": tuple(prompt or ()),
            "shown_keys": tuple(shown or ()),
        }
    )
    found = read_export(file, names, adjudicator or [])
    if problem := refusal(found, file, names):
        raise problem
    path, n = add_annotations(data_root, found.answers)
    for line in _summary(found, adjudicator or []):
        say(line)
    nothing = "every answer was here already" if found.answers else "nobody has answered yet"
    say(f"{n:,} new records in {path}" if path else f"nothing new: {nothing}")


def _meanings(pairs: list[str]) -> dict[str, Verdict]:
    """Return word to verdict for texts such as Fine=accept."""
    known: dict[str, Verdict] = {"accept": "accept", "edit": "edit", "reject": "reject", "unsure": "unsure"}
    found: dict[str, Verdict] = {}
    problems = []
    for pair in pairs:
        word, equals, meaning = pair.rpartition("=")
        if not equals or not word or meaning not in known:
            problems.append(
                ConfigError(
                    f"{pair!r} gives no word a meaning",
                    where="--means",
                    fix=f"write WORD=VERDICT, such as Fine=accept; {nearest(meaning, known)}",
                )
            )
        else:
            found[word] = known[meaning]
    if problem := ConfigError.of(problems):
        raise problem
    return found


def _task(one: Queued, review: Review) -> dict[str, Any]:
    task = task_of(one.row, review, why=one.why)
    # The answer keeps it: errors are counted among the random ones alone.
    return {"data": {**task["data"], "queue": one.kind}}


def _told(queue: Queue) -> str:
    return ", ".join(f"{n:,} {why}" for why, n in queue.by_reason.items()) or "nothing"


def _left_out(queue: Queue) -> Iterable[str]:
    """Yield what the queue lacks, and whether a training run had a say in its order."""
    left = ", ".join(f"{n:,} {why}" for why, n in queue.n_left_out.items() if why != "test")
    if left:
        yield f"left out: {left}"
    if queue.has_split:
        yield f"{queue.n_left_out.get('test', 0):,} rows of the test side and their groups were left out"
    else:
        yield "there is no split yet, so rows that will be on its test side may be among them"
    if queue.n_scored:
        changed = f"; {queue.n_changed:,} have changed since" if queue.n_changed else ""
        yield f"{queue.scores} has a score for {queue.n_scored:,} of them{changed}"
    else:
        yield f"ranked without a trained model: {queue.scores}"


def _summary(found: Imported, adjudicators: list[str]) -> Iterable[str]:
    """Yield what an export held, line by line."""
    answers = found.answers
    examples = {answer.example or answer.seen.model_dump_json() for answer in answers}
    yield (
        f"{len(answers):,} answers from {len(people(answers)):,} people over {len(examples):,} examples, "
        f"in {found.tasks:,} tasks of which {found.unanswered:,} are unanswered; {found.skipped:,} skipped"
    )
    if adjudicators:
        yield f"{sum(answer.adjudicated for answer in answers):,} of them by an adjudicator"
    for name in adjudicators:
        if called(name) not in people(answers):
            yield f"nobody called {name!r} answered here; who did: {', '.join(people(answers)) or 'nobody'}"
    for rule, n in found.contradictions.most_common():
        yield f"verdict and text disagreed, rule {rule}: {n:,}"
    for reason, n, first in reasons(found.unreadable):
        yield f"not usable, {reason}: {n:,}; first: {first.place}: {first.detail}"
    hidden = len(found.unreadable) - _MOST_LISTED
    for one in found.unreadable[:_MOST_LISTED]:
        yield f"  {one.place}: {one.reason}"
    if hidden > 0:
        yield f"  and {hidden:,} more"
