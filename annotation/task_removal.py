"""Removed rows in Label Studio: their tasks, with all that people and the server keep of them, and our backups.

    a server named in the environment   its tasks are deleted through its API; its database and files are its owner's
    the local one                        likewise; then it is stopped, its database is written anew without the deleted
                                         rows' bytes, its log and exports go, and it is started again if it ran
    data/backups/*.jsonl.gz              rewritten without these tasks

A task is about a removed row by the id it carries, or by what it shows.
"""

import gzip
import json
import os
import shutil
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from annotation.connection import Connection, connect, is_named
from annotation.projects import all_projects
from annotation.server import database, running, start, stop
from annotation.task import seen_of
from pipeline.removed import Removed
from pipeline.screen import seen_digest
from schemas import ServiceError

_AT_ONCE = 500
_READ_BYTES = 1 << 20
# Tables of Label Studio whose rows go with a task; what points into them goes too.
_OF_TASKS = ("task", "task_completion", "prediction", "tasks_annotationdraft")


@dataclass
class Gone:
    """What was, or would be, taken out.

    Attributes:
        tasks: Address of a server to tasks.
        backups: Backup, relative to the store, to tasks.
        files: Files of the local server that were destroyed or rewritten, likewise.
        out_of_reach: What could not be reached, in sentences.
    """

    tasks: dict[str, int] = field(default_factory=dict)
    backups: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    out_of_reach: list[str] = field(default_factory=list)


def find_tasks(data_root: Path, removed: Removed) -> Gone:
    """Return what would be taken out; nothing is written and no server is started.

    Raises:
        ServiceError: The server named in the environment does not answer.
    """
    found = Gone()
    if elsewhere := _elsewhere(data_root):
        found.tasks[elsewhere.url] = sum(len(tasks) for tasks in _tasks_on(elsewhere, removed).values())
    if database(data_root).exists():
        found.tasks["the local Label Studio"] = sum(len(tasks) for tasks in _tasks_in(data_root, removed).values())
    for path in sorted((data_root / "backups").glob("*.jsonl.gz")):
        n = _about_in(path, removed)
        if n is None or n:
            found.backups[str(path.relative_to(data_root))] = n or 0
    return found


def remove_tasks(data_root: Path, removed: Removed, say: Callable[[str], None]) -> Gone:
    """Take all tasks about removed rows out of Label Studio and our backups; a second call finds nothing left.

    Raises:
        ServiceError: A server does not answer, refuses, or keeps the tasks.
    """
    done = Gone()
    if elsewhere := _elsewhere(data_root):
        done.tasks[elsewhere.url] = _delete(elsewhere, _tasks_on(elsewhere, removed))
        done.out_of_reach.append(
            f"what {elsewhere.url} keeps besides its tasks: the freed pages of its database, its logs, exports and "
            "backups; ask who runs it"
        )
    if database(data_root).exists():
        _clear_local(data_root, removed, done, say)
    for path in sorted((data_root / "backups").glob("*.jsonl.gz")):
        name, n = str(path.relative_to(data_root)), _about_in(path, removed)
        if n is None:
            done.out_of_reach.append(f"{name}: it cannot be read as a backup of ours; delete it yourself")
        elif n:
            _rewrite(path, removed, n)
            done.backups[name] = n
    return done


def _elsewhere(data_root: Path) -> Connection | None:
    """Return the way to the server named in the environment, unless it is the local one."""
    if not is_named():
        return None
    connection, local = connect(data_root), running(data_root)
    same = local is not None and urlsplit(local.url).port == urlsplit(connection.url).port
    return None if same and urlsplit(connection.url).hostname in {"127.0.0.1", "localhost"} else connection


def _is_about(data: object, removed: Removed) -> bool:
    if not isinstance(data, dict):
        return False
    seen = seen_of(data)
    return data.get("example_id") in removed.ids or (seen is not None and seen_digest(seen) in removed.seen)


def _tasks_on(connection: Connection, removed: Removed) -> dict[int, list[int]]:
    """Return project to tasks, in every project that we may see."""
    found: dict[int, list[int]] = {}
    for project in all_projects(connection):
        tasks = connection.tasks(int(project["id"]), ["data"], page_size=5000)
        if about := [int(task["id"]) for task in tasks if _is_about(task["data"], removed)]:
            found[int(project["id"])] = about
    return found


def _tasks_in(data_root: Path, removed: Removed) -> dict[int, list[int]]:
    """Return the same from the database of the local server, whether it runs or not."""
    found: dict[int, list[int]] = defaultdict(list)
    with closing(sqlite3.connect(f"{database(data_root).absolute().as_uri()}?mode=ro", uri=True, timeout=60)) as file:
        for number, project, data in file.execute("SELECT id, project_id, data FROM task"):
            if _is_about(json.loads(data), removed):
                found[project].append(number)
    return found


def _delete(connection: Connection, tasks: Mapping[int, list[int]]) -> int:
    """Delete tasks with their answers, drafts and predictions; return how many.

    Raises:
        ServiceError: Some are still there.
    """
    for project, numbers in tasks.items():
        for start_ in range(0, len(numbers), _AT_ONCE):
            some = numbers[start_ : start_ + _AT_ONCE]
            body = {"selectedItems": {"all": False, "included": some}}
            connection.send("POST", "/api/dm/actions", body, id="delete_tasks", project=project)
            among = {"filter": "filter:tasks:id", "operator": "in_list", "type": "Number", "value": some}
            if left := connection.tasks(project, [], [among]):
                raise ServiceError(
                    f"{len(left):,} tasks are still there after they were deleted",
                    where=f"{connection.url}/projects/{project}",
                    fix="see that the account may delete tasks, then run `tuneloop remove --again`",
                )
    return sum(len(numbers) for numbers in tasks.values())


def _clear_local(data_root: Path, removed: Removed, done: Gone, say: Callable[[str], None]) -> None:
    was, about = running(data_root), _tasks_in(data_root, removed)
    if about:
        server = was or start(data_root, 0, say)
        done.tasks["the local Label Studio"] = _delete(Connection(server.url, server.token), about)
    if stop(data_root):
        say("the local Label Studio is stopped while its database is written anew")
    _write_anew(database(data_root))
    home, folder = database(data_root).parent, data_root / "label-studio"
    done.files.append(str(database(data_root).relative_to(data_root)))
    goes = [folder / "server.log", *home.glob("*.cut-off-*"), *_in(home / "export"), *_in(home / "media" / "export")]
    names = [name.encode() for name in removed.ids]
    for path in _in(home / "media" / "upload"):
        if _holds(path, names):
            goes.append(path)
        else:
            name = path.relative_to(data_root)
            done.out_of_reach.append(f"{name}: uploaded by hand and without our ids; look into it yourself")
    for path in goes:
        if path.exists():
            path.unlink()
            done.files.append(str(path.relative_to(data_root)))
    if was:
        start(data_root, urlsplit(was.url).port or 0, say)


def _write_anew(path: Path) -> None:
    """Take out what points to tasks that are gone, and write the database so that no byte of a deleted row is in it."""
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as file:
        file.execute("PRAGMA secure_delete = ON")
        while sum(file.execute(statement).rowcount for statement in _orphans(file)):
            pass
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        file.execute("VACUUM")
    with path.open("rb") as written:
        os.fsync(written.fileno())


def _orphans(file: sqlite3.Connection) -> Iterator[str]:
    """Yield for each table that points to tasks or what is theirs the statement that deletes what points nowhere."""
    tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        for key in file.execute(f'PRAGMA foreign_key_list("{table}")').fetchall():
            parent, column, there = key[2], key[3], key[4] or "id"
            if parent in _OF_TASKS:
                yield (
                    f'DELETE FROM "{table}" WHERE "{column}" IS NOT NULL '  # noqa: S608 - names of its own tables
                    f'AND "{column}" NOT IN (SELECT "{there}" FROM "{parent}")'
                )


def _in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _holds(path: Path, names: list[bytes]) -> bool:
    """Return whether a file has one of some names in it, read a block at a time."""
    longest = max(map(len, names), default=0)
    with path.open("rb") as file:
        before = b""
        while block := file.read(_READ_BYTES):
            if any(name in before + block for name in names):
                return True
            before = block[-longest:]
    return False


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield line, json.loads(line)


def _about_in(path: Path, removed: Removed) -> int | None:
    """Return how many tasks of a backup are about removed rows; None where it is no backup of ours."""
    try:
        return sum(_is_about(said.get("task", {}).get("data"), removed) for _, said in _lines(path))
    except (OSError, EOFError, ValueError, AttributeError, zlib.error):
        return None


def _rewrite(path: Path, removed: Removed, n: int) -> None:
    """Put a backup in its place without the tasks about removed rows, whole or not at all; its head counts the rest."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with (
        os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw,
        gzip.open(raw, "wt", encoding="utf-8", compresslevel=3) as file,
    ):
        for line, said in _lines(path):
            if "format" in said:
                line = json.dumps({**said, "tasks": said["tasks"] - n}, ensure_ascii=False) + "\n"
            if not _is_about(said.get("task", {}).get("data"), removed):
                file.write(line)
    shutil.copymode(path, draft)
    with draft.open("rb") as written:
        os.fsync(written.fileno())  # its mode stays: a backup names people
    draft.replace(path)
