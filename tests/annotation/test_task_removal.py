"""A customer's text in a real Label Studio is afterwards in no byte of its folder, and no pull brings it back."""

import gzip
import json
from pathlib import Path

import pytest

from annotation.backup import back_up
from annotation.connection import Connection
from annotation.pull import pull
from annotation.server import database, running, start
from annotation.task_removal import remove_tasks
from pipeline.annotations import annotation_files, read_annotations
from pipeline.cli import run as tuneloop
from pipeline.removed import Removed, Request, add_request
from tests.annotation.sums import answer, sum_task
from tests.annotation.test_pull import tasks_of
from tests.annotation.test_push import send
from tests.needles import files_with

pytestmark = pytest.mark.slow
NEEDLE = "Zorblatt Quixwell"
RECIPE = "tiny-removal"
GONE, STAYS = f"{7:032x}", f"{3:032x}"


def on_the_list(data: Path) -> None:
    request = Request(
        request="41c7", date="2026-11-28", reason="", salt="00" * 16, ids=[GONE], raws=[], seen=[], values=[], versions=[]
    )  # fmt: skip
    add_request(data, request)


def test_tasks_answers_drafts_backups_exports_and_logs_go_and_the_server_comes_back(
    stopped_server: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = stopped_server
    server = start(data, 0)
    connection = Connection(server.url, server.token)
    send(connection, RECIPE, [sum_task(7, f"eight, says {NEEDLE}"), sum_task(3)])
    numbers = {
        task["data"]["example_id"]: task["id"]
        for number in tasks_of(connection, RECIPE)
        for task in [connection.get(f"/api/tasks/{number}/")]
    }
    answer(connection, numbers[GONE], "edit", f"8, writes {NEEDLE}")
    answer(connection, numbers[STAYS], "accept")
    draft = [{"from_name": "comment", "to_name": "messages", "type": "textarea", "value": {"text": [f"{NEEDLE}?"]}}]
    connection.send("POST", f"/api/tasks/{numbers[GONE]}/drafts", {"result": draft, "lead_time": 1.0})
    (project,) = (int(one["id"]) for one in connection.get("/api/projects/")["results"])
    connection.send("POST", f"/api/projects/{project}/exports/", {"title": "by hand"})
    pull(connection, data, RECIPE)
    back_up(connection, RECIPE, data / "backups" / "monday.jsonl.gz")
    home = database(data).parent
    upload = home / "media" / "upload" / "1" / "tasks.json"
    upload.parent.mkdir(parents=True)
    upload.write_text(json.dumps([sum_task(7, NEEDLE).data]))
    with (data / "label-studio" / "server.log").open("a") as log:
        log.write(f"a request with {NEEDLE} failed\n")
    before = files_with(data, NEEDLE)
    for place in ("annotations/", "backups/", "label-studio/server.log", "label-studio/server/label_studio.sqlite3",
                  "label-studio/server/media/upload", "label-studio/server/media/export"):  # fmt: skip
        assert any(name.startswith(place) for name in before), place

    on_the_list(data)
    assert tuneloop(["remove", "--again", "--data-root", str(data)]) == 0
    assert files_with(data, NEEDLE) == set()
    told = json.loads(Path(capsys.readouterr().out.strip()).read_text())
    assert (told["state"], told["tasks"], told["backups"]) == (
        "done", {"the local Label Studio": 1}, {"backups/monday.jsonl.gz": 1}
    )  # fmt: skip
    assert "label-studio/server/media/upload/1/tasks.json" in told["files"]

    # The others' work stands, in the store, in the backup and on the server, which runs again where it ran.
    again = running(data)
    assert again is not None
    assert again.url == server.url
    assert [one.example for one in read_annotations(annotation_files(data).values())] == [STAYS]
    connection = Connection(again.url, again.token)
    assert tasks_of(connection, RECIPE) == [numbers[STAYS]]
    lines = [json.loads(line) for line in gzip.open(data / "backups" / "monday.jsonl.gz", "rt")]
    assert (lines[0]["tasks"], [one["task"]["data"]["example_id"] for one in lines if "task" in one]) == (1, [STAYS])

    # A task that comes back by other ways, as from an old backup of the server, gives no answer and goes again.
    send(connection, RECIPE, [sum_task(7, NEEDLE), sum_task(3)])
    (back,) = set(tasks_of(connection, RECIPE)) - {numbers[STAYS]}
    answer(connection, back, "edit", f"8, writes {NEEDLE} again")
    assert pull(connection, data, RECIPE).new == 0
    assert not [name for name in files_with(data, NEEDLE) if name.startswith("annotations/")]
    assert tuneloop(["remove", "--again", "--data-root", str(data)]) == 0
    assert files_with(data, NEEDLE) == set()


def test_a_server_that_does_not_run_is_cleared_all_the_same_and_left_stopped(stopped_server: Path) -> None:
    data = stopped_server
    removed = Removed(salt="00", ids=frozenset([GONE]))
    gone = remove_tasks(data, removed, lambda _: None)
    assert gone.tasks == {}
    assert running(data) is None


def test_a_file_among_the_backups_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "x.jsonl.gz").write_bytes(b"no gzip")
    gone = remove_tasks(tmp_path, Removed(salt="00", ids=frozenset([GONE])), lambda _: None)
    assert gone.out_of_reach == ["backups/x.jsonl.gz: it cannot be read as a backup of ours; delete it yourself"]
