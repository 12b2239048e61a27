"""What `annotate doctor` finds: nothing on a good server, and each fault with its cure."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from annotation.backup import back_up
from annotation.connection import TOKEN, URL
from annotation.projects import Project, find_projects
from annotation.server_check import findings
from pipeline.cli import run
from pipeline.finding import Finding
from tests.annotation.answering_server import AnsweringServer
from tests.annotation.conftest import LabelStudio
from tests.annotation.sums import sum_task
from tests.annotation.test_push import send
from tests.conftest import Project as Folder

DAY = 86_400
VERSION = {"release": "1.23.2", "label-studio-os-package": {"version": "1.23.2"}}
GOOD = {
    "/api/version": (200, VERSION),
    "/api/current-user/whoami": (200, {"email": "lead@example.org"}),
    "/api/organizations/": (200, [{"id": 1}]),
    "/api/projects/": (200, {"results": [], "next": None}),
    "/health": (200, {"status": "UP"}),
}


@pytest.fixture
def real(label_studio: LabelStudio, recipe_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Name the real server in the environment, back up one project of it, and return that."""
    monkeypatch.setenv(URL, label_studio.url)
    monkeypatch.setenv(TOKEN, label_studio.running.token)
    send(label_studio.connection, recipe_name, [sum_task(1)])
    back_up(label_studio.connection, recipe_name, tmp_path / "backups" / "monday.jsonl.gz")
    (project,) = find_projects(label_studio.connection, recipe_name).values()
    return project


def faults_of(root: Path, recipe: str) -> list[Finding]:
    return [one for one in findings(root, recipe) if not one.ok]


def with_backup(root: Path) -> Path:
    (root / "backups").mkdir()
    (root / "backups" / "monday.jsonl.gz").touch()
    return root


@pytest.mark.slow
def test_a_good_server_has_no_fault(real: Project, recipe_name: str, tmp_path: Path, label_studio: LabelStudio) -> None:
    found = findings(tmp_path, recipe_name)
    assert [one for one in found if not one.ok or one.fix] == []
    told = [one.what for one in found]
    assert f"{label_studio.url} answers, Label Studio 1.23.2" in told
    assert "legacy token of lead@localhost.example" in told
    assert f"1 projects of recipe {recipe_name!r}" in told
    assert label_studio.running.token not in str(told)
    assert any("this machine's own" in one.what for one in findings(label_studio.data_root, recipe_name))


@pytest.mark.slow
def test_a_missing_and_an_old_backup_are_told_with_the_command(real: Project, recipe_name: str, tmp_path: Path) -> None:
    backup = tmp_path / "backups" / "monday.jsonl.gz"
    then = time.time() - 12 * DAY - 60
    os.utime(backup, (then, then))
    told = Finding(False, "the last backup is 12 days old: monday.jsonl.gz", "tuneloop annotate backup")
    assert faults_of(tmp_path, recipe_name) == [told]
    backup.unlink()
    told = Finding(False, f"there is no backup in {backup.parent}", "tuneloop annotate backup")
    assert faults_of(tmp_path, recipe_name) == [told]


@pytest.mark.slow
def test_a_screen_changed_by_hand_is_told(
    real: Project, recipe_name: str, tmp_path: Path, label_studio: LabelStudio
) -> None:
    config = label_studio.call("GET", f"projects/{real.id}/")["label_config"]
    label_studio.call("PATCH", f"projects/{real.id}/", {"label_config": config.replace("<View", "<View hint='x'", 1)})
    (fault,) = faults_of(tmp_path, recipe_name)
    assert fault.what == f"the screen of {real.title!r} was changed by hand"
    assert "names of controls and stored values must stay" in fault.fix


@pytest.mark.slow
def test_a_project_that_serves_in_another_order_is_told(
    real: Project, recipe_name: str, tmp_path: Path, label_studio: LabelStudio
) -> None:
    label_studio.call("PATCH", f"projects/{real.id}/", {"model_version": ""})
    (fault,) = faults_of(tmp_path, recipe_name)
    assert fault.what == f"{real.title!r} serves tasks in another order: model version ''"
    assert "choose the prediction version 'queue'" in fault.fix


def test_another_version_is_told_with_the_one_that_is_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = {"release": "1.11.0", "label-studio-os-package": {"version": "1.11.0"}}
    with AnsweringServer({**GOOD, "/api/version": (200, old)}) as server:
        monkeypatch.setenv(URL, server.url)
        monkeypatch.setenv(TOKEN, "t")
        (fault,) = faults_of(with_backup(tmp_path), "tiny")
    assert fault.what == f"{server.url} answers, Label Studio 1.11.0"
    assert fault.fix.startswith("tuneloop is tested with 1.23.2")


@pytest.mark.parametrize(("seconds", "n_faults"), [(-600, 1), (600, 1), (30, 0)])
def test_a_clock_that_is_off_by_more_than_two_minutes_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, n_faults: int
) -> None:
    with AnsweringServer(GOOD, seconds_ahead=seconds) as server:
        monkeypatch.setenv(URL, server.url)
        monkeypatch.setenv(TOKEN, "t")
        faults = faults_of(with_backup(tmp_path), "tiny")
    assert len(faults) == n_faults
    for fault in faults:
        assert "its clock and ours are" in fault.what
        assert "ntp" in fault.fix


def test_a_token_that_sees_no_organization_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with AnsweringServer({**GOOD, "/api/organizations/": (200, [])}) as server:
        monkeypatch.setenv(URL, server.url)
        monkeypatch.setenv(TOKEN, "t")
        (fault,) = faults_of(with_backup(tmp_path), "tiny")
    assert fault.what == "it sees no organization"
    assert fault.fix == f"set {TOKEN} to a token of somebody in the organization"


def test_without_a_way_in_that_is_the_one_finding_and_the_command_ends_with_5(
    make_project: Callable[..., Folder], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(make_project().root)
    monkeypatch.setenv(URL, "http://127.0.0.1:1")
    monkeypatch.delenv(TOKEN, raising=False)
    assert run(["annotate", "doctor", "--recipe", "recipe.toml"]) == 5
    told = capsys.readouterr()
    assert told.out == (f"FAULT {TOKEN} is not set (environment)\n      fix: set both {URL} and {TOKEN}, or neither\n")
    assert "1 of 1 checks failed" in told.err
