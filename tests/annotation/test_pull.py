"""Answers from a real server: everybody's every answer, edits and deletions included, each once."""

import json
from pathlib import Path

import pytest

from annotation.connection import Connection
from annotation.projects import find_projects
from annotation.pull import pull
from pipeline.annotations import annotation_files, read_annotations
from schemas import Annotation
from tests.annotation.conftest import LabelStudio
from tests.annotation.fault_proxy import FaultProxy
from tests.annotation.sums import accept, answer, sum_task
from tests.annotation.test_push import send

pytestmark = pytest.mark.slow


def there(root: Path) -> list[Annotation]:
    return read_annotations(annotation_files(root).values())


def tasks_of(connection: Connection, recipe: str) -> list[int]:
    return [
        task["id"]
        for project in find_projects(connection, recipe).values()
        for task in connection.tasks(project.id, [])
    ]


def test_an_answer_comes_with_who_when_and_what_was_seen(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(1, "3")])
    (task,) = tasks_of(connection, recipe_name)
    answer(connection, task, "edit", "2")
    done = pull(connection, tmp_path, recipe_name)
    assert (done.answers, done.new) == (1, 1)
    (found,) = there(tmp_path)
    assert (found.verdict, found.response, found.seen.response) == ("edit", "2", "3")
    assert (found.annotator, found.example, found.lead_time_seconds) == ("lead@localhost.example", f"{1:032x}", 2.5)
    assert (found.purpose, found.task, found.round) == ("main", task, "1")


def test_a_second_pull_adds_nothing(label_studio: LabelStudio, recipe_name: str, tmp_path: Path) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(1), sum_task(2)])
    for task in tasks_of(connection, recipe_name):
        accept(connection, task)
    assert pull(connection, tmp_path, recipe_name).new == 2
    assert pull(connection, tmp_path, recipe_name).new == 0
    assert len(annotation_files(tmp_path)) == 2  # the records and people.json


def test_an_edited_answer_is_a_later_record_of_the_same_answer(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(1)])
    (task,) = tasks_of(connection, recipe_name)
    number = accept(connection, task)
    pull(connection, tmp_path, recipe_name)
    rejected = [{"from_name": "verdict", "to_name": "messages", "type": "choices", "value": {"choices": ["reject"]}}]
    connection.send("PATCH", f"/api/annotations/{number}/", {"result": rejected})
    assert pull(connection, tmp_path, recipe_name).new == 1
    assert [found.verdict for found in there(tmp_path)] == ["reject"]
    records = [json.loads(line) for path in tmp_path.glob("annotations/*.jsonl") for line in path.open()]
    assert sorted(record["verdict"] for record in records) == ["accept", "reject"]


def test_a_deleted_answer_counts_no_more_and_is_kept(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(1), sum_task(2)])
    first, second = tasks_of(connection, recipe_name)
    number = accept(connection, first)
    accept(connection, second)
    pull(connection, tmp_path, recipe_name)
    connection.send("DELETE", f"/api/annotations/{number}/")
    assert pull(connection, tmp_path, recipe_name).withdrawn == 1
    assert [found.task for found in there(tmp_path)] == [second]
    assert pull(connection, tmp_path, recipe_name).withdrawn == 0
    assert sum(1 for path in tmp_path.glob("annotations/*.jsonl") for _ in path.open()) == 3


def test_a_deletion_is_seen_behind_another_address_too(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(1), sum_task(2)])
    first, second = tasks_of(connection, recipe_name)
    number = accept(connection, first)
    accept(connection, second)
    pull(connection, tmp_path, recipe_name)
    connection.send("DELETE", f"/api/annotations/{number}/")
    moved = Connection(connection.url.replace("127.0.0.1", "localhost"), label_studio.running.token)
    assert pull(moved, tmp_path, recipe_name).withdrawn == 1
    assert [found.task for found in there(tmp_path)] == [second]


def test_an_answer_that_became_a_press_of_skip_counts_no_more_until_it_is_given_again(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(1)])
    (task,) = tasks_of(connection, recipe_name)
    number = accept(connection, task)
    pull(connection, tmp_path, recipe_name)
    connection.send("PATCH", f"/api/annotations/{number}/", {"was_cancelled": True})
    done = pull(connection, tmp_path, recipe_name)
    assert (done.withdrawn, done.skipped, there(tmp_path)) == (1, 1, [])
    connection.send("PATCH", f"/api/annotations/{number}/", {"was_cancelled": False})
    pull(connection, tmp_path, recipe_name)
    assert [found.task for found in there(tmp_path)] == [task]


def test_a_task_whose_answer_was_deleted_stays_until_a_pull_has_seen_that(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(1), sum_task(2)])
    first, second = tasks_of(connection, recipe_name)
    number = accept(connection, first)
    pull(connection, tmp_path, recipe_name)
    connection.send("DELETE", f"/api/annotations/{number}/")
    answered = {one.task for one in there(tmp_path) if one.task is not None}
    assert send(connection, recipe_name, [sum_task(2)], answered=answered).withdrawn == 0
    assert pull(connection, tmp_path, recipe_name).withdrawn == 1
    assert there(tmp_path) == []
    assert send(connection, recipe_name, [sum_task(2)]).withdrawn == 1
    assert tasks_of(connection, recipe_name) == [second]


def test_a_deleted_task_or_project_takes_no_answer_with_it(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(1), sum_task(2)])
    first, second = tasks_of(connection, recipe_name)
    accept(connection, first)
    accept(connection, second)
    pull(connection, tmp_path, recipe_name)
    connection.send("DELETE", f"/api/tasks/{first}/")
    pull(connection, tmp_path, recipe_name)
    (project,) = find_projects(connection, recipe_name).values()
    connection.send("DELETE", f"/api/projects/{project.id}/")
    pull(connection, tmp_path, recipe_name)
    assert len(there(tmp_path)) == 2


def test_what_the_lead_says_of_a_dispute_settles_it(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(1, purpose="lead")])
    (task,) = tasks_of(connection, recipe_name)
    accept(connection, task)
    pull(connection, tmp_path, recipe_name)
    assert [found.adjudicated for found in there(tmp_path)] == [True]


def test_the_list_of_projects_says_how_far_they_are(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(number) for number in range(3)])
    accept(connection, tasks_of(connection, recipe_name)[0])
    pull(connection, tmp_path, recipe_name)
    told = json.loads((tmp_path / "label-studio" / "projects.json").read_text())
    (project,) = told["projects"]
    assert (told["url"], project["purpose"]) == (connection.url, "main")
    assert (project["tasks"], project["answered"], project["left"]) == (3, 1, 2)


@pytest.mark.parametrize("fault", ["reset_before", "reset_after", "truncate", "429", "500", "401", "slow"])
def test_a_spoiled_pull_loses_nothing(label_studio: LabelStudio, recipe_name: str, tmp_path: Path, fault: str) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(number) for number in range(3)])
    for task in tasks_of(connection, recipe_name):
        accept(connection, task)
    with FaultProxy(label_studio.running.url, [fault], lambda line: "GET /api/tasks/" in line) as proxy:
        done = pull(Connection(proxy.url, label_studio.running.token), tmp_path, recipe_name)
    assert (proxy.hits[fault], done.new, len(there(tmp_path))) == (1, 3, 3)


def test_who_skipped_what_is_known_until_they_answer(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(1), sum_task(2)])
    first, second = tasks_of(connection, recipe_name)
    accept(connection, second)
    pull(connection, tmp_path, recipe_name)
    connection.send("POST", f"/api/tasks/{first}/annotations/", {"result": [], "was_cancelled": True})
    assert pull(connection, tmp_path, recipe_name).skipped == 1
    told = json.loads((tmp_path / "label-studio" / "projects.json").read_text())
    assert told["projects"][0]["skipped_by"] == {"lead@localhost.example": 1}


def test_in_a_project_for_the_lead_only_a_lead_settles(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(1, purpose="lead")])
    (task,) = tasks_of(connection, recipe_name)
    number = accept(connection, task)
    connection.send("POST", "/api/users/", {"username": "eve", "email": "eve@example.org", "password": "x" * 12})
    eve = next(one["id"] for one in connection.get("/api/users/") if one["email"] == "eve@example.org")
    connection.send("PATCH", f"/api/annotations/{number}/", {"completed_by": eve})
    done = pull(connection, tmp_path, recipe_name)
    assert (done.not_by_lead, [found.adjudicated for found in there(tmp_path)]) == (1, [False])


def test_a_deleted_answer_is_noticed_even_after_the_mark_is_lost(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(1)])
    number = accept(connection, tasks_of(connection, recipe_name)[0])
    pull(connection, tmp_path, recipe_name)
    (tmp_path / "label-studio" / "pulled.json").unlink()
    connection.send("DELETE", f"/api/annotations/{number}/")
    assert pull(connection, tmp_path, recipe_name).withdrawn == 1


def test_an_answer_that_cannot_be_used_is_told_of_at_every_pull_until_it_is_mended(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(1), sum_task(2)])
    first, second = tasks_of(connection, recipe_name)
    number = answer(connection, first, "perhaps")
    accept(connection, second)
    for _ in range(2):
        done = pull(connection, tmp_path, recipe_name)
        assert [one.reason for one in done.unreadable] == ["unknown verdict"]
    assert [found.task for found in there(tmp_path)] == [second]
    mended = [{"from_name": "verdict", "to_name": "messages", "type": "choices", "value": {"choices": ["reject"]}}]
    connection.send("PATCH", f"/api/annotations/{number}/", {"result": mended})
    done = pull(connection, tmp_path, recipe_name)
    assert (done.unreadable, done.new) == ([], 1)
