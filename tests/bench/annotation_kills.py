"""What a kill costs: `python tests/bench/annotation_kills.py [KILLS]`.

A real Label Studio, 3,000 tasks a round, and SIGKILL at random points: of the client while it pushes, of the server while
it is pushed to, of the client while it pulls. After each kill the plain command is run again, and counted is what is
there twice, what is missing, and what state the kill left behind, so that one can see that the kills hit.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from figures import tell

from annotation.connection import Connection
from annotation.projects import find_projects
from annotation.server import running, start, stop
from pipeline.annotations import annotation_files, read_annotations

_TASKS = 3000
_ANSWERS = 60
_CLIENT = Path(__file__).with_name("annotation_client.py")


def main(kills: int) -> None:
    """Print what each kind of kill left behind, and what it cost."""
    rng = random.Random(7)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        start(root, 0)
        try:
            print(f"{'killed':<22}{'kills':>6}{'hit':>6}  {'left nothing / some / all':<28}{'twice':>6}{'missing':>8}")
            for kind in ("client, pushing", "server, pushing", "client, pulling"):
                _round(kind, kills // 3, root, rng)
        finally:
            stop(root)


def _round(kind: str, kills: int, root: Path, rng: random.Random) -> None:
    left: Counter[str] = Counter()
    hit = twice = missing = 0
    takes = _seconds("push" if "push" in kind else "pull", f"warm-{kind[:6]}-{kind[-4:]}", root)
    for number in range(kills):
        recipe = f"kill-{kind[:2]}{kind[-4:-1]}-{number}"
        work = "push" if "pushing" in kind else "pull"
        if work == "pull":
            _run("push", recipe, root)
            _answer(root, recipe)
        client = _begin(work, recipe, root)
        time.sleep(rng.uniform(0, takes))
        alive = client.poll() is None
        if kind.startswith("client"):
            client.kill()
        else:
            os.killpg(_pid(root), signal.SIGKILL)
        client.wait()
        hit += alive
        if kind.startswith("server"):
            start(root, 0)
        left[_state(work, recipe, root)] += alive
        _run(work, recipe, root)
        there = _keys(root, recipe) if work == "push" else _answers(root, recipe)
        expected = _TASKS if work == "push" else _ANSWERS
        twice += sum(n - 1 for n in there.values())
        missing += expected - len(there)
    states = f"{left['nothing']} / {left['some']} / {left['all']}"
    print(f"{kind:<22}{kills:>6}{hit:>6}  {states:<28}{twice:>6}{missing:>8}", flush=True)
    tell(f"{kind}: kills that hit", hit, of=kills)
    tell(f"{kind}: tasks or answers there twice", twice)
    tell(f"{kind}: missing after the command was given again", missing, headline=True)


def _begin(work: str, recipe: str, root: Path) -> "subprocess.Popen[str]":
    words = [sys.executable, str(_CLIENT), work, recipe, str(root), str(_TASKS)]
    client = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=None, text=True)
    assert client.stdout is not None
    client.stdout.readline()  # imports are done, work begins
    return client


def _run(work: str, recipe: str, root: Path) -> None:
    client = _begin(work, recipe, root)
    if client.wait():
        raise SystemExit(f"{work} of {recipe} ended with code {client.returncode}")


def _seconds(work: str, recipe: str, root: Path) -> float:
    if work == "pull":
        _run("push", recipe, root)
        _answer(root, recipe)
    client = _begin(work, recipe, root)
    begun = time.perf_counter()
    client.wait()
    return time.perf_counter() - begun


def _connection(root: Path) -> Connection:
    found = running(root)
    assert found is not None
    return Connection(found.url, found.token)


def _pid(root: Path) -> int:
    return int(json.loads((root / "label-studio" / "server.json").read_text())["pid"])


def _state(work: str, recipe: str, root: Path) -> str:
    n = len(_keys(root, recipe)) if work == "push" else len(_answers(root, recipe))
    whole = _TASKS if work == "push" else _ANSWERS
    return "nothing" if n == 0 else "all" if n == whole else "some"


def _keys(root: Path, recipe: str) -> Counter[str]:
    connection = _connection(root)
    return Counter(
        task["data"]["task_key"]
        for project in find_projects(connection, recipe).values()
        for task in connection.tasks(project.id, ["data"], page_size=5000)
    )


def _answers(root: Path, recipe: str) -> Counter[str]:
    answers = read_annotations(annotation_files(root / recipe).values())
    return Counter(answer.example or "" for answer in answers)


def _answer(root: Path, recipe: str) -> None:
    connection = _connection(root)
    result = [{"from_name": "verdict", "to_name": "messages", "type": "choices", "value": {"choices": ["accept"]}}]
    for project in find_projects(connection, recipe).values():
        for task in connection.tasks(project.id, [])[:_ANSWERS]:
            connection.send("POST", f"/api/tasks/{task['id']}/annotations/", {"result": result})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
