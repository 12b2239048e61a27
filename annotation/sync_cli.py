"""`tuneloop annotate start | stop | push | pull | backup | restore | doctor`: the server, and work to and from it."""

import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from annotation.assign import Assignment
from annotation.backup import back_up
from annotation.backup import restore as bring_back
from annotation.cli_options import DataRoot, RecipeFile, say
from annotation.connection import Connection, connect, is_named
from annotation.export import reasons
from annotation.open_rows import newest_version
from annotation.pull import Pulled, pull, write_projects
from annotation.push import Pushed, Wanted, push
from annotation.server import Running, running
from annotation.server import start as start_server
from annotation.server import stop as stop_server
from annotation.server_check import findings
from annotation.task import FIRST_ROUND
from pipeline.annotations import annotation_files, read_annotations
from pipeline.recipe import load_recipe
from pipeline.template import load_templates
from schemas import ConfigError, ServiceError

_URGENT: dict[str, int] = {"dispute": 0, "lead": 1, "practice": 2, "overlap": 3, "main": 4, "feedback": 5, "test": 6}
_ROUND = re.compile(r"[A-Za-z0-9-]{1,20}")
Limit = Annotated[int, Parameter(help="unanswered tasks in Label Studio at most, the most urgent first")]


def start(
    *,
    recipe: RecipeFile = None,
    data_root: DataRoot = Path("data"),
    port: Annotated[int, Parameter(help="where a local server listens; 0 finds a free port")] = 8080,
    limit: Limit = 2000,
) -> None:
    """Start Label Studio on this machine, make its projects, push what waits, and say how to get in.

    With LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY in the environment the server named there is used, and none started.

    Example: tuneloop annotate start --port 8081
    """
    connection, local = _server(data_root, port, load_recipe(recipe).name)
    done = _push(connection, recipe, data_root, limit)
    tell_push(done)
    say("")
    for _, project in sorted(done.projects.items(), key=lambda one: (_URGENT[one[0].purpose], one[1].id)):
        left = project.n_tasks - project.n_finished
        say(f"  {left:>6,} left   {connection.url}/projects/{project.id}/data   {project.title}")
    if local:
        where = "" if data_root == Path("data") else f" --data-root {data_root}"
        say("")
        say(f"log in at {connection.url} as {local.email}, password {local.password}")
        say(f"invite people: tuneloop annotate people add EMAIL --languages en{where}")
        of_recipe = f" --recipe {recipe}" if recipe else ""
        say(f"bring answers in: tuneloop annotate pull{of_recipe}{where}, then tuneloop data{of_recipe}{where}")
        say(f"stop it: tuneloop annotate stop{where}")
    sys.stdout.write(f"{connection.url}\n")


def stop(*, data_root: DataRoot = Path("data")) -> None:
    """Stop the Label Studio that `annotate start` started; its data stay.

    Example: tuneloop annotate stop
    """
    say("stopped" if stop_server(data_root) else "it was not running")


def push_tasks(
    *,
    recipe: RecipeFile = None,
    data_root: DataRoot = Path("data"),
    limit: Limit = 2000,
    round_: Annotated[
        str, Parameter(name="--round", help="name of the round; another one makes projects of its own")
    ] = FIRST_ROUND,
    practice: Annotated[Path | None, Parameter(help="a file of gold items instead, to practise on")] = None,
    test: Annotated[
        bool, Parameter(help="the test side instead: blind, two people each, in an order of chance")
    ] = False,
) -> None:
    """Send what waits for people to Label Studio; what is there already is not sent again.

    Example: tuneloop annotate push --limit 500
    """
    if limit < 1:
        raise ConfigError(f"--limit is {limit}", where="tuneloop annotate push", fix="give 1 or more")
    if not _ROUND.fullmatch(round_):
        raise ConfigError(
            f"--round is {round_!r}", where="tuneloop annotate push", fix="give up to 20 letters and digits, such as 2"
        )
    connection = connect(data_root)
    done = _push(connection, recipe, data_root, limit, test=test, practice=practice, round_=round_)
    tell_push(done)
    sys.stdout.write(f"{sum(done.sent.values())}\n")


def pull_answers(*, recipe: RecipeFile = None, data_root: DataRoot = Path("data")) -> None:
    """Bring new, edited and deleted answers from Label Studio into data/annotations.

    Example: tuneloop annotate pull && make data
    """
    read = load_recipe(recipe)
    done = pull(connect(data_root), data_root, read.name)
    _tell_pull(done)
    sys.stdout.write(f"{done.new}\n")


def backup(
    *,
    to: Annotated[Path | None, Parameter(help="file to write; data/backups/DATE.jsonl.gz if left out")] = None,
    recipe: RecipeFile = None,
    data_root: DataRoot = Path("data"),
) -> None:
    """Write all projects, tasks and answers of a recipe in Label Studio to one file.

    Example: tuneloop annotate backup --to /srv/backups/monday.jsonl.gz
    """
    read = load_recipe(recipe)
    to = to or data_root / "backups" / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.jsonl.gz"
    done = back_up(connect(data_root), read.name, to)
    say(f"{done.projects:,} projects, {done.tasks:,} tasks, {done.answers:,} answers in {to}; it names people")
    sys.stdout.write(f"{to}\n")


def restore(
    file: Annotated[Path, Parameter(help="what `annotate backup` wrote")], *, data_root: DataRoot = Path("data")
) -> None:
    """Bring a backup into a Label Studio that has none of its projects.

    Example: tuneloop annotate restore data/backups/2026-11-27T120000Z.jsonl.gz
    """
    done = bring_back(connect(data_root), file)
    say(f"{done.projects:,} projects, {done.tasks:,} tasks and {done.answers:,} answers are back")
    say("people whose account is new get in by an invitation: tuneloop annotate people add EMAIL --languages en")


def doctor(*, recipe: RecipeFile = None, data_root: DataRoot = Path("data")) -> None:
    """Check the way to Label Studio: version, token, settings, clock, last backup; each fault with its cure.

    Example: tuneloop annotate doctor
    """
    found = findings(data_root, load_recipe(recipe).name)
    for one in found:
        sys.stdout.write(f"{'ok   ' if one.ok else 'FAULT'} {one.what}\n")
        if one.fix:
            sys.stdout.write(f"      fix: {one.fix}\n")
    wrong = [one for one in found if not one.ok]
    if wrong:
        raise ServiceError(
            f"{len(wrong)} of {len(found)} checks failed",
            where="tuneloop annotate doctor",
            fix="mend them as said above",
        )


def _server(data_root: Path, port: int, recipe: str) -> tuple[Connection, Running | None]:
    """Return the way to the server of the environment, else to the local one, which is started if need be."""
    try:
        connection = connect(data_root)
    except ServiceError:
        if is_named():
            # Somebody means another server: tasks must not land on this machine instead.
            raise
        # No server is started for nothing.
        newest_version(data_root, recipe)
        found = start_server(data_root, port, say)
        return Connection(found.url, found.token), found
    local = running(data_root)
    return connection, local if local and local.url == connection.url else None


def _push(
    connection: Connection,
    recipe: Path | None,
    data_root: Path,
    limit: int,
    *,
    test: bool = False,
    practice: Path | None = None,
    round_: str = FIRST_ROUND,
) -> Pushed:
    read = load_recipe(recipe)
    templates = load_templates([Path(folder).expanduser() for folder in read.template_dirs])
    assignment = Assignment.of(data_root, read, templates)
    wanted = assignment.test_side() if test else assignment.practice(practice) if practice else assignment.queue(round_)
    return send(connection, data_root, read.name, assignment, wanted, limit)


def send(
    connection: Connection, data_root: Path, recipe: str, assignment: Assignment, wanted: Iterable[Wanted], limit: int
) -> Pushed:
    """Send tasks, and write down how far the projects are."""
    answers = read_annotations(annotation_files(data_root).values())
    answered = {answer.task for answer in answers if answer.task is not None}
    done = push(connection, recipe, wanted, assignment.config_of, assignment.shown_now, limit, say, answered)
    write_projects(data_root, connection.url, done.projects.values())
    if assignment.n_since:
        say(f"{assignment.n_since:,} rows have new answers that the data do not know of: run tuneloop data, then push")
    return done


def tell_push(done: Pushed) -> None:
    """Say what a push did."""
    sent = sum(done.sent.values())
    say(f"{sent:,} tasks sent, {done.there:,} were there already")
    if done.is_full:
        say("more waits; as many tasks as --limit allows lie there unanswered")
    if done.replaced or done.withdrawn or done.doubles:
        say(
            f"removed, all without an answer: {done.replaced:,} whose text has changed, {done.withdrawn:,} that wait "
            f"no more, {done.doubles:,} that were there twice"
        )
    for title in done.changed_by_hand:
        say(
            f"the screen of {title!r} was changed by hand; its answers are read as far as its controls keep their names"
        )


def _tell_pull(done: Pulled) -> None:
    say(
        f"{done.answers:,} answers in {done.tasks:,} changed tasks: {done.new:,} new records, "
        f"{done.withdrawn:,} withdrawn"
    )
    if done.skipped:
        say(f"{done.skipped:,} skipped")
    if done.not_by_lead:
        say(
            f"{done.not_by_lead:,} answers in projects for the lead are by people who are none and settle nothing: "
            "tuneloop annotate people add EMAIL --languages en --lead"
        )
    for rule, n in sorted(done.contradictions.items()):
        say(f"verdict and text disagreed, rule {rule}: {n:,}")
    for reason, n, first in reasons(done.unreadable):
        say(f"not usable, {reason}: {n:,}; first: {first.place}: {first.detail}")
