"""Tasks to Label Studio: each once, however often the command runs and wherever it was killed.

    wanted by the queue      task keys k1 k2 k3
    on the server already             k2         ->  k1 and k3 are sent; a second push sends nothing
    k2's text has changed, nobody has answered   ->  k2 goes, the new text is sent as k4
    k2 was answered                              ->  stays as it is

What is there is read from the server each time, by the key that every task carries: round, example and what is shown.
A request that nobody answered may have been done, so its keys are looked up before any of them is sent again; what was
done twice all the same, by a command that was killed while the server worked on, is found and removed at the next push.
An answered task is never touched.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from annotation.connection import Connection, UnansweredError
from annotation.projects import MODEL_VERSION, Project, Purpose, Slot, ensure_project, find_projects
from pipeline.digest import value_digest
from pipeline.screen import seen_digest
from schemas import Seen, ServiceError

# At 1,000 a request 20,000 tasks took 6.3 s, at 5,000 4.6 s; a cut-off request concerns fewer tasks.
BATCH = 1000
_TRIES = 6
_SETTLES = 1.0  # seconds between looks at what became of a request
_LOOKS = 3
_KEYS_A_LOOK = 1000
_POOLS: dict[Purpose, str] = {
    "test": "test", "practice": "practice", "feedback": "feedback", "dispute": "lead", "lead": "lead",
}  # fmt: skip


class Wanted(NamedTuple):
    """A task to be on the server.

    Attributes:
        slot: Where.
        data: What the task shows and carries, as `annotation.task.task_of` makes it.
        score: In which order people get it: 0 first, 1 last.
    """

    slot: Slot
    data: Mapping[str, Any]
    score: float


@dataclass
class Pushed:
    """What a push did.

    Attributes:
        sent: Tasks that are new on the server, by project.
        there: Tasks that were there already.
        replaced: Unanswered tasks that were removed since their example's text has changed.
        withdrawn: Unanswered tasks that were removed since their example waits no more.
        doubles: Unanswered tasks that were there twice, of which one was removed.
        is_full: True if more waits, and `limit` tasks are there unanswered.
        projects: The projects of the recipe afterwards.
        changed_by_hand: Titles of projects whose screen somebody has changed.
    """

    sent: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    there: int = 0
    replaced: int = 0
    withdrawn: int = 0
    doubles: int = 0
    is_full: bool = False
    projects: dict[Slot, Project] = field(default_factory=dict)
    changed_by_hand: list[str] = field(default_factory=list)


def task_key(round_: str, example: str, seen: Seen) -> str:
    """Return the key of a task: equal exactly when round, example and what is shown are."""
    return value_digest([round_, example, seen_digest(seen)])


def push(
    connection: Connection,
    recipe: str,
    wanted: Iterable[Wanted],
    config_of: Callable[[Slot], str],
    shown_now: Callable[[Slot, Sequence[str]], Mapping[str, str]],
    limit: int,
    say: Callable[[str], None] = lambda _: None,
    answered: Collection[int] = (),
) -> Pushed:
    """Bring the server to where it has the first `limit` wanted tasks that nobody has answered, each once.

    Args:
        connection: The server.
        recipe: Name of the recipe.
        wanted: Tasks, the most urgent first; read only as far as needed.
        config_of: Returns the screen of a slot.
        shown_now: Given a slot and ids of examples, returns those that wait still for what it is for, with the key
            their task would have there today.
        limit: Unanswered tasks on the server at most; those of the queue, of the lead, of the test side, of practice
            and of feedback each count for themselves.
        say: Told how far it is.
        answered: Numbers of tasks that have an answer here. Without one on the server it was deleted there, and the
            task stays until a pull has seen that.

    Raises:
        ServiceError: The server does not answer, or refuses.
    """
    done = Pushed(projects=find_projects(connection, recipe))
    known = _there(connection, done.projects.values())
    known = _without_doubles(connection, known, done)
    known = _without_outdated(connection, known, shown_now, answered, done)
    n_open = Counter(_pool(task.slot.purpose) for task in known if not task.is_touched)
    keys = {task.key for task in known}
    lots: dict[Slot, list[Wanted]] = defaultdict(list)
    for one in wanted:
        key = str(one.data["task_key"])
        if key in keys:
            done.there += 1
            continue
        pool = _pool(one.slot.purpose)
        if n_open[pool] >= limit:
            done.is_full = True
            if pool == "lead":
                continue  # these come first, and there may be room for the others
            break
        keys.add(key)
        n_open[pool] += 1
        lots[one.slot].append(one)
    for slot, lot in lots.items():
        project = ensure_project(connection, recipe, slot, config_of(slot), done.projects)
        for start in range(0, len(lot), BATCH):
            batch = lot[start : start + BATCH]
            _send(connection, project, batch)
            done.sent[project.title] += len(batch)
            say(f"{project.title}: {done.sent[project.title]:,} of {len(lot):,} sent")
    done.projects = find_projects(connection, recipe)
    done.changed_by_hand = [project.title for project in done.projects.values() if project.is_changed]
    return done


def _pool(purpose: Purpose) -> str:
    """Return what a task is counted under for the limit: a full queue must keep nothing of the others away."""
    return _POOLS.get(purpose, "queue")


class _There(NamedTuple):
    project: int
    slot: Slot
    id: int
    key: str
    example: str
    is_touched: bool


def _there(connection: Connection, projects: Iterable[Project]) -> list[_There]:
    """Return our tasks on the server."""
    found = []
    for project in projects:
        wanted = ["data", "total_annotations", "cancelled_annotations"]
        for task in connection.tasks(project.id, wanted, page_size=5000):
            data = task["data"]
            touched = bool(task["total_annotations"] or task["cancelled_annotations"])
            # A task that was added by hand has no key; it is not ours to touch.
            if "task_key" in data:
                found.append(
                    _There(
                        project.id,
                        project.slot,
                        task["id"],
                        data["task_key"],
                        str(data.get("example_id") or ""),
                        touched,
                    )
                )
    return found


def _without_doubles(connection: Connection, tasks: list[_There], done: Pushed) -> list[_There]:
    """Remove unanswered tasks whose key another task has: the answered one stays, else the older."""
    by_key: dict[str, list[_There]] = defaultdict(list)
    for task in sorted(tasks, key=lambda task: (not task.is_touched, task.id)):
        by_key[task.key].append(task)
    surplus = [task for same in by_key.values() for task in same[1:] if not task.is_touched]
    gone = _delete(connection, surplus)
    done.doubles += len(gone)
    return [task for task in tasks if task.id not in gone]


def _without_outdated(
    connection: Connection,
    tasks: list[_There],
    shown_now: Callable[[Slot, Sequence[str]], Mapping[str, str]],
    answered: Collection[int],
    done: Pushed,
) -> list[_There]:
    """Remove unanswered tasks whose example shows another text today, or waits no more."""
    by_slot: dict[Slot, list[_There]] = defaultdict(list)
    for task in tasks:
        # Practice shows no example of the data.
        if not task.is_touched and task.slot.purpose != "practice" and task.id not in answered:
            by_slot[task.slot].append(task)
    gone: set[int] = set()
    for slot, some in by_slot.items():
        now = shown_now(slot, sorted({task.example for task in some}))
        removed = _delete(connection, [task for task in some if task.key != now.get(task.example)])
        gone |= removed
        n_replaced = sum(task.id in removed and task.example in now for task in some)
        done.replaced += n_replaced
        done.withdrawn += len(removed) - n_replaced
    return [task for task in tasks if task.id not in gone]


def _delete(connection: Connection, tasks: Sequence[_There]) -> set[int]:
    """Delete those of the tasks that nobody has answered or begun, and return their numbers."""
    gone: set[int] = set()
    by_project: dict[int, list[int]] = defaultdict(list)
    for task in tasks:
        by_project[task.project].append(task.id)
    for project, numbers in by_project.items():
        for start in range(0, len(numbers), _KEYS_A_LOOK):
            some = numbers[start : start + _KEYS_A_LOOK]
            among = [_is("id", "in_list", some, "Number"), *_UNANSWERED]
            begun = connection.tasks(project, ["drafts"], among, whole=True)
            free = [task["id"] for task in begun if not task["drafts"]]
            if not free:
                continue
            # The server looks itself, at the moment of deleting, that nobody has answered meanwhile.
            body = {
                "selectedItems": {"all": False, "included": free},
                "filters": {"conjunction": "and", "items": _UNANSWERED},
            }
            connection.send("POST", "/api/dm/actions", body, id="delete_tasks", project=project)
            left = connection.tasks(project, [], [_is("id", "in_list", free, "Number")])
            gone |= set(free) - {task["id"] for task in left}
    return gone


def _send(connection: Connection, project: Project, batch: Sequence[Wanted]) -> None:
    """Send tasks until all are there, none of them twice."""
    left, wait = list(batch), _SETTLES
    for tries_left in reversed(range(_TRIES)):
        body = [_task(one) for one in left]
        try:
            answer = connection.send("POST", f"/api/projects/{project.id}/import", body)
            if isinstance(answer, dict) and answer.get("task_count") == len(body):
                return
        except UnansweredError as error:
            if not tries_left:
                raise ServiceError(error.what, where=error.where, fix=error.fix) from error
            time.sleep(error.wait or wait)
            wait = min(2 * wait, 20)
        there = _arrived(connection, project, [str(one.data["task_key"]) for one in left])
        left = [one for one in left if one.data["task_key"] not in there]
        if not left:
            return
    raise ServiceError(
        f"{len(left):,} tasks do not arrive in project {project.id}",
        where=connection.url,
        fix="look at the server's log, and run the command again: what is there is not sent again",
    )


def _arrived(connection: Connection, project: Project, keys: Sequence[str]) -> set[str]:
    """Return which of the keys the server has, once that stays so: it may work on a request nobody waits for."""
    found: set[str] = set()
    same = 0
    while same < _LOOKS:
        now = {
            task["data"]["task_key"]
            for start in range(0, len(keys), _KEYS_A_LOOK)
            for task in connection.tasks(
                project.id,
                ["data"],
                [_is("data.task_key", "in_list", [*keys[start : start + _KEYS_A_LOOK]], "List")],
            )
        }
        same = same + 1 if now == found else 0
        found = now
        if len(found) == len(keys):
            break
        time.sleep(_SETTLES)
    return found


def _task(one: Wanted) -> dict[str, Any]:
    # A score and a version, no result: a model's words in the box would come back as data.
    predictions = [{"model_version": MODEL_VERSION, "score": one.score, "result": []}]
    return {"data": dict(one.data), "predictions": predictions}


def _is(column: str, operator: str, value: object, kind: str) -> dict[str, object]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


_UNANSWERED = [_is("total_annotations", "equal", 0, "Number"), _is("cancelled_annotations", "equal", 0, "Number")]
