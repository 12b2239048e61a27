"""The projects of a recipe in Label Studio: one for each round, purpose, screen and language, made once, found again.

    sample, round 1, main, review, en   ->  project "sample: review (en)"
                                            described "tuneloop: sample/1/main/review/en, screen 3f2a9c01"

A project is known by the first line of its description, so nothing has to be remembered here: a command that was killed
right after it made a project finds it again. The screen's digest stands there too, since a round keeps the screen it
began with and Label Studio keeps no versions of it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast, get_args

from annotation.answer_shapes import PROJECTS
from annotation.connection import Connection, UnansweredError
from pipeline.digest import value_digest
from schemas import ServiceError
from schemas.annotation import utc_time

Purpose = Literal["main", "overlap", "lead", "dispute", "practice", "test", "feedback"]
MODEL_VERSION = "queue"
_MARK = re.compile(r"^tuneloop: (?P<recipe>[^/\n]+)/(?P<rest>[^,\n]+), screen (?P<digest>[0-9a-f]+)$", re.MULTILINE)
_TITLE_CHARS = 50  # Label Studio takes no longer one
# Everybody practises on every item.
_PEOPLE: dict[Purpose, int] = {"overlap": 2, "test": 2, "practice": 1000}
_TOLD: dict[Purpose, str] = {
    "main": "",
    "overlap": ", two people each",
    "lead": ", for the lead",
    "dispute": ", disputes",
    "practice": ", practice",
    "test": ", test, blind",
    "feedback": ", after training",
}


class Slot(NamedTuple):
    """Which project a task belongs to.

    Attributes:
        round: Name of the review round.
        purpose: Why people look.
        screen: Kind of the screen.
        language: Of the data, such as `en`; the screen is in it where it can be.
    """

    round: str
    purpose: Purpose
    screen: str
    language: str


@dataclass(frozen=True)
class Project:
    """A project on the server.

    Attributes:
        id: Its number there.
        digest: Of the screen it was made with.
        is_changed: True where somebody has changed the screen since.
        created_at: When it was made, ISO 8601, UTC.
        n_tasks: How many tasks it has.
        n_finished: How many of them as many people as wanted have answered.
        n_answers: How many answers it has, those skipped included.
        n_skipped: How many of these are a press of Skip.
    """

    id: int
    slot: Slot
    title: str
    digest: str
    is_changed: bool
    created_at: str
    n_tasks: int
    n_finished: int
    n_answers: int
    n_skipped: int


def people_for(purpose: Purpose) -> int:
    """Return how many people are to answer each task."""
    return _PEOPLE.get(purpose, 1)


def find_projects(connection: Connection, recipe: str) -> dict[Slot, Project]:
    """Return the recipe's projects. Of two for one slot the older counts: a call that was cut off made the other.

    Raises:
        ServiceError: The server does not answer, or refuses.
    """
    found: dict[Slot, Project] = {}
    for raw in sorted(all_projects(connection), key=lambda one: int(one["id"])):
        project = _read(raw, recipe)
        if project:
            found.setdefault(project.slot, project)
    return found


def ensure_project(connection: Connection, recipe: str, slot: Slot, config: str, known: dict[Slot, Project]) -> Project:
    """Return the project of a slot, made if it is not there; `known` gains it.

    A project that nobody has answered in gets the screen of today; one with answers keeps its own.

    Raises:
        ServiceError: The server does not answer, or refuses the screen.
    """
    digest = _digest(config)
    project = known.get(slot)
    if project is None:
        try:
            connection.send("POST", "/api/projects/", _settings(recipe, slot, config))
        except UnansweredError:
            # It may be there all the same; if not, the second answer is the one to tell.
            if slot not in find_projects(connection, recipe):
                connection.send("POST", "/api/projects/", _settings(recipe, slot, config))
        project = find_projects(connection, recipe).get(slot)
        if project is None:
            raise ServiceError(
                f"the project {_title(recipe, slot)!r} was made and cannot be found",
                where=connection.url,
                fix="look in Label Studio whether its description begins with 'tuneloop:', and run the command again",
            )
    elif (project.digest != digest or project.is_changed) and not project.n_answers:
        connection.send("PATCH", f"/api/projects/{project.id}/", _settings(recipe, slot, config))
        project = find_projects(connection, recipe)[slot]
    known[slot] = project
    return project


def _settings(recipe: str, slot: Slot, config: str) -> dict[str, object]:
    return {
        "title": _title(recipe, slot),
        "description": f"tuneloop: {recipe}/{'/'.join(slot)}, screen {_digest(config)}",
        "label_config": config,
        "maximum_annotations": people_for(slot.purpose),
        # The stream serves by the score of each task's prediction, the lowest first, and only if the version is named.
        # What the model is judged by comes in an order of chance.
        "sampling": "Uniform sampling" if slot.purpose == "test" else "Uncertainty sampling",
        "model_version": MODEL_VERSION,
        "show_collab_predictions": False,
        "skip_queue": "REQUEUE_FOR_OTHERS",
        "show_skip_button": True,
        "enable_empty_annotation": False,
        "show_instruction": False,
        "color": "#F2711C" if slot.purpose in {"dispute", "lead"} else "#1F77B4",
    }


def _title(recipe: str, slot: Slot) -> str:
    round_ = "" if slot.round == "1" else f" {slot.round}"
    tail = f": {slot.screen} ({slot.language}){_TOLD[slot.purpose]}{round_}"
    room = max(4, _TITLE_CHARS - len(tail))
    name = recipe if len(recipe) <= room else f"{recipe[: room - 1]}…"
    return f"{name}{tail}"[:_TITLE_CHARS]


def _digest(config: str) -> str:
    return value_digest(" ".join(config.split()))[:8]


def all_projects(connection: Connection) -> Iterable[dict[str, Any]]:
    """Yield every project on the server that we may see, ours or not, as it tells them."""
    page = 1
    while True:
        answer = connection.get("/api/projects/", PROJECTS, page=page, page_size=100)
        yield from answer["results"]
        if not answer.get("next"):
            return
        page += 1


def _read(raw: dict[str, Any], recipe: str) -> Project | None:
    mark = _MARK.search(raw.get("description") or "")
    if not mark or mark["recipe"] != recipe:
        return None
    parts = mark["rest"].split("/")
    if len(parts) != len(Slot._fields) or parts[1] not in get_args(Purpose):
        return None
    slot = Slot(parts[0], cast(Purpose, parts[1]), parts[2], parts[3])
    is_changed = _digest(raw.get("label_config") or "") != mark["digest"]
    n_skipped = int(raw.get("skipped_annotations_number") or 0)
    return Project(
        id=int(raw["id"]),
        slot=slot,
        title=raw["title"],
        digest=mark["digest"],
        is_changed=is_changed,
        created_at=utc_time(raw["created_at"]),
        n_tasks=int(raw.get("task_number") or 0),
        n_finished=int(raw.get("finished_task_number") or 0),
        n_answers=int(raw.get("total_annotations_number") or 0) + n_skipped,
        n_skipped=n_skipped,
    )
