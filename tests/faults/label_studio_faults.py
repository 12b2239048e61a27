"""R8: a bad line to a real Label Studio, and SIGKILL of who pushes and pulls, at every request that they send.

Whatever happens on the way, the plain command afterwards leaves each task once, each answer here, and nothing behind.
"""

import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from table import Line

from annotation.connection import Connection
from annotation.projects import Slot, find_projects
from annotation.pull import pull
from annotation.push import Wanted, push
from annotation.screens import label_config
from annotation.server import Running, program, start, stop
from annotation.task_removal import _delete, _tasks_on
from pipeline.annotations import annotation_files, read_annotations
from pipeline.removed import Removed
from schemas import ServiceError
from tests.annotation.fault_proxy import FaultProxy
from tests.annotation.sums import accept, sum_task

ANCHORS = ("R8",)
TASKS, ANSWERS, GONE = 12, 5, 3
ONCE = (
    "reset_before", "reset_after", "reset_in_body", "truncate", "slow", "trickle", "other_shape",
    "401", "429", "500", "502", "503",
)  # fmt: skip
FOR_EVER = ("refuse", "reset_before", "reset_after", "truncate", "trickle", "other_shape", "401", "429", "500", "503")
_CLIENT = Path(__file__).resolve().parents[1] / "bench" / "annotation_client.py"
_NAMES = count(1)
_AT_ONCE = 3


@dataclass(frozen=True)
class Place:
    """A recipe of its own on the server, and a folder of its own here."""

    server: Running
    recipe: str
    folder: Path

    @property
    def connection(self) -> Connection:
        return Connection(self.server.url, self.server.token)


@dataclass(frozen=True)
class Work:
    """Something that is done over the line.

    Attributes:
        prepare: What is there before.
        do: The work.
        wrong: What is not as it should be after it was done, in sentences.
    """

    name: str
    prepare: Callable[[Place], None]
    do: Callable[[Place, Connection], None]
    wrong: Callable[[Place], list[str]]


def run(share: float, seed: int) -> Iterator[Line]:
    """Give what became of each fault, and of each kill."""
    if not (program().parent.parent / ".whole").exists():
        yield Line("R8", "Label Studio behind a bad line", 0, {}, note="not run: Label Studio is not installed")
        return
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        server = start(root, 0)
        try:
            for work in WORKS:
                yield _once(work, server, root, share, rng)
            yield _for_ever(server, root, share, rng)
            yield _pages(server, root)
            yield _kills(server, root, share, rng)
        finally:
            stop(root)


def _place(server: Running, root: Path) -> Place:
    number = next(_NAMES)
    return Place(server, f"bad-line-{number}", root / f"here-{number}")


def _once(work: Work, server: Running, root: Path, share: float, rng: random.Random) -> Line:
    """Spoil each request of the work in turn, once, by each fault."""
    place = _place(server, root)
    work.prepare(place)
    with FaultProxy(server.url, []) as proxy:
        work.do(place, Connection(proxy.url, server.token))
    n = len(proxy.asked)
    cases = [(number, fault) for number in range(1, n + 1) for fault in ONCE]
    cases = cases if share >= 1 else rng.sample(cases, max(2, round(share * len(cases))))

    def case(one: tuple[int, str]) -> tuple[str, list[str], float]:
        number, fault = one
        return _case(work, server, root, [""] * (number - 1) + [fault], "", f"{fault} at request {number}")

    return _line(
        f"{work.name}: each of its {n} requests spoiled once",
        _all(case, cases),
        ("went through",) if share >= 1 else (),
    )


def _for_ever(server: Running, root: Path, share: float, rng: random.Random) -> Line:
    """Spoil everything from the first request on, and from the second."""
    cases = [(work, n, fault) for work in WORKS for fault in FOR_EVER for n in (1, 2)]
    cases = cases if share >= 1 else rng.sample(cases, max(3, round(share * len(cases))))

    def case(one: tuple[Work, int, str]) -> tuple[str, list[str], float]:
        work, number, fault = one
        return _case(work, server, root, [""] * (number - 1), fault, f"{fault} for ever")

    return _line("every request spoiled from the first or second on", _all(case, cases), ("ended with exit 5",))


def _case(
    work: Work, server: Running, root: Path, faults: list[str], for_ever: str, what: str
) -> tuple[str, list[str], float]:
    place, wrong = _place(server, root), []
    work.prepare(place)
    begun = time.monotonic()
    with FaultProxy(server.url, faults, for_ever=for_ever) as proxy:
        url = f"http://127.0.0.1:{_closed_port()}" if for_ever == "refuse" else proxy.url
        try:
            work.do(place, Connection(url, server.token, timeout=2 if "trickle" in (*faults, for_ever) else 60))
            outcome = "went through"
        except ServiceError as error:
            outcome = f"ended with exit {error.exit_code}"
        except Exception as error:  # noqa: BLE001 - a traceback is what must not come
            outcome = "traceback"
            wrong.append(f"R8 {work.name}, {what}: {type(error).__name__}: {error}")
    took = time.monotonic() - begun
    if outcome == "went through":
        wrong += [f"R8 {work.name}, {what}, at once: {one}" for one in work.wrong(place)]
    work.do(place, place.connection)
    wrong += [f"R8 {work.name}, {what}, after the plain command: {one}" for one in work.wrong(place)]
    _clear(place)
    return outcome, wrong, took


def _all(
    case: Callable[[Any], tuple[str, list[str], float]], cases: Sequence[Any]
) -> list[tuple[str, list[str], float]]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(case, cases))


def _line(what: str, found: Sequence[tuple[str, list[str], float]], must_see: tuple[str, ...]) -> Line:
    problems = [one for _, wrong, _ in found for one in wrong]
    slowest = max(took for _, _, took in found)
    return Line(
        "R8", what, len(found), Counter(outcome for outcome, _, _ in found), bad=sum(bool(wrong) for _, wrong, _ in found),
        must_see=must_see, note=f"{'something twice or lost' if problems else 'tasks twice 0, answers lost 0'}, slowest {slowest:.0f} s", problems=tuple(problems[:10]),
    )  # fmt: skip


def _pages(server: Running, root: Path) -> Line:
    """Give pages twice, in another order, and one in place of the other."""
    place = _place(server, root)
    _push(place, place.connection)
    (project,) = find_projects(place.connection, place.recipe).values()
    right = [task["id"] for task in place.connection.tasks(project.id, [])]
    outcomes, wrong = Counter[str](), []
    for faults in (
        ["", "repeat_page"],
        ["swap_pages", "swap_pages"],
        ["swap_pages"],
        ["", "swap_pages"],
        ["", "", "truncate"],
    ):
        with FaultProxy(server.url, faults, lambda line: "GET /api/tasks/" in line) as proxy:
            given = [one["id"] for one in Connection(proxy.url, server.token).tasks(project.id, [], page_size=5)]
        outcomes["whole and in order" if given == right else "other tasks"] += 1
        wrong += [] if given == right else [f"R8 pages, {faults}: {len(given)} of {len(right)} tasks"]
        if len(proxy.asked) < 3:
            wrong.append(f"R8 pages, {faults}: only {len(proxy.asked)} pages were asked for")
    _clear(place)
    return Line(
        "R8", "pages twice and in another order", outcomes.total(), outcomes, bad=len(wrong), problems=tuple(wrong)
    )


def _kills(server: Running, root: Path, share: float, rng: random.Random) -> Line:
    """Kill the client at each of its requests: before the server hears of it, and when the server has done it."""
    cases = []
    for work in (PUSH, PULL):
        place = _place(server, root)
        work.prepare(place)
        with FaultProxy(server.url, []) as proxy:
            _client(work, place, root, proxy.url).wait()
        cases += [(work, number, is_done) for number in range(1, len(proxy.asked) + 1) for is_done in (False, True)]
        _clear(place)
    cases = cases if share >= 1 else rng.sample(cases, max(2, round(share * len(cases))))

    def case(one: tuple[Work, int, bool]) -> tuple[str, list[str], float]:
        work, number, is_done = one
        place = _place(server, root)
        work.prepare(place)
        clients: list[subprocess.Popen[bytes]] = []

        def heard(n: int, after: bool) -> None:
            if (n, after) == (number, is_done):
                clients[0].kill()

        faults = [] if is_done else [""] * (number - 1) + ["reset_before"]
        with FaultProxy(server.url, faults, heard=heard) as proxy:
            clients.append(_client(work, place, root, proxy.url))
            code = clients[0].wait()
        name = f"{work.name}, killed {'after' if is_done else 'before'} request {number}"
        wrong = [] if code == -9 else [f"R8 {name}: it ended with {code}"]
        left = len(work.wrong(place))
        work.do(place, place.connection)
        wrong += [f"R8 {name}: {one}" for one in work.wrong(place)]
        _clear(place)
        return ("work was left" if left else "all was done"), wrong, 0.0

    found = _all(case, cases)
    return _line(
        "SIGKILL of push and pull before and after each request",
        found,
        ("work was left", "all was done") if share >= 1 else (),
    )


def _client(work: Work, place: Place, root: Path, url: str) -> "subprocess.Popen[bytes]":
    words = [sys.executable, str(_CLIENT), work.name, place.recipe, str(root), str(TASKS), url]
    if work is PULL:
        place.folder.mkdir(parents=True, exist_ok=True)
        (root / place.recipe).exists() or (root / place.recipe).symlink_to(place.folder)
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _clear(place: Place) -> None:
    for project in find_projects(place.connection, place.recipe).values():
        place.connection.send("DELETE", f"/api/projects/{project.id}/")


# What is done over the line.


def _wanted() -> list[Wanted]:
    return [sum_task(number) for number in range(TASKS)]


def _push(place: Place, connection: Connection, language: str = "en") -> None:
    wanted = _wanted()
    keys = {str(one.data["example_id"]): str(one.data["task_key"]) for one in wanted}

    def shown_now(_: Slot, examples: Sequence[str]) -> Mapping[str, str]:
        return {example: keys[example] for example in examples if example in keys}

    push(connection, place.recipe, wanted, lambda _: label_config("review", language), shown_now, 10**6)


def _tasks(place: Place) -> list[tuple[int, str, str]]:
    """Return number, key and example of each task that is there."""
    return [
        (task["id"], task["data"]["task_key"], task["data"]["example_id"])
        for project in find_projects(place.connection, place.recipe).values()
        for task in place.connection.tasks(project.id, ["data"])
    ]


def _wrong_tasks(place: Place) -> list[str]:
    there = Counter(key for _, key, _ in _tasks(place))
    twice = [f"{n} tasks for {key[:8]}" for key, n in there.items() if n > 1]
    return twice + ([f"{TASKS - len(there)} tasks are missing"] if len(there) < TASKS else [])


def _answered(place: Place) -> None:
    _push(place, place.connection)
    for number, _, _ in _tasks(place)[:ANSWERS]:
        accept(place.connection, number)


def _pull(place: Place, connection: Connection) -> None:
    pull(connection, place.folder, place.recipe)


def _wrong_answers(place: Place) -> list[str]:
    here = read_annotations(annotation_files(place.folder).values())
    keys = Counter(one.key for one in here)
    marks = [one for one in here if one.withdrawn]
    lost = [f"{ANSWERS - len(keys)} answers are lost"] if len(keys) < ANSWERS else []
    return lost + [f"{n} of {key}" for key, n in keys.items() if n > 1] + [f"{one.key} is withdrawn" for one in marks]


def _gone(place: Place) -> Removed:
    return Removed(ids=frozenset(f"{number:032x}" for number in range(GONE)), seen=frozenset())


def _remove(place: Place, connection: Connection) -> None:
    # Ids of sums are those of every recipe here, so only this one's projects are looked at.
    own = {project.id for project in find_projects(connection, place.recipe).values()}
    _delete(
        connection, {project: tasks for project, tasks in _tasks_on(connection, _gone(place)).items() if project in own}
    )


def _wrong_removal(place: Place) -> list[str]:
    left = Counter(example in _gone(place).ids for _, _, example in _tasks(place))
    stay = [] if left[False] == TASKS - GONE else [f"{left[False]} other tasks of {TASKS - GONE} are there"]
    return stay + ([f"{left[True]} removed tasks are there"] if left[True] else [])


def _update(place: Place, connection: Connection) -> None:
    # A task more, since the screen of a project is looked at when something is sent to it.
    wanted = [*_wanted(), sum_task(TASKS)]
    keys = {str(one.data["example_id"]): str(one.data["task_key"]) for one in wanted}
    push(
        connection,
        place.recipe,
        wanted,
        lambda _: label_config("review", "de"),
        lambda _, some: {e: keys[e] for e in some},
        10**6,
    )


def _wrong_screen(place: Place) -> list[str]:
    projects = [*find_projects(place.connection, place.recipe).values()]
    there = Counter(key for _, key, _ in _tasks(place))
    found = [f"{n} tasks for {key[:8]}" for key, n in there.items() if n > 1]
    found += [] if len(there) == TASKS + 1 else [f"{len(there)} tasks of {TASKS + 1}"]
    config = place.connection.get(f"/api/projects/{projects[0].id}/")["label_config"]
    is_new = config.split() == label_config("review", "de").split()
    return found + ([] if is_new and not projects[0].is_changed else ["the old screen"])


def _nothing(_: Place) -> None:
    return


PUSH = Work("push", _nothing, _push, _wrong_tasks)
PULL = Work("pull", _answered, _pull, _wrong_answers)
REMOVAL = Work("removal of tasks", lambda place: _push(place, place.connection), _remove, _wrong_removal)
SCREENS = Work("update of screens", lambda place: _push(place, place.connection), _update, _wrong_screen)
WORKS = (PUSH, PULL, REMOVAL, SCREENS)
