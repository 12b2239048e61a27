"""Is the way to Label Studio good? Every finding comes with its cure.

ok    http://127.0.0.1:8080 answers, Label Studio 1.23.2
FAULT the last backup is 12 days old
      fix: tuneloop annotate backup
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx

from annotation.answer_shapes import LIST, MADE, OBJECT, PERSON
from annotation.connection import TOKEN, Connection, connect
from annotation.projects import MODEL_VERSION, find_projects
from annotation.server import VERSION, running
from pipeline.finding import Finding
from schemas import DataError

_MOST_SKEW = 120  # seconds
_OLD_BACKUP = 7  # days


def findings(data_root: Path, recipe: str) -> list[Finding]:
    """Return everything that was looked at, in order; a server that does not answer ends it."""
    found: list[Finding] = []
    try:
        connection = connect(data_root)
        found += _server(connection)
        found += _token(connection)
        found += _clock(connection)
        found += _projects(connection, recipe)
    except DataError as error:
        found.append(Finding(False, f"{error.what} ({error.where})", error.fix))
        return found
    local = running(data_root)
    if local and local.url == connection.url:
        found.append(Finding(True, "it is this machine's own: loopback only, no telemetry, sign-up by invitation"))
    found += _backup(data_root)
    return found


def _server(connection: Connection) -> Iterator[Finding]:
    told = connection.get("/api/version", OBJECT)
    version = str(told.get("label-studio-os-package", {}).get("version") or told.get("release") or "unknown")
    ours = ".".join(VERSION.split(".")[:2])
    fits = version.startswith(f"{ours}.")
    yield Finding(
        fits,
        f"{connection.url} answers, Label Studio {version}",
        "" if fits else f"tuneloop is tested with {VERSION}: use that, or try this one on a copy of the data first",
    )


def _token(connection: Connection) -> Iterator[Finding]:
    who = connection.get("/api/current-user/whoami", PERSON)
    kind = "personal access token" if connection.has_personal_token else "legacy token"
    yield Finding(True, f"{kind} of {who['email']}")
    owner = connection.get("/api/organizations/", LIST)
    yield Finding(
        bool(owner),
        "it may see the organization" if owner else "it sees no organization",
        "" if owner else f"set {TOKEN} to a token of somebody in the organization",
    )


def _clock(connection: Connection) -> Iterator[Finding]:
    said = httpx.get(f"{connection.url}/health", timeout=30).headers.get("date")
    if not said:
        return
    skew = abs((datetime.now(UTC) - parsedate_to_datetime(said)).total_seconds())
    yield Finding(
        skew <= _MOST_SKEW,
        f"its clock and ours are {skew:.0f} s apart",
        "" if skew <= _MOST_SKEW else "set both by a time server (ntp): stale answers are told by their times",
    )


def _projects(connection: Connection, recipe: str) -> Iterator[Finding]:
    projects = find_projects(connection, recipe)
    yield Finding(True, f"{len(projects)} projects of recipe {recipe!r}")
    for project in projects.values():
        if project.is_changed:
            yield Finding(
                False,
                f"the screen of {project.title!r} was changed by hand",
                "names of controls and stored values must stay; else finish that round and begin another",
            )
        settings = connection.get(f"/api/projects/{project.id}/", MADE)
        if project.slot.purpose != "test" and settings.get("model_version") != MODEL_VERSION:
            yield Finding(
                False,
                f"{project.title!r} serves tasks in another order: model version {settings.get('model_version')!r}",
                f"in its settings, under Annotation, choose the prediction version {MODEL_VERSION!r}",
            )


def _backup(data_root: Path) -> Iterator[Finding]:
    files = sorted((data_root / "backups").glob("*.jsonl.gz"), key=lambda file: file.stat().st_mtime)
    if not files:
        yield Finding(False, f"there is no backup in {data_root / 'backups'}", "tuneloop annotate backup")
        return
    age = (datetime.now(UTC) - datetime.fromtimestamp(files[-1].stat().st_mtime, UTC)).days
    yield Finding(
        age <= _OLD_BACKUP,
        f"the last backup is {age} days old: {files[-1].name}",
        "" if age <= _OLD_BACKUP else "tuneloop annotate backup",
    )
