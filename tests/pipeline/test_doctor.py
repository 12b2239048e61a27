import os
import socket
import time
from collections.abc import Iterator

import pytest

from pipeline import installation
from pipeline.doctor import findings
from pipeline.finding import Finding
from schemas import DataError


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch):
    monkeypatch.delenv("LABEL_STUDIO_URL", raising=False)
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)


def about(word: str, found: Iterator[Finding] | list[Finding]) -> Finding:
    (one,) = [finding for finding in found if word in finding.what]
    return one


def test_a_finding_is_well_or_to_be_thought_of_or_bad():
    assert [Finding(True, "a").mark, Finding(True, "a", "b").mark, Finding(False, "a", "b").mark] == [
        "ok ",
        "see",
        "BAD",
    ]


def test_python_torch_git_and_telemetry_are_told(tmp_path, monkeypatch):
    for name in installation.TELEMETRY_OFF:
        monkeypatch.setenv(name, "1")
    found = findings(tmp_path)
    assert about("Python 3.", found).ok
    assert "for training" in about("torch ", found).what or "only training needs it" in about("torch ", found).what
    assert about("git c", found).ok
    assert about("call home", found).mark == "ok "
    monkeypatch.delenv("DO_NOT_TRACK")
    assert about("call home", findings(tmp_path)).what == "libraries may call home: DO_NOT_TRACK not 1"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_not_ours_to_write_is_bad(tmp_path):
    (tmp_path / "data").mkdir(mode=0o555)
    assert not about("cannot be written", findings(tmp_path / "data")).ok


def test_answers_newer_than_the_last_backup_are_something_to_think_of(tmp_path):
    for name in ("annotations/000001-a.jsonl", "backups/monday.jsonl.gz"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert "no backup" not in about("people's answers", findings(tmp_path)).what
    later = time.time() + 60
    os.utime(tmp_path / "annotations/000001-a.jsonl", (later, later))
    one = about("the last backup is older", findings(tmp_path))
    assert (one.mark, one.fix) == ("see", "`tuneloop annotate backup`, and copy the folder to another disk")
    (tmp_path / "backups/monday.jsonl.gz").unlink()
    assert about("there is no backup", findings(tmp_path)).mark == "see"


def test_a_recipe_is_checked_with_its_templates_and_sources(project, monkeypatch):
    monkeypatch.chdir(project.root)
    recipe = project.root / "recipe.toml"
    assert about("recipe.toml", findings(project.data, recipe)).what.endswith("in order; 5 of 5 stages would run")
    assert not project.data.exists()
    project.replace("recipe.toml", "notes.csv", "nodes.csv")
    bad = about("nodes.csv", findings(project.data, recipe))
    assert (bad.ok, bad.fix) == (False, "mend `path`: did you mean 'notes.csv'?")


def test_all_that_is_wrong_with_a_recipe_is_told(project):
    project.replace("recipe.toml", "[format]", "[format]\ntokeniser = 3\nmax_token = 4")
    bad = [one for one in findings(project.data, project.root / "recipe.toml") if not one.ok]
    assert len(bad) == 2
    with pytest.raises(DataError, match="unknown key"):
        _ = project.recipe


def test_a_team_server_that_does_not_answer_is_bad(tmp_path, monkeypatch):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        monkeypatch.setenv("LABEL_STUDIO_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        assert not about("LABEL_STUDIO_URL is set alone", findings(tmp_path)).ok
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", "a secret")
        assert not about("nobody answers at 127.0.0.1", findings(tmp_path)).ok
        server.listen()
        found = findings(tmp_path)
        assert about("LABEL_STUDIO_URL answers", found).ok
        assert not any("secret" in one.what + one.fix for one in found)
