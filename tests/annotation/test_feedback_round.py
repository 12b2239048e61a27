"""A feedback round on a real server: it arrives once, is answered, comes back and is told of."""

from pathlib import Path

import pytest

from annotation.connection import Connection
from annotation.feedback_cli import feedback
from annotation.feedback_record import read_sent
from annotation.feedback_status_cli import feedback_rounds, feedback_status
from annotation.projects import Project as LabelStudioProject
from annotation.projects import find_projects
from annotation.sync_cli import pull_answers, push_tasks
from schemas import ConfigError, ServiceError
from tests.annotation.conftest import LabelStudio
from tests.annotation.finished_run import answered, finish, report
from tests.annotation.sums import answer
from tests.annotation.test_feedback import Row, score
from tests.conftest import Project

ONE, TWO = "1111111100000000", "2222222200000000"


def trained(project: Project, key: str, started_at: str = "2026-11-27T08:00:00") -> list[Row]:
    """Write a run over the newest split: it answered no validation or test row as the data do."""
    rows = project.rows("split")
    lines = [
        line
        for n, one in enumerate(rows)
        for line in (
            score(one, float(n)) if one["split"] == "train" else answered(one, 0, 0.25, f"the model on {one['id']}")
        )
    ]
    version = project.outcomes["split"].record.version
    finish(project.data, lines, report({}, key, recipe="tiny"), version, started_at)
    return rows


@pytest.fixture
def ready(
    project: Project, label_studio: LabelStudio, recipe_name: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[Project, Connection, str]:
    """The tiny project with a run, and a Label Studio that is connected."""
    project.replace("recipe.toml", 'name = "tiny"', f'name = "{recipe_name}"')
    monkeypatch.setenv("LABEL_STUDIO_URL", label_studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.running.token)
    monkeypatch.chdir(project.root)
    project.run()
    trained(project, ONE)
    named(project, recipe_name)
    return project, label_studio.connection, recipe_name


def named(project: Project, recipe: str) -> None:
    """Make the newest run one of this recipe: `finish` writes it for "tiny"."""
    newest = project.data / "runs" / "latest-tiny"
    manifest = newest / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"recipe": "tiny"', f'"recipe": "{recipe}"'))
    link = project.data / "runs" / f"latest-{recipe}"
    link.unlink(missing_ok=True)
    link.symlink_to(newest.resolve().name)


def call(**more: object) -> None:
    feedback(**{"recipe": Path("recipe.toml"), "limit": 6, "random_share": 0.2, "validation": 1, **more})


def rounds(connection: Connection, recipe: str) -> dict[str, list[LabelStudioProject]]:
    found: dict[str, list[LabelStudioProject]] = {}
    for slot, project in find_projects(connection, recipe).items():
        if slot.purpose == "feedback":
            found.setdefault(slot.round, []).append(project)
    return found


def tasks(connection: Connection, recipe: str, round_: str) -> list[Row]:
    return [
        task
        for project in rounds(connection, recipe).get(round_, [])
        for task in connection.tasks(project.id, ["data", "total_annotations"])
    ]


@pytest.mark.slow
def test_what_a_run_found_arrives_once_comes_back_and_is_told_of(
    ready: tuple[Project, Connection, str], capsys: pytest.CaptureFixture[str]
) -> None:
    project, connection, recipe = ready
    call()  # nothing says where to: a Label Studio is connected
    assert capsys.readouterr().out == f"{connection.url}\n"
    there = tasks(connection, recipe, ONE[:8])
    on_test = {row["id"] for row in project.rows("split") if row["split"] == "test"}
    assert on_test
    assert not on_test & {task["data"]["example_id"] for task in there}
    queues = sorted(task["data"]["queue"] for task in there)
    assert queues == ["random", *["ranked"] * (len(there) - 2), "validation"]
    (asked,) = [task["data"] for task in there if task["data"]["queue"] == "validation"]
    # Read-only and beside it; the box starts from the data's response.
    assert asked["model_answer"] == f"the model on {asked['example_id']}"
    assert asked["response"] != asked["model_answer"]
    assert "The trained model answers this otherwise" in asked["why"]

    ranked = next(task for task in there if task["data"]["queue"] == "ranked")
    chance = next(task for task in there if task["data"]["queue"] == "random")
    answer(connection, ranked["id"], "edit", "a better text")
    answer(connection, chance["id"], "accept")
    pull_answers(recipe=Path("recipe.toml"))
    capsys.readouterr()
    # Before and after the data know of the answers, nothing is sent twice and nothing answered is sent again.
    for remake in (False, True):
        if remake:
            project.run()
        call()
        assert "0 tasks sent" in capsys.readouterr().err
        now = tasks(connection, recipe, ONE[:8])
        assert sorted(task["data"]["example_id"] for task in now) == sorted(
            task["data"]["example_id"] for task in there
        )
        assert sum(task["total_annotations"] for task in now) == 2
        push_tasks(recipe=Path("recipe.toml"))
        assert len(tasks(connection, recipe, ONE[:8])) == len(there)
        capsys.readouterr()
    status = {row["id"]: row["status"] for row in project.rows("annotate")}
    assert status[ranked["data"]["example_id"]] == "edited"
    assert status[chance["data"]["example_id"]] == "accepted"

    feedback_status(recipe=Path("recipe.toml"))
    said = capsys.readouterr().out
    assert f"after run {ONE}: {len(there)} sent, 2 answered" in said
    (found,) = feedback_rounds(project.data, Path("recipe.toml"))
    assert (found.by_queue["ranked"].edited, found.by_queue["random"].accepted) == (1, 1)
    with pytest.raises(ConfigError, match="nothing was sent after a run '99'"):
        feedback_status(run="99", recipe=Path("recipe.toml"))


@pytest.mark.slow
def test_a_newer_run_takes_back_what_nobody_answered_and_no_more(
    ready: tuple[Project, Connection, str], capsys: pytest.CaptureFixture[str]
) -> None:
    project, connection, recipe = ready
    call()
    before = tasks(connection, recipe, ONE[:8])
    answer(connection, before[0]["id"], "reject")
    trained(project, TWO, "2026-11-28T08:00:00")
    named(project, recipe)
    pull_answers(recipe=Path("recipe.toml"))
    call()
    assert f"{len(before) - 1} that wait no more" in capsys.readouterr().err
    assert [task["id"] for task in tasks(connection, recipe, ONE[:8])] == [before[0]["id"]]
    after = {task["data"]["example_id"] for task in tasks(connection, recipe, TWO[:8])}
    assert after
    assert before[0]["data"]["example_id"] not in after
    # Whoever was sent something is remembered under both runs.
    assert {key: len(some) for key, some in read_sent(project.data, recipe).items()} == {
        ONE: len(before), TWO: len(after),
    }  # fmt: skip


def test_without_a_label_studio_the_tasks_go_to_a_file(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    project.run()
    trained(project, ONE)
    call()
    assert Path("queue.json").is_file()
    assert len(read_sent(project.data, "tiny")[ONE]) >= 2
    # Where one is meant, a file is no substitute.
    Path("queue.json").unlink()
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:9")
    with pytest.raises(ServiceError, match="LABEL_STUDIO_API_KEY is not set"):
        call()
    assert not Path("queue.json").exists()
