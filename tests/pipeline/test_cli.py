import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import run
from pipeline.recipe import Recipe
from pipeline.reference import recipe_reference

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tuneloop(project, monkeypatch, capsys):
    """Run commands in the tiny project; return exit code, stdout and stderr."""
    monkeypatch.chdir(project.root)

    def command(*words: str) -> tuple[int, str, str]:
        code = run(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_data_prints_the_path_on_stdout_and_the_funnel_on_stderr(tuneloop):
    code, out, err = tuneloop("data", "--recipe", "recipe.toml")
    assert (code, out) == (0, "data/split/latest-tiny\n")
    assert "ingest           13 in        12 kept        1 dropped   empty_prompt 1" in err
    assert "waits for people: 9 unreviewed, 2 conflict" in err
    assert "ready for datasets.load_dataset" in err
    assert "no licence is stated for questions, notes: write `license` under each before you publish" in err


def test_data_up_to_a_stage_prints_that_version(tuneloop, project):
    code, out, _ = tuneloop("data", "--recipe", "recipe.toml", "--to", "dedupe")
    assert code == 0
    assert out.startswith("data/dedupe/")
    assert not (project.data / "format").exists()


def test_a_wrong_option_is_usage(tuneloop):
    assert tuneloop("data", "--recpe", "x")[0] == 2


def test_a_wrong_recipe_exits_with_2_and_names_the_key(tuneloop, project):
    project.replace("recipe.toml", "[format]", "[formt]")
    code, out, err = tuneloop("data", "--recipe", "recipe.toml")
    assert (code, out) == (2, "")
    assert err == "unknown key 'formt'\n  where: recipe.toml, formt\n  fix:   did you mean 'format'?\n"


@pytest.mark.parametrize("near", ["true", '"0.9"'])
def test_a_setting_of_another_type_is_refused(tuneloop, project, near):
    project.replace("recipe.toml", "[format]", f"[dedupe]\nnear = {near}\n[format]")
    code, _, err = tuneloop("data", "--recipe", "recipe.toml")
    assert code == 2
    assert "recipe.toml, dedupe.near" in err


def test_an_index_that_is_built_anew_is_said(tuneloop, project):
    tuneloop("data", "--recipe", "recipe.toml")
    for head in (project.data / "dedupe" / "index" / "segments").glob("*.head"):
        head.write_text("{")
    project.replace("recipe.toml", "[format]", "[dedupe]\nnear = 0.8\n[format]")
    assert "          index: 2 of its files built anew: " in (said := tuneloop("data", "--recipe", "recipe.toml")[2]), (
        said
    )


def test_a_store_that_cannot_be_written_exits_with_6(tuneloop, project):
    (project.root / "notes.txt").write_text("")
    code, _, err = tuneloop("data", "--recipe", "recipe.toml", "--data-root", "notes.txt")
    assert (code, err.splitlines()[-3]) == (6, "the store cannot make a folder here: File exists")
    assert tuneloop("gc", "--keep", "0")[0] == 2


def test_a_source_of_bad_rows_exits_with_3(tuneloop, project):
    (project.root / "questions.jsonl").write_text('{"q": "", "a": ""}\n' * 3)
    code, _, err = tuneloop("data", "--recipe", "recipe.toml")
    assert code == 3
    assert "3 of 3 rows are bad" in err


def test_check_writes_nothing_and_says_why(tuneloop, project):
    code, out, _ = tuneloop("check", "--recipe", "recipe.toml")
    assert code == 0
    assert "ingest    would run: never run for this recipe" in out
    assert not project.data.exists()


def test_frozen_fails_when_a_version_differs_from_the_lock_file(tuneloop, project):
    code, _, err = tuneloop("data", "--recipe", "recipe.toml", "--frozen")
    assert code == 4
    assert "tuneloop data --lock" in err
    tuneloop("data", "--recipe", "recipe.toml", "--lock")
    assert set(json.loads((project.root / "tuneloop.lock").read_text())["tiny"]) >= {"ingest", "split"}
    assert tuneloop("data", "--recipe", "recipe.toml", "--frozen")[0] == 0
    project.replace("questions.jsonl", "the Nile", "the river Nile")
    code, _, err = tuneloop("data", "--recipe", "recipe.toml", "--frozen")
    assert code == 4
    assert "tuneloop.lock says" in err
    assert "tuneloop diff" in err


def test_log_is_for_people_and_as_json_for_programs(tuneloop):
    tuneloop("data", "--recipe", "recipe.toml")
    _, out, _ = tuneloop("log", "dedupe", "--recipe", "tiny")
    assert out.count("\n") == 1
    assert "dedupe           12 in        11 kept        1 dropped" in out
    _, out, _ = tuneloop("log", "dedupe", "--recipe", "tiny", "--json")
    assert json.loads(out)["rows_kept"] == 11


def test_show_prints_rows_with_a_reason(tuneloop):
    tuneloop("data", "--recipe", "recipe.toml")
    _, out, _ = tuneloop("show", "ingest", "--recipe", "tiny", "--reason", "empty_prompt", "--json")
    (row,) = map(json.loads, out.splitlines())
    assert row["origin"] == "questions.jsonl:8"
    code, _, err = tuneloop("show", "ingest", "--recipe", "tiny", "--reason", "empty_promt")
    assert code == 2
    assert "did you mean 'empty_prompt'?" in err


def test_a_stage_that_never_ran_is_answered_with_what_to_do(tuneloop):
    code, _, err = tuneloop("show", "split", "--recipe", "tiny")
    assert code == 2
    assert "split has never run for recipe tiny" in err
    assert "tuneloop data" in err


def test_diff_names_what_changed_since_the_version_before(tuneloop, project):
    tuneloop("data", "--recipe", "recipe.toml")
    assert "one version only" in tuneloop("diff", "split", "--recipe", "tiny")[2]
    project.replace("notes.csv", "Good cherries near Toft.", "Good cherries near Toft this year.")
    tuneloop("data", "--recipe", "recipe.toml")
    out = tuneloop("diff", "format", "--recipe", "tiny")[1]
    assert "10 rows are the same" in out
    assert "1 changed" in out
    assert "1 differ in completion" in out


def test_fsck_exits_with_6_on_damage_and_repair_sets_it_aside(tuneloop, project):
    tuneloop("data", "--recipe", "recipe.toml")
    assert tuneloop("fsck")[0] == 0
    next((project.data / "format").glob("*/part-00000.parquet")).unlink()
    code, out, err = tuneloop("fsck")
    assert code == 6
    assert "part-00000.parquet is missing" in out
    assert "fsck --repair" in err
    assert tuneloop("fsck", "--repair")[0] == 0
    assert tuneloop("data", "--recipe", "recipe.toml")[0] == 0
    assert tuneloop("fsck")[0] == 0


def test_doctor_finds_nothing_wrong_here(tuneloop):
    code, out, _ = tuneloop("doctor")
    assert code == 0, out
    assert "ok  package schemas comes from this checkout" in out


def test_doctor_names_a_foreign_package_of_the_same_name(tmp_path, project):
    (tmp_path / "intruder" / "schemas").mkdir(parents=True)
    for path in (ROOT / "schemas").glob("*.py"):
        (tmp_path / "intruder" / "schemas" / path.name).write_bytes(path.read_bytes())
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path / 'intruder'}:{ROOT}"}
    words = [sys.executable, "-m", "pipeline", "doctor"]
    done = subprocess.run(words, cwd=project.root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "BAD package schemas comes from" in done.stdout
    assert "use this project's own .venv" in done.stdout


def test_the_reference_explains_every_setting():
    text = recipe_reference()
    for stage in ("ingest", "dedupe", "format", "annotate", "split"):
        for name in type(getattr(Recipe.model_validate(MINIMAL), stage)).model_fields:
            assert f"{name}" in text
    assert "None (" not in text


MINIMAL = {"name": "x", "ingest": {"sources": [{"name": "a", "path": "a", "template": "instruct"}]}}


def test_a_bug_says_that_it_is_one(monkeypatch, capsys):
    def broken(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("pipeline.commands.recipe_reference", broken)
    assert run(["recipe"]) == 1
    assert "this is a bug in tuneloop" in capsys.readouterr().err


def test_help_comes_without_the_heavy_imports():
    words = [sys.executable, "-X", "importtime", "-m", "pipeline", "--help"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "cyclopts" in loaded
    assert not loaded & {"pandas", "datasets", "scipy", "rapidfuzz", "torch", "tokenizers", "pipeline.recipe"}


def test_a_run_goes_on_when_nobody_reads_what_it_says(project):
    line = f"'{sys.executable}' -m pipeline data --recipe recipe.toml 2>&1 >/dev/null | head -1"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", line], cwd=project.root, env=environment, capture_output=True, text=True)
    assert done.stdout.startswith("ingest    runs: never run for this recipe")
    assert (project.data / "split" / "latest-tiny").is_symlink()


@pytest.mark.parametrize(("own", "expected"), [({}, "2000"), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_a_command_tells_libraries_to_be_silent_and_threads_not_to_wait_long(own, expected):
    told = (
        "import atexit, os; from pipeline.cli import main;"
        "atexit.register(lambda: print(*(os.environ[name] for name in ('HF_HUB_DISABLE_TELEMETRY', 'GOMP_SPINCOUNT'))));"
        "main(['--version'])"
    )
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"} | own
    done = subprocess.run([sys.executable, "-c", told], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"1 {expected}"
