"""`tuneloop feedback`: what a training run found goes back to the annotators, as tasks in Label Studio or in a file."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from annotation.assign import Assignment
from annotation.checked_texts import Kinds
from annotation.cli import REVIEW_CONFIG
from annotation.cli_options import DataRoot
from annotation.connection import connect, is_named
from annotation.feedback import Feedback, Sizes, find_feedback
from annotation.feedback_record import feedback_round, note_sent, tasks_of
from annotation.server import running
from annotation.sync_cli import send, tell_push
from annotation.task import review_of, task_of
from annotation.task_file import LINES, write_tasks_file
from annotation.training_run import TrainingRun, find_run
from pipeline.recipe import load_recipe
from pipeline.template import load_templates
from schemas import ConfigError, DataError, Template

# Where nothing is said and no Label Studio is connected.
_FILE = Path("queue.json")
# Left out, a tenth of the tasks are validation rows.
_VALIDATION_SHARE = 0.1


def feedback(
    *,
    to: Annotated[Path | None, Parameter(help="file to write: .jsonl for one task a line, .json for a list")] = None,
    push: Annotated[bool, Parameter(help="send the tasks to Label Studio, as a round of their own")] = False,
    recipe: Annotated[Path | None, Parameter(help="recipe file; the sample recipe if left out")] = None,
    data_root: DataRoot = Path("data"),
    run: Annotated[str | None, Parameter(help="key of a run, or its beginning; the newest if left out")] = None,
    limit: Annotated[int, Parameter(help="tasks in all")] = 200,
    random_share: Annotated[float, Parameter(help="share of the tasks that are train rows drawn by chance")] = 0.1,
    validation: Annotated[
        int | None, Parameter(help="tasks that are validation rows; a tenth of the limit if left out")
    ] = None,
) -> None:
    """Give people what the newest training run says they should look at, as Label Studio tasks in order of work.

    With neither --to nor --push they go to the Label Studio that is connected; where there is none, to queue.json.

    Example: tuneloop feedback --limit 200
    """
    if not to and not push:
        push = _is_connected(data_root)
        to = None if push else _FILE
    sizes = _sizes(limit, random_share, validation)
    read = load_recipe(recipe)
    templates = load_templates([Path(folder).expanduser() for folder in read.template_dirs])
    trained = find_run(data_root, read.name, run)
    kinds = Kinds.of({name: template for name, (template, _) in templates.items()})
    found = find_feedback(data_root, read.name, trained, kinds, sizes)
    now = datetime.now(UTC).isoformat()
    if push:
        connection, assignment = connect(data_root), Assignment.of(data_root, read, templates)
        wanted = assignment.feedback(found, trained.key)
        done = send(connection, data_root, read.name, assignment, wanted, limit)
        tell_push(done)
        there = tasks_of(connection, done.projects.values(), feedback_round(trained.key))
        note_sent(data_root, read.name, trained.key, found, now, there)
    if to:
        write_tasks_file(to, _tasks(found, templates, trained))
        note_sent(data_root, read.name, trained.key, found, now)
    for line in _told(found, len(found.rows), to, trained):
        sys.stderr.write(line + "\n")
    sys.stderr.write(
        "what comes of them: tuneloop annotate feedback-status; a page for all annotators: tuneloop annotate pages\n"
    )
    sys.stdout.write(f"{to or connection.url}\n")


def _is_connected(data_root: Path) -> bool:
    """Return whether tasks can go to a Label Studio; where one is named, no file takes its place in silence."""
    return is_named() or running(data_root) is not None


def _sizes(limit: int, random_share: float, validation: int | None) -> Sizes:
    """Return how many tasks of each queue are wanted; everything that is wrong with the numbers at once."""
    problems: list[DataError] = []

    def refuse(what: str, fix: str) -> None:
        problems.append(ConfigError(what, where="tuneloop feedback", fix=fix))

    if limit < 1:
        refuse(f"--limit is {limit}", "give 1 or more, or leave it out")
    if not 0 <= random_share < 1:
        refuse(f"--random-share is {random_share}", "give 0 or more and less than 1, such as 0.1")
    if validation is not None and validation < 0:
        refuse(f"--validation is {validation}", "give 0 or more, or leave it out")
    if problem := ConfigError.of(problems):
        raise problem
    n_random = round(limit * random_share)
    n_validation = min(round(limit * _VALIDATION_SHARE), limit - n_random) if validation is None else validation
    if n_random + n_validation > limit:
        raise ConfigError(
            f"{n_validation} validation rows and {n_random} by chance are more than the limit of {limit}",
            where="tuneloop feedback",
            fix="raise --limit, or lower --validation or --random-share",
        )
    return Sizes(limit, n_validation, n_random)


def _tasks(found: Feedback, templates: dict[str, tuple[Template, Path]], run: TrainingRun) -> Iterator[dict[str, Any]]:
    for row, pick in found.rows:
        # The round is all that an answer keeps of why it was asked for: the estimate needs the random ones.
        round_ = f"{run.key}-{pick.queue}"
        review = review_of(row, templates)
        task = task_of(row, review, why=pick.why, round_=round_, model_answer=pick.model_answer)
        yield {"data": {**task["data"], "queue": pick.queue}}


def _told(found: Feedback, n: int, to: Path | None, run: TrainingRun) -> Iterator[str]:
    """Yield what was chosen, what was left out, and how the file gets into Label Studio."""
    left = found.n_left_out
    yield (
        f"{n:,} tasks{f' written to {to}' if to else ''} after run {run.key}: {found.n_of('ranked'):,} ranked and "
        f"{found.n_of('random'):,} at random, of {found.n_open:,} train rows that nobody has reviewed; "
        f"{found.n_of('validation'):,} of validation, worst answers first"
    )
    if found.n_by_rule:
        yield f"rules that the ranked ones break: {', '.join(f'{rule} {n:,}' for rule, n in found.n_by_rule.items())}"
    yield f"left out: {left['reviewed']:,} reviewed by people, {left['test']:,} of the test side and their groups"
    if left["gone"] or left["changed"]:
        yield f"also left out, since the data changed after the run: {left['gone']:,} gone, {left['changed']:,} changed"
    if found.n_unscored:
        yield f"{found.n_unscored:,} train rows have no score in this run"
    if to is None:
        return
    yield f"labelling config: {REVIEW_CONFIG}"
    if to.suffix == LINES:
        yield (
            "Label Studio reads .jsonl from a source storage (Settings, Cloud Storage, Local files), not by upload; "
            "for Data Import write --to a .json file"
        )
    else:
        yield "in Label Studio choose Data Import and upload the file"
