"""A real Label Studio at size: `python tests/bench/label_studio_at_size.py [TASKS]`.

Pushes TASKS (20,000) tasks with their scores, pushes again, has 100 of them answered and pulls, pulls again; then three
people work at once in a project of 60 tasks, and the order in which they were served is set against the ranked one.
"""

import re
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
from annotation_client import sum_tasks
from figures import tell
from scipy.stats import spearmanr

from annotation.connection import Connection
from annotation.projects import find_projects
from annotation.pull import pull
from annotation.push import Pushed, push
from annotation.screens import label_config
from annotation.server import Running, start, stop

_ANSWERED = 100
_SERVED = 60
_RESULT = [{"from_name": "verdict", "to_name": "messages", "type": "choices", "value": {"choices": ["accept"]}}]


def main(n: int) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        server = start(root, 0)
        try:
            connection = Connection(server.url, server.token)
            for told in ("push", "push again"):
                begun = time.perf_counter()
                done = _push(connection, "size", n)
                took = time.perf_counter() - begun
                print(f"{told:<12} {n:>7,} tasks  {sum(done.sent.values()):>7,} sent  {took:6.1f} s", flush=True)
                tell(f"{told}, {n:,} tasks: seconds", took, "s")
                tell(f"{told}, {n:,} tasks: sent", sum(done.sent.values()))
            (project,) = find_projects(connection, "size").values()
            tasks = connection.tasks(project.id, [])
            pull(connection, root, "size")
            for told, some in (("pull", tasks[:_ANSWERED]), ("pull more", tasks[_ANSWERED : 2 * _ANSWERED])):
                for task in some:
                    connection.send("POST", f"/api/tasks/{task['id']}/annotations/", {"result": _RESULT})
                begun = time.perf_counter()
                pulled = pull(connection, root, "size")
                took = time.perf_counter() - begun
                print(f"{told:<12} {_ANSWERED} answers among {n:,} tasks  {pulled.new} new  {took:.2f} s", flush=True)
                tell(f"{told}, {_ANSWERED} answers among {n:,} tasks: seconds", took, "s")
            _serve_three(connection, server)
        finally:
            stop(root)


def _push(connection: Connection, recipe: str, n: int) -> Pushed:
    wanted = sum_tasks(n)
    keys = {str(one.data["example_id"]): str(one.data["task_key"]) for one in wanted}
    return push(
        connection,
        recipe,
        wanted,
        lambda _: label_config("review", "en"),
        lambda _, examples: {one: keys[one] for one in examples},
        10**9,
    )


def _serve_three(connection: Connection, server: Running) -> None:
    """Three people take and answer tasks at once; print how the order served follows the ranked one."""
    _push(connection, "three", _SERVED)
    (project,) = find_projects(connection, "three").values()
    served: list[tuple[float, int]] = []
    people = [_session(connection, server, f"p{number}@example.org") for number in range(3)]

    def work(session: httpx.Client) -> None:
        while True:
            answer = session.get(f"/api/projects/{project.id}/next")
            if not answer.is_success:
                return
            task = answer.json()
            served.append((time.perf_counter(), int(task["data"]["example_id"], 16)))
            session.post(f"/api/tasks/{task['id']}/annotations/", json={"result": _RESULT, "lead_time": 1})

    threads = [threading.Thread(target=work, args=(session,)) for session in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    order = [rank for _, rank in sorted(served)]
    rho = spearmanr(range(len(order)), order).statistic
    print(
        f"three people at once: {len(order)} of {_SERVED} tasks served, {len(set(order))} of them different; "
        f"rank correlation of the served with the ranked order {rho:.4f}"
    )
    tell("three people at once: rank correlation of served and ranked order", rho)


def _session(connection: Connection, server: Running, email: str) -> httpx.Client:
    """Return a person who has signed up by an invitation, with a token."""
    client = httpx.Client(base_url=server.url, timeout=60)
    link = connection.get("/api/invite")["invite_url"]
    form = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(link).text)
    assert form
    fields = {
        "csrfmiddlewaretoken": form[1],
        "email": email,
        "password": "only-for-a-bench-1",
        "allow_newsletters": "0",
    }
    client.post(link, data=fields)
    token = client.post("/api/token/").json()["token"]
    access = client.post("/api/token/refresh/", json={"refresh": token}).json()["access"]
    return httpx.Client(base_url=server.url, timeout=60, headers={"Authorization": f"Bearer {access}"})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
