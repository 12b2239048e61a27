"""What people change by hand in Label Studio is told of and loses nothing; and two who answer at once are two."""

from collections.abc import Callable
from pathlib import Path

import pytest

from annotation.connection import TOKEN, URL
from annotation.people import add_person
from annotation.projects import find_projects
from annotation.pull import pull
from annotation.push import Wanted
from annotation.task import guideline_digest
from pipeline.annotations import annotation_files, read_annotations
from pipeline.cli import run
from pipeline.reopening import guidelines
from schemas import Annotation
from tests.annotation.conftest import LabelStudio
from tests.annotation.sums import REVIEW, accept, answer, sum_task
from tests.annotation.test_people import sign_up
from tests.annotation.test_pull import tasks_of
from tests.annotation.test_push import send
from tests.conftest import RECIPE, Project

pytestmark = pytest.mark.slow


def there(root: Path) -> list[Annotation]:
    return read_annotations(annotation_files(root).values())


def with_label_renamed(server: LabelStudio, project: int) -> None:
    """Call the verdict accept by another name, as in the project's settings."""
    config = server.call("GET", f"projects/{project}/")["label_config"]
    assert config.count('value="accept"') == 1
    server.call(
        "PATCH", f"projects/{project}/", {"label_config": config.replace('value="accept"', 'value="fine by me"')}
    )


def test_a_renamed_label_is_told_by_push_and_pull_and_its_answers_stay_in_label_studio(
    label_studio: LabelStudio,
    recipe_name: str,
    make_project: Callable[..., Project],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(URL, label_studio.url)
    monkeypatch.setenv(TOKEN, label_studio.running.token)
    folder = make_project(RECIPE.replace('name = "tiny"', f'name = "{recipe_name}"') + "[review]\noverlap = 0.0\n")
    folder.run()
    monkeypatch.chdir(folder.root)
    connection, options = label_studio.connection, ["--recipe", "recipe.toml"]
    assert run(["annotate", "push", *options]) == 0
    (project,) = find_projects(connection, recipe_name).values()
    first, second, *_ = tasks_of(connection, recipe_name)
    answer(connection, first, "reject")
    with_label_renamed(label_studio, project.id)
    number = answer(connection, second, "fine by me")
    capsys.readouterr()

    assert run(["annotate", "push", *options]) == 0
    assert f"the screen of {project.title!r} was changed by hand" in capsys.readouterr().err
    assert len(tasks_of(connection, recipe_name)) == project.n_tasks
    for _ in range(2):
        assert run(["annotate", "pull", *options]) == 0
        told = capsys.readouterr().err
        assert "not usable, unknown verdict: 1" in told
        assert "fine by me" in told
    assert [one.verdict for one in there(folder.data)] == ["reject"]
    kept = label_studio.call("GET", f"annotations/{number}/")
    assert kept["result"][0]["value"]["choices"] == ["fine by me"]
    # What is told by the recipe's list of projects is the same as before.
    (again,) = find_projects(connection, recipe_name).values()
    assert (again.id, again.is_changed) == (project.id, True)


def test_a_renamed_label_that_nobody_has_used_gets_its_name_back_with_the_next_task(
    label_studio: LabelStudio, recipe_name: str
) -> None:
    connection = label_studio.connection
    (project,) = send(connection, recipe_name, [sum_task(1)]).projects.values()
    with_label_renamed(label_studio, project.id)
    done = send(connection, recipe_name, [sum_task(1), sum_task(2)])
    assert done.changed_by_hand == []
    (again,) = find_projects(connection, recipe_name).values()
    assert (again.id, again.is_changed) == (project.id, False)


def test_an_unanswered_task_that_was_deleted_comes_back_and_an_answered_one_keeps_its_answer(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection, wanted = label_studio.connection, [sum_task(1), sum_task(2), sum_task(3)]
    send(connection, recipe_name, wanted)
    first, second, _ = tasks_of(connection, recipe_name)
    accept(connection, first)
    pull(connection, tmp_path, recipe_name)
    before = there(tmp_path)
    for task in (first, second):
        connection.send("DELETE", f"/api/tasks/{task}/")
    done = pull(connection, tmp_path, recipe_name)
    assert (done.withdrawn, there(tmp_path)) == (0, before)
    again = send(connection, recipe_name, wanted)
    assert (sum(again.sent.values()), again.there) == (2, 1)


def test_a_task_that_was_added_by_hand_is_answered_like_any_other(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    (project,) = send(connection, recipe_name, [sum_task(1)]).projects.values()
    by_hand = {"data": {key: value for key, value in sum_task(5).data.items() if key != "task_key"}}
    connection.send("POST", f"/api/projects/{project.id}/import", [by_hand])
    own, added = tasks_of(connection, recipe_name)
    accept(connection, own)
    accept(connection, added)
    done = pull(connection, tmp_path, recipe_name)
    assert (done.new, done.unreadable) == (2, [])
    assert [one.example for one in there(tmp_path)] == [f"{1:032x}", f"{5:032x}"]


def test_two_people_who_answer_one_task_at_once_are_two_answers_each_with_its_author(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection, root = label_studio.connection, label_studio.data_root
    send(connection, recipe_name, [sum_task(1, "3", purpose="overlap")])
    (task,) = tasks_of(connection, recipe_name)
    names = [f"{name}-{recipe_name}@example.org" for name in ("ann", "ben")]
    sessions = {name: sign_up(add_person(connection, root, name, ["en"]), name) for name in names}
    address = f"{label_studio.url}/api/tasks/{task}"

    def result(verdict: str, text: str) -> list[dict[str, object]]:
        return [
            {"from_name": "verdict", "to_name": "messages", "type": "choices", "value": {"choices": [verdict]}},
            {"from_name": "response", "to_name": "messages", "type": "textarea", "value": {"text": [text]}},
        ]

    # Both begin before either has sent: two drafts lie there, and neither is an answer.
    for name, session in sessions.items():
        body = {"result": result("edit", f"half of {name}"), "lead_time": 1}
        assert session.post(f"{address}/drafts", json=body, timeout=60).ok
    assert pull(connection, tmp_path, recipe_name).new == 0
    for name, text in zip(names, ("2", "two"), strict=True):
        body = {"result": result("edit", text), "lead_time": 3}
        assert sessions[name].post(f"{address}/annotations/", json=body, timeout=60).ok
    pull(connection, tmp_path, recipe_name)
    assert [(one.annotator, one.response) for one in there(tmp_path)] == [(names[0], "2"), (names[1], "two")]


def test_two_who_edit_the_same_answer_leave_the_later_word_and_both_records(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(1, "3")])
    (task,) = tasks_of(connection, recipe_name)
    number = answer(connection, task, "edit", "2")
    for verdict in ("reject", "unsure"):
        pull(connection, tmp_path, recipe_name)
        result = [{"from_name": "verdict", "to_name": "messages", "type": "choices", "value": {"choices": [verdict]}}]
        connection.send("PATCH", f"/api/annotations/{number}/", {"result": result})
    pull(connection, tmp_path, recipe_name)
    assert [one.verdict for one in there(tmp_path)] == ["unsure"]
    records = [line for path in sorted(tmp_path.glob("annotations/*.jsonl")) for line in path.open()]
    assert [Annotation.model_validate_json(line).verdict for line in records] == ["edit", "reject", "unsure"]


def test_an_answer_under_an_older_guideline_is_kept_and_counted_under_it(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    later = REVIEW.model_copy(update={"guideline": "Add again, twice."})
    old, new = guideline_digest(REVIEW), guideline_digest(later)

    def under_new(number: int) -> Wanted:
        task = sum_task(number)
        return task._replace(data={**task.data, "guideline": new, "guideline_text": later.guideline})

    send(connection, recipe_name, [sum_task(1), sum_task(2)])
    for task in tasks_of(connection, recipe_name):
        accept(connection, task)
    send(connection, recipe_name, [under_new(1), under_new(2), under_new(3)])
    *_, third = tasks_of(connection, recipe_name)
    accept(connection, third)
    pull(connection, tmp_path, recipe_name)
    assert guidelines(there(tmp_path)) == {old: 2, new: 1}
