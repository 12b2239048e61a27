"""Answers from Label Studio: everybody's every answer, as it was given, edited and deleted; only what is new is read.

    data/label-studio/pulled.json     for every project the newest change that was read
    data/label-studio/users.json      number of a person there to e-mail address
    data/label-studio/skipped.json    who skipped which task
    data/label-studio/projects.json   the projects and how far they are, for those who report

A pull may stop anywhere: the mark moves on only after the answers are on disk, and answers that are there already add
nothing. An answer that the server had and has no more, in a task that it still has, was deleted by a person: it is kept
with the word `withdrawn`. A task or a project that is gone takes no answer with it.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from annotation.answer_shapes import PEOPLE
from annotation.connection import Connection
from annotation.export import Imported, Unreadable, read_tasks
from annotation.people import leads
from annotation.private_file import write_private
from annotation.projects import Project, find_projects, people_for
from annotation.restored import as_given
from pipeline.annotations import add_annotations, annotation_files, read_annotations
from pipeline.snapshot import make_folder
from schemas import Annotation
from schemas.annotation import utc_time

# Changes that were made within one another's time may be seen out of order.
_MARGIN = timedelta(seconds=60)
_FOR_LEAD = ("lead", "dispute")
_ANSWER = ("result", "completed_by", "created_at", "updated_at", "lead_time", "was_cancelled", "id", "meta")
_PAGE = 500


@dataclass
class Pulled:
    """What a pull brought.

    Attributes:
        tasks: Changed tasks that were read.
        answers: Answers in them.
        new: Records that were not known.
        withdrawn: Answers that somebody has deleted.
        skipped: Presses of Skip in them.
        not_by_lead: Answers in the projects for the lead by somebody who is none: they vote like others.
        unreadable: What gave no answer, and why.
        contradictions: Rule to how often verdict and text disagreed.
        projects: The recipe's projects.
    """

    tasks: int = 0
    answers: int = 0
    new: int = 0
    withdrawn: int = 0
    skipped: int = 0
    not_by_lead: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)
    contradictions: dict[str, int] = field(default_factory=dict)
    projects: list[Project] = field(default_factory=list)


def pull(connection: Connection, data_root: Path, recipe: str) -> Pulled:
    """Bring what people have answered since the last pull into data/annotations.

    Raises:
        ServiceError: The server does not answer, or refuses.
        AnnotationError: The answers that are here cannot be read.
        SnapshotError: Somebody else is adding answers at this moment.
    """
    folder = make_folder(data_root / "label-studio")
    marks = _marks(folder, connection.url)
    done = Pulled(projects=[*find_projects(connection, recipe).values()])
    people, deciding = _people(connection, folder), leads(connection, data_root)
    here = read_annotations(annotation_files(data_root).values())
    records: list[Annotation] = []
    for project in done.projects:
        mark = marks.get(str(project.id))
        known = [answer for answer in here if _is_of(answer, project)]
        # Without a mark, as behind another port, a deletion shows only in tasks that have no answer left.
        filters = _since(mark) if mark or not known else []
        tasks = connection.tasks(
            project.id, ["data", "project", "annotations", *_ANSWER], filters, whole=True, page_size=_PAGE
        )
        if not tasks:
            continue
        found = _answers(tasks, project, people, deciding)
        withdrawn = _withdrawn(tasks, project, known)
        records += [*found.answers, *withdrawn]
        done.tasks += len(tasks)
        done.answers += len(found.answers)
        done.withdrawn += len(withdrawn)
        done.skipped += found.skipped
        if project.slot.purpose in _FOR_LEAD:
            done.not_by_lead += sum(not answer.adjudicated for answer in found.answers)
        done.unreadable += found.unreadable
        for rule, n in found.contradictions.items():
            done.contradictions[rule] = done.contradictions.get(rule, 0) + n
        _note_skips(folder, connection.url, project, tasks)
        marks[str(project.id)] = _read_up_to(tasks, found, project)
    # Adding reads all that is there, so it is done once; the marks follow when the answers are on disk.
    _, done.new = add_annotations(data_root, records)
    _keep(folder / "pulled.json", connection.url, marks)
    write_projects(data_root, connection.url, done.projects)
    return done


def write_projects(data_root: Path, url: str, projects: Iterable[Project]) -> None:
    """Write the list of projects and how far they are."""
    folder = make_folder(data_root / "label-studio")
    skips = _skips(folder, url)
    told = [
        {
            "id": project.id,
            "title": project.title,
            "round": project.slot.round,
            "purpose": project.slot.purpose,
            "screen": project.slot.screen,
            "language": project.slot.language,
            "people": people_for(project.slot.purpose),
            "tasks": project.n_tasks,
            "answered": project.n_finished,
            "skipped": project.n_skipped,
            "left": max(0, project.n_tasks - project.n_finished),
            "skipped_by": dict(Counter(who for one in skips.get(str(project.id), {}).values() for who in one)),
        }
        for project in projects
    ]
    write_private(folder / "projects.json", json.dumps({"url": url, "projects": told}, indent=1))


def _answers(tasks: list[dict[str, Any]], project: Project, people: Mapping[int, str], deciding: set[str]) -> Imported:
    """Return the answers in tasks, each with its author's address and what it was asked for."""
    numbers: dict[str, int] = {}
    for task in tasks:
        as_given(task, people)
        for one in task["annotations"]:
            one["completed_by"] = people.get(one["completed_by"], one["completed_by"])
            numbers[f"ls:{one.get('project', project.id)}:{one['id']}"] = task["id"]
    found = read_tasks(tasks)
    # Label Studio's free edition lets everybody into every project, so where an answer was given decides nothing.
    for_lead = project.slot.purpose in _FOR_LEAD
    found.answers = [
        answer.model_copy(
            update={
                "purpose": project.slot.purpose,
                "task": numbers.get(answer.key),
                "adjudicated": for_lead and answer.annotator in deciding,
            }
        )
        for answer in found.answers
    ]
    return found


def _withdrawn(tasks: list[dict[str, Any]], project: Project, known: list[Annotation]) -> list[Annotation]:
    """Return the last record of answers that these tasks had and have no more, or that became a press of Skip."""
    changed = {task["id"]: task for task in tasks}
    there = {
        f"ls:{one.get('project', project.id)}:{one['id']}"
        for task in tasks
        for one in task["annotations"]
        if not one.get("was_cancelled")
    }
    return [
        answer.model_copy(update={"withdrawn": True, "updated_at": utc_time(changed[answer.task]["updated_at"])})
        for answer in known
        if answer.task in changed and answer.key not in there
    ]


def _note_skips(folder: Path, url: str, project: Project, tasks: list[dict[str, Any]]) -> None:
    """Keep who skipped which task; a task that changed says anew who did."""
    skips = _skips(folder, url)
    mine = skips.setdefault(str(project.id), {})
    for task in tasks:
        who = [str(one["completed_by"]) for one in task["annotations"] if one.get("was_cancelled")]
        mine.pop(str(task["id"]), None)
        if who:
            mine[str(task["id"])] = who
    _keep(folder / "skipped.json", url, skips)


def _skips(folder: Path, url: str) -> dict[str, dict[str, list[str]]]:
    """Return project to task to the people who skipped it."""
    try:
        skips: dict[str, dict[str, list[str]]] = json.loads((folder / "skipped.json").read_text("utf-8")).get(url, {})
    except (OSError, ValueError):
        return {}
    return skips


def _read_up_to(tasks: list[dict[str, Any]], found: Imported, project: Project) -> str:
    """Return the mark: the newest change, but none after an answer that could not be used; it is told of again."""
    used = {answer.key for answer in found.answers}
    unused = [
        utc_time(task["updated_at"])
        for task in tasks
        for one in task["annotations"]
        if not one["was_cancelled"] and f"ls:{one.get('project', project.id)}:{one['id']}" not in used
    ]
    return min([max(utc_time(task["updated_at"]) for task in tasks), *unused])


def _is_of(answer: Annotation, project: Project) -> bool:
    # Numbers count from 1 again on a server that was set up anew: its projects are younger than the answer.
    return answer.key.startswith(f"ls:{project.id}:") and answer.created_at >= project.created_at


def _since(mark: str | None) -> list[dict[str, object]]:
    if mark is None:
        # Nobody's answers are known yet, so only tasks that have some need a look.
        return [{"filter": "filter:tasks:total_annotations", "operator": "greater", "type": "Number", "value": 0}]
    since = datetime.fromisoformat(mark) - _MARGIN
    # Label Studio reads no other form of a time than this.
    text = since.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return [{"filter": "filter:tasks:updated_at", "operator": "greater", "type": "Datetime", "value": text}]


def _marks(folder: Path, url: str) -> dict[str, str]:
    try:
        marks: dict[str, str] = json.loads((folder / "pulled.json").read_text("utf-8")).get(url, {})
    except (OSError, ValueError):
        return {}
    return marks


def _people(connection: Connection, folder: Path) -> dict[int, str]:
    """Return number to address of everybody the server knows or has known."""
    path = folder / "users.json"
    try:
        known = {int(number): name for number, name in json.loads(path.read_text("utf-8")).get(connection.url, [])}
    except (OSError, ValueError):
        known = {}
    # Who was taken off the organization is called 'Deleted' there, and keeps the name here.
    there = [one for one in connection.get("/api/users/", PEOPLE) if "@" in str(one["email"])]
    now = known | {int(one["id"]): str(one["email"]).lower() for one in there}
    if now != known:
        _keep(path, connection.url, [[number, now[number]] for number in sorted(now)])
    return now


def _keep(path: Path, url: str, value: object) -> None:
    """Write what is known of one server beside what is known of others."""
    try:
        whole = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        whole = {}
    write_private(path, json.dumps({**whole, url: value}, indent=1))
