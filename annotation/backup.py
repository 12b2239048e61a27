"""A backup of the projects in Label Studio, and the way back into an empty server.

    backup.jsonl.gz   one line a project, then one line for each of its tasks with everybody's answers and drafts

Restored answers get new numbers and today's date in Label Studio, which takes neither over. So every restored task
carries who had said what and when (`annotation.restored`), and a pull from the restored server adds no answer and
changes no date.
"""

import gzip
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from annotation.answer_shapes import MADE, PEOPLE
from annotation.connection import Connection
from annotation.projects import Project, find_projects
from annotation.push import BATCH
from annotation.restored import ANSWERS, said_by
from pipeline.snapshot import make_folder
from schemas import ServiceError, SnapshotError
from schemas.annotation import utc_time

FORMAT = "tuneloop Label Studio backup 1"
_KEPT = (
    "title", "description", "label_config", "maximum_annotations", "sampling", "model_version",
    "show_collab_predictions", "skip_queue", "show_skip_button", "enable_empty_annotation", "show_instruction", "color",
)  # fmt: skip
_TASK = (
    "data", "meta", "annotations", "predictions", "result", "completed_by", "created_at", "updated_at", "lead_time",
    "was_cancelled", "score", "model_version",
)  # fmt: skip


@dataclass
class Moved:
    """How much a backup holds, or a restore brought back."""

    projects: int = 0
    tasks: int = 0
    answers: int = 0


def back_up(connection: Connection, recipe: str, to: Path) -> Moved:
    """Write the recipe's projects, tasks and answers to a file, whole or not at all.

    Raises:
        ServiceError: The server does not answer, or refuses.
        SnapshotError: The file cannot be written.
    """
    done = Moved()
    draft = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        make_folder(to.parent)
        # The answers name people, so the file is its owner's alone.
        with (
            os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw,
            gzip.open(raw, "wt", encoding="utf-8", compresslevel=3) as file,
        ):
            for line in _lines(connection, recipe, done):
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        draft.replace(to)
    except OSError as error:
        raise SnapshotError(
            f"the backup cannot be written: {error.strerror}", where=str(to), fix="name a file you may write"
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return done


def restore(connection: Connection, file: Path) -> Moved:
    """Bring the projects of a backup into a server that has none of them.

    Raises:
        ServiceError: The server has one of the projects, does not answer, or refuses.
        SnapshotError: The file is no backup, or is cut short.
    """
    lines = _read(file)
    head = next(lines, None)
    if not head or head.get("format") != FORMAT:
        raise SnapshotError("not a backup of Label Studio", where=str(file), fix="name a file of `annotate backup`")
    known = find_projects(connection, str(head["recipe"]))
    if known:
        raise ServiceError(
            f"the server has {len(known)} projects of recipe {head['recipe']!r}",
            where=connection.url,
            fix="restore into an empty server, or delete these projects there first: "
            + ", ".join(f"{project.title} ({project.id})" for project in known.values()),
        )
    # All of it is read first: half a backup must not become half a server.
    n_lines = sum(1 for _ in _read(file))
    if n_lines != 1 + head["projects"] + head["tasks"]:
        raise SnapshotError(
            f"the backup has {n_lines:,} lines of {1 + head['projects'] + head['tasks']:,}",
            where=str(file),
            fix="it is cut short: take another one",
        )
    _invite_all(connection, head["people"])
    return _bring(connection, lines)


def _lines(connection: Connection, recipe: str, done: Moved) -> Iterator[dict[str, Any]]:
    people = {int(one["id"]): str(one["email"]).lower() for one in connection.get("/api/users/", PEOPLE)}
    projects = [*find_projects(connection, recipe).values()]
    lots = {project.id: connection.tasks(project.id, _TASK, whole=True, page_size=500) for project in projects}
    yield {
        "format": FORMAT,
        "recipe": recipe,
        "url": connection.url,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "people": sorted(people.values()),
        "projects": len(projects),
        "tasks": sum(len(lot) for lot in lots.values()),
    }
    for project in projects:
        raw = connection.get(f"/api/projects/{project.id}/", MADE)
        yield {"project": {name: raw.get(name) for name in _KEPT}}
        done.projects += 1
        for task in lots[project.id]:
            done.tasks += 1
            done.answers += len(task["annotations"])
            yield {"task": _kept(task, project, people)}


def _kept(task: Mapping[str, Any], project: Project, people: Mapping[int, str]) -> dict[str, Any]:
    """Return a task as it is brought back, with the record of who said what and when."""
    olds = {(old["project"], old["id"]): old for old in (task.get("meta") or {}).get(ANSWERS) or []}
    given = sorted(task["annotations"], key=lambda one: int(one["id"]))
    said = [_said(one, project, people) for one in given]
    # An answer that was restored before keeps its first number and date.
    for one in said:
        for old in [*olds.values()]:
            if old["annotator"] == one["annotator"] and old["said"] == one["said"]:
                one.update(old)
                del olds[old["project"], old["id"]]
                break
    return {
        "data": task["data"],
        "meta": {ANSWERS: said} if said else {},
        "predictions": [
            {"model_version": one["model_version"], "score": one["score"], "result": one["result"]}
            for one in task.get("predictions") or []
        ],
        "annotations": [
            {
                "result": one["result"],
                "completed_by": {"email": people.get(one["completed_by"], str(one["completed_by"]))},
                "lead_time": one["lead_time"],
                "was_cancelled": one["was_cancelled"],
                # Left out, Label Studio takes an imported answer for ground truth.
                "ground_truth": False,
            }
            for one in given
        ],
    }


def _said(one: Mapping[str, Any], project: Project, people: Mapping[int, str]) -> dict[str, Any]:
    return {
        "project": project.id,
        "id": one["id"],
        "annotator": people.get(one["completed_by"], str(one["completed_by"])),
        "said": said_by(one["result"]),
        "created_at": utc_time(one["created_at"]),
        "updated_at": utc_time(one["updated_at"]),
        "lead_time": one["lead_time"],
    }


def _read(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
    except (OSError, EOFError, ValueError) as error:
        raise SnapshotError(f"cannot be read: {error}", where=str(file), fix="take another backup") from error


def _invite_all(connection: Connection, people: list[str]) -> None:
    """Make the accounts that answers are to belong to; the people get in by an invitation to set a password."""
    there = {str(one["email"]).lower() for one in connection.get("/api/users/", PEOPLE)}
    for email in people:
        if email not in there and "@" in email:
            body = {"username": email.partition("@")[0], "email": email, "password": secrets.token_urlsafe(16)}
            connection.send("POST", "/api/users/", body)


def _bring(connection: Connection, lines: Iterator[dict[str, Any]]) -> Moved:
    done, number = Moved(), 0
    batch: list[dict[str, Any]] = []

    def send() -> None:
        if batch:
            connection.send("POST", f"/api/projects/{number}/import", batch)
            batch.clear()

    for line in lines:
        if "project" in line:
            send()
            number = int(connection.send("POST", "/api/projects/", line["project"], shape=MADE)["id"])
            done.projects += 1
            continue
        batch.append(line["task"])
        done.tasks += 1
        done.answers += len(line["task"]["annotations"])
        if len(batch) >= BATCH:
            send()
    send()
    return done
