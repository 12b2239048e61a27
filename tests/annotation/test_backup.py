"""A backup brings everything back into an empty server: projects, tasks, answers, authors and times."""

from pathlib import Path

import pytest

from annotation.backup import back_up, restore
from annotation.projects import find_projects
from annotation.pull import pull
from pipeline.annotations import annotation_files, read_annotations
from schemas import ServiceError, SnapshotError
from tests.annotation.conftest import LabelStudio
from tests.annotation.sums import accept, answer, sum_task
from tests.annotation.test_pull import tasks_of
from tests.annotation.test_push import send

pytestmark = pytest.mark.slow


def test_after_the_projects_are_deleted_a_backup_brings_back_every_answer_with_author_and_time(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection = label_studio.connection
    send(connection, recipe_name, [sum_task(number) for number in range(4)])
    first, second, *_ = tasks_of(connection, recipe_name)
    accept(connection, first)
    answer(connection, second, "edit", "twelve")
    pull(connection, tmp_path, recipe_name)
    before = read_annotations(annotation_files(tmp_path).values())
    held = back_up(connection, recipe_name, tmp_path / "backup.jsonl.gz")
    assert (held.projects, held.tasks, held.answers) == (1, 4, 2)
    (project,) = find_projects(connection, recipe_name).values()
    connection.send("DELETE", f"/api/projects/{project.id}/")

    back = restore(connection, tmp_path / "backup.jsonl.gz")
    assert back == held
    # A pull into the same store adds no answer and changes no date; into an empty one it brings all of them.
    pull(connection, tmp_path, recipe_name)
    fresh = tmp_path / "fresh"
    pull(connection, fresh, recipe_name)
    for root in (tmp_path, fresh):
        after = read_annotations(annotation_files(root).values())
        assert [_said(one) for one in after] == [_said(one) for one in before]
    # And a push sends none of its tasks again.
    assert sum(send(connection, recipe_name, [sum_task(number) for number in range(4)]).sent.values()) == 0


def _said(one: object) -> dict[str, object]:
    return one.model_dump(exclude={"task"})  # type: ignore[attr-defined, no-any-return]


def test_a_backup_goes_into_a_server_without_these_projects_only(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    send(label_studio.connection, recipe_name, [sum_task(1)])
    back_up(label_studio.connection, recipe_name, tmp_path / "backup.jsonl.gz")
    with pytest.raises(ServiceError, match="the server has 1 projects of recipe"):
        restore(label_studio.connection, tmp_path / "backup.jsonl.gz")


def test_half_a_backup_is_refused_before_anything_is_written(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    send(label_studio.connection, recipe_name, [sum_task(number) for number in range(50)])
    whole = tmp_path / "backup.jsonl.gz"
    back_up(label_studio.connection, recipe_name, whole)
    (project,) = find_projects(label_studio.connection, recipe_name).values()
    label_studio.connection.send("DELETE", f"/api/projects/{project.id}/")
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(SnapshotError, match="cannot be read"):
        restore(label_studio.connection, whole)
    assert not find_projects(label_studio.connection, recipe_name)


def test_only_its_owner_can_read_a_backup(label_studio: LabelStudio, recipe_name: str, tmp_path: Path) -> None:
    send(label_studio.connection, recipe_name, [sum_task(1)])
    back_up(label_studio.connection, recipe_name, tmp_path / "backup.jsonl.gz")
    assert (tmp_path / "backup.jsonl.gz").stat().st_mode & 0o077 == 0
