"""A customer's text in a real Label Studio is afterwards in no byte of its folder, and no pull brings it back."""

import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from annotation.backup import back_up
from annotation.connection import Connection
from annotation.pull import pull
from annotation.server import database, running, start
from annotation.task_removal import remove_tasks
from pipeline.annotations import annotation_files, read_annotations
from pipeline.cli import run as tuneloop
from pipeline.removed import Removed
from tests.annotation.sums import answer
from tests.annotation.test_pull import tasks_of
from tests.conftest import Project, write_tokenizer
from tests.needles import files_with
from tests.pipeline.test_removal import KEEPING, NEEDLE, encoded, stray_texts, with_customers

RECIPE = "tiny"


@pytest.fixture
def project(stopped_server: Path, tmp_path: Path) -> Project:
    """Return a project with a customer's rows that was run, its store beside a Label Studio that does not run."""
    (tmp_path / "notes.csv").write_text("id,text,short\nn0,The harbour of Lund opened a second pier.,A pier.\n")
    write_tokenizer(tmp_path / "tokenizer")
    (tmp_path / "recipe.toml").write_text(KEEPING)
    assert stopped_server == tmp_path / "data"
    return with_customers(Project(tmp_path))


@pytest.mark.slow
def test_a_customer_is_gone_from_every_byte_of_store_and_label_studio_and_does_not_come_back(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    data, recipe = project.data, ["--recipe", "recipe.toml"]
    server = start(data, 0)
    connection = Connection(server.url, server.token)
    assert tuneloop(["annotate", "push", *recipe]) == 0
    tasks = {number: connection.get(f"/api/tasks/{number}/")["data"] for number in tasks_of(connection, RECIPE)}
    (gone,) = (number for number, shown in tasks.items() if NEEDLE in json.dumps(shown))
    stays = next(number for number, shown in tasks.items() if "Hamlet" in json.dumps(shown))
    answer(connection, gone, "edit", f"A blue bicycle, says {NEEDLE}.")
    answer(connection, stays, "accept")
    draft = [{"from_name": "comment", "to_name": "messages", "type": "textarea", "value": {"text": [f"{NEEDLE}?"]}}]
    connection.send("POST", f"/api/tasks/{gone}/drafts", {"result": draft, "lead_time": 1.0})
    number = next(int(one["id"]) for one in connection.get("/api/projects/")["results"] if one["task_number"])
    connection.send("POST", f"/api/projects/{number}/exports/", {"title": "by hand"})
    assert tuneloop(["annotate", "pull", *recipe]) == 0
    project.run()  # the person's words are in the data now
    back_up(connection, RECIPE, data / "backups" / "monday.jsonl.gz")
    upload = database(data).parent / "media" / "upload" / "1" / "tasks.json"
    upload.parent.mkdir(parents=True)
    upload.write_text(json.dumps([tasks[gone]]))
    with (data / "label-studio" / "server.log").open("a") as log:
        log.write(f"a request with {NEEDLE} failed\n")
    split = project.outcomes["split"].record.version
    stray_texts(data, split, encoded(data, str(tasks[gone]["example_id"]), split))
    before = files_with(data, NEEDLE)
    for place in ("ingest/", "ingest/dropped/", "dedupe/dropped/", "dedupe/index/", "split/", "annotations/", "runs/",
                  "cache/", "reports/", "backups/", "label-studio/server.log", "label-studio/server/media/upload/",
                  "label-studio/server/label_studio.sqlite3", "label-studio/server/media/export/"):  # fmt: skip
        assert any(name.startswith(place) for name in before), place

    capsys.readouterr()
    words = ["remove", "--where", "meta.customer=c-4711"]
    assert tuneloop(words) == 0
    assert "1 tasks on the local Label Studio" in capsys.readouterr().out
    assert files_with(data, NEEDLE) == before
    assert tuneloop([*words, "--yes"]) == 0
    assert files_with(data, NEEDLE) == set()
    told = json.loads(Path(capsys.readouterr().out.strip()).read_text())
    assert (told["state"], told["tasks"], told["backups"], told["models"]) == (
        "done", {"the local Label Studio": 1}, {"backups/monday.jsonl.gz": 1}, ["1055f8c3"]
    )  # fmt: skip
    assert str(upload.relative_to(data)) in told["files"]

    # The others' work stands: in the store, in the backup, and on the server, which runs again where it ran.
    again = running(data)
    assert again is not None
    assert again.url == server.url
    kept = str(tasks[stays]["example_id"])
    assert [one.example for one in read_annotations(annotation_files(data).values())] == [kept]
    connection = Connection(again.url, again.token)
    assert set(tasks_of(connection, RECIPE)) == set(tasks) - {gone}
    with gzip.open(data / "backups" / "monday.jsonl.gz", "rt") as file:
        head, *lines = [json.loads(line) for line in file]
    assert head["tasks"] == len(tasks) - 1 == sum("task" in line for line in lines)

    # Neither the source, which holds the rows still, nor a task from elsewhere brings them back.
    assert NEEDLE in (project.root / "questions.jsonl").read_text()
    assert project.run()["ingest"].record.dropped_by_reason["removed"] == 4
    connection.send("POST", f"/api/projects/{number}/import", [{"data": tasks[gone]}])
    (back,) = set(tasks_of(connection, RECIPE)) - set(tasks)
    answer(connection, back, "edit", f"A green bicycle, says {NEEDLE}.")
    assert pull(connection, data, RECIPE).new == 0
    assert {name.split("/")[0] for name in files_with(data, NEEDLE)} == {"label-studio"}


@pytest.mark.slow
def test_a_server_that_does_not_run_is_cleared_all_the_same_and_left_stopped(stopped_server: Path) -> None:
    data = stopped_server
    removed = Removed(salt="00", ids=frozenset(["9f3c"]))
    gone = remove_tasks(data, removed, lambda _: None)
    assert gone.tasks == {}
    assert running(data) is None


def test_a_file_among_the_backups_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "x.jsonl.gz").write_bytes(b"no gzip")
    gone = remove_tasks(tmp_path, Removed(salt="00", ids=frozenset(["9f3c"])), lambda _: None)
    assert gone.out_of_reach == ["backups/x.jsonl.gz: it cannot be read as a backup of ours; delete it yourself"]


def test_freed_pages_and_what_points_to_a_deleted_task_are_gone_from_the_database(tmp_path: Path) -> None:
    path = database(tmp_path)
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA secure_delete = OFF")
        file.execute("CREATE TABLE task (id INTEGER PRIMARY KEY, project_id INTEGER, data TEXT)")
        file.execute(
            "CREATE TABLE task_completion (id INTEGER PRIMARY KEY, task_id INTEGER REFERENCES task (id), result TEXT)"
        )
        file.execute("CREATE TABLE history (id INTEGER, of INTEGER REFERENCES task_completion (id), said TEXT)")
        file.executemany("INSERT INTO task VALUES (?, 1, ?)", [(1, "{}"), (2, json.dumps({"response": NEEDLE}))])
        file.executemany("INSERT INTO task_completion VALUES (?, ?, ?)", [(1, 1, "kept"), (2, 2, f"{NEEDLE} again")])
        file.executemany(
            "INSERT INTO history VALUES (?, ?, ?)", [(1, 1, "kept"), (2, 2, f"{NEEDLE} before"), (3, None, "")]
        )
        file.execute("DELETE FROM task WHERE id = 2")
    assert NEEDLE.encode() in path.read_bytes()
    remove_tasks(tmp_path, Removed(salt="00", ids=frozenset(["9f3c"])), lambda _: None)
    assert NEEDLE.encode() not in path.read_bytes()
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT result FROM task_completion").fetchall() == [("kept",)]
        assert [number for (number,) in file.execute("SELECT id FROM history ORDER BY id")] == [1, 3]
