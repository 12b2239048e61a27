import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline import code, execute, refs
from pipeline.fsck import fsck
from pipeline.lock import locked
from pipeline.recipe import STAGES
from pipeline.refs import refs_folder
from pipeline.run import plan_data
from pipeline.snapshot import Snapshot
from schemas import ConfigError, DataError, SnapshotError
from tests.conftest import assert_gone

ROOT_OF_CHECKOUT = Path(__file__).resolve().parents[2]
ALL = list(STAGES)


def test_every_stage_runs_once_and_every_row_is_accounted_for(project):
    assert project.ran() == ALL
    for outcome in project.outcomes.values():
        record = outcome.record
        assert record.rows_in == record.rows_kept + record.rows_dropped
        assert sum(record.dropped_by_reason.values()) == record.rows_dropped
    # 9 questions + 4 notes; the empty prompt goes, then the repeated capital.
    assert [project.outcomes[stage].record.rows_kept for stage in ALL] == [12, 11, 11, 11, 11]


def test_a_second_run_writes_nothing_and_says_why(project):
    project.run()
    before = project.snapshot_of_files()
    assert project.ran() == []
    assert project.snapshot_of_files() == before
    assert {outcome.why[0] for outcome in project.outcomes.values()} == {
        "settings, sources, parents and code are as they were"
    }


def test_a_dropped_row_is_kept_with_reason_and_partner(project):
    project.run()
    (row,) = project.dropped("dedupe")
    assert row["reason"] in ("exact_duplicate", "near_duplicate")
    assert row["partner_origin"] == "questions.jsonl:1" or row["origin"] == "questions.jsonl:1"
    assert row["score"] > 0.9


def test_a_setting_that_alters_no_row_re_runs_its_stage_alone(project):
    project.run()
    project.replace("recipe.toml", "[format]", "[dedupe]\nnear = 0.89\n[format]")
    assert project.ran() == ["dedupe"]
    assert project.outcomes["dedupe"].why == ["setting near changed"]


def test_going_back_to_an_old_setting_runs_nothing(project):
    project.run()
    project.replace("recipe.toml", "[format]", "[dedupe]\nnear = 0.89\n[format]")
    project.run()
    project.replace("recipe.toml", "near = 0.89", "near = 0.9")
    assert project.ran() == []
    assert "made before" in project.outcomes["dedupe"].why[0]


def test_a_changed_template_re_runs_format_and_what_follows(make_project):
    project = make_project()
    builtin = (ROOT_OF_CHECKOUT / "pipeline" / "templates" / "summarize.yaml").read_text("utf-8")
    (project.root / "mine").mkdir()
    (project.root / "mine" / "brief.yaml").write_text(builtin.replace("name: summarize", "name: brief", 1))
    project.replace("recipe.toml", 'template = "summarize"', 'template = "brief"')
    project.replace("recipe.toml", 'name = "tiny"', 'name = "tiny"\ntemplate_dirs = ["mine"]')
    project.run()
    project.replace("mine/brief.yaml", "about:", "# a comment\nabout:")
    assert project.ran() == ["format"]  # its bytes changed, its rows did not
    project.replace("mine/brief.yaml", 'response: "{{ summary }}"', 'response: "{{ summary }} (brief)"') if (
        'response: "{{ summary }}"' in (project.root / "mine/brief.yaml").read_text()
    ) else pytest.fail("the built-in summarize template changed its response line: adapt this test")


def test_a_changed_source_file_re_runs_everything_it_reaches_and_reuses_the_other_part(project):
    project.run()
    with (project.root / "questions.jsonl").open("a") as file:
        file.write(json.dumps({"q": "Which planet is the largest one?", "a": "Jupiter"}) + "\n")
    assert project.ran() == ALL
    assert project.outcomes["ingest"].reused == 1
    assert project.outcomes["ingest"].why == ["questions.jsonl changed"]


def test_a_changed_comment_in_the_code_re_runs_nothing_and_a_changed_constant_re_runs_its_stage(
    project, monkeypatch, tmp_path
):
    copy = tmp_path / "checkout"
    for folder in ("schemas", "pipeline"):
        for path in (ROOT_OF_CHECKOUT / folder).glob("*.py"):
            (copy / folder).mkdir(parents=True, exist_ok=True)
            (copy / folder / path.name).write_text(path.read_text("utf-8"), encoding="utf-8")
    monkeypatch.setattr(code, "ROOT", copy)
    code.read_module.cache_clear()
    project.run()
    dedupe = copy / "pipeline" / "dedupe.py"
    dedupe.write_text("# another comment\n" + dedupe.read_text("utf-8"), encoding="utf-8")
    code.read_module.cache_clear()
    assert project.ran() == []
    dedupe.write_text(dedupe.read_text("utf-8") + "\nUNUSED = 1\n", encoding="utf-8")
    code.read_module.cache_clear()
    assert project.ran() == ["dedupe"]
    assert project.outcomes["dedupe"].why == ["the code of dedupe changed"]


def test_a_crashed_run_leaves_the_store_as_it_was_and_the_next_run_works(project, monkeypatch):
    project.run()
    before = {
        name: value for name, value in project.snapshot_of_files().items() if name.endswith((".json", ".parquet"))
    }
    project.replace("recipe.toml", "[format]", "[dedupe]\nnear = 0.89\n[format]")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "part-00000.parquet")

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.snapshot.os.fsync", full)
        with pytest.raises(SnapshotError) as caught:
            project.run()
    assert "No space left on device" in caught.value.what
    assert "part-00000.parquet" in caught.value.where
    assert "gc" in caught.value.fix
    after = {name: value for name, value in project.snapshot_of_files().items() if name.endswith((".json", ".parquet"))}
    assert after == before
    assert project.ran() == ["dedupe"]


LIMITED = """
import resource, signal, sys
from pipeline.cli import run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(run(["data", "--recipe", "recipe.toml"]))
"""


def test_a_disk_that_refuses_to_write_stops_the_run_with_exit_code_6(project):
    done = command(project, [sys.executable, "-c", LIMITED, "2000"])
    assert done.returncode == 6, done.stderr
    assert "could not be written" in done.stderr
    assert "fix:" in done.stderr
    assert project.ran() == ALL


def test_a_second_run_at_the_same_time_is_told_who_runs(project):
    project.run(to="ingest")
    with locked(refs_folder(project.data, "dedupe", "tiny"), "stage dedupe of recipe tiny"):
        with pytest.raises(SnapshotError, match=f"process {os.getpid()}"):
            project.run()
    assert project.ran() == ALL[1:]


def test_a_killed_run_leaves_nothing_half_written(project):
    tuneloop = [sys.executable, "-m", "pipeline", "data", "--recipe", "recipe.toml"]
    for delay in (0.9, 1.3, 1.7):
        process = subprocess.Popen(tuneloop, cwd=project.root, env=environment(), stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
    versions = [path.parent for path in project.data.glob("*/*/manifest.json") if path.parent.parent.name != "tmp"]
    assert all(len(json.loads((one / "manifest.json").read_text())["files"]) >= 1 for one in versions)
    project.run()
    assert not [path for stage in ALL for path in (project.data / stage / "tmp").iterdir()]


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("number", "code", "says"), [(signal.SIGINT, 130, "stopped; "), (signal.SIGTERM, 143, "stopped by SIGTERM; ")]
)
def test_ctrl_c_and_sigterm_are_a_sentence_not_a_traceback(project, number, code, says, workers):
    # A shell starts what it runs in the background without Ctrl-C, and so would this be.
    tuneloop = ["env", "--default-signal=INT", sys.executable, "-m", "pipeline", "data", "--recipe", "recipe.toml"]
    process = subprocess.Popen(
        [*tuneloop, "--workers", workers],
        cwd=project.root, env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    first = process.stderr.readline()  # ingest runs: the program is up
    process.send_signal(number)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == code, first + rest
    assert [line for line in rest.splitlines() if line.startswith(says)] == rest.splitlines()[-1:]
    assert "Traceback" not in rest
    assert_gone(process.pid)
    assert project.run()["split"].record.rows_kept == 11


def test_plan_says_what_would_run_and_writes_nothing(project):
    project.run()
    project.replace("recipe.toml", "[format]", "[dedupe]\nnear = 0.8\n[format]")
    before = project.snapshot_of_files()
    plan = dict(plan_data(project.recipe, project.data, project.root))
    assert plan["ingest"] == []
    assert plan["dedupe"] == ["setting near changed"]
    assert plan["split"] == ["if dedupe gives new rows"]
    assert project.snapshot_of_files() == before


def test_rows_that_are_all_dropped_stop_the_run_with_the_reasons(project):
    project.replace("recipe.toml", 'tokenizer = "tokenizer"', 'tokenizer = "tokenizer"\nmax_tokens = 1')
    with pytest.raises(DataError) as caught:
        project.run()
    assert caught.value.what == "format kept no row"
    assert "too_long 11" in caught.value.where
    assert refs.newest(project.data, "format", "tiny") is None


def test_an_unknown_stage_is_answered_with_the_nearest(project):
    with pytest.raises(ConfigError) as caught:
        project.run(to="formt")
    assert caught.value.fix == "did you mean 'format'?"


def test_little_free_disk_is_said_before_anything_is_read(project, monkeypatch):
    monkeypatch.setattr("pipeline.execute._SPARE_BYTES", 1 << 60)
    with pytest.raises(SnapshotError, match="MiB are free"):
        project.run()
    assert not (project.data / "ingest" / "dropped").exists()


@pytest.mark.slow
def test_two_workers_make_the_same_versions_as_one(make_project):
    one, two = make_project(name="one"), make_project(name="two")
    one.run(workers=1)
    two.run(workers=2)
    for stage in ALL:
        assert one.outcomes[stage].record.version == two.outcomes[stage].record.version


def test_another_recipe_with_the_same_rows_takes_them_over(project):
    project.run()
    project.replace("recipe.toml", 'name = "tiny"', 'name = "other"')
    assert project.ran() == ["split"]  # its ledger is its own
    assert refs.newest(project.data, "dedupe", "other").number == 1


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT_OF_CHECKOUT)}


def command(project, words):
    return subprocess.run(words, cwd=project.root, env=environment(), capture_output=True, text=True, check=False)


class StoppedError(Exception):
    """Stands for a machine that stops."""


def test_a_stop_at_any_step_of_a_commit_leaves_the_old_or_the_new_and_nothing_between(project, monkeypatch):
    project.run(to="ingest")
    steps = [(os, "fsync"), (os, "link"), (Path, "rename"), (Path, "replace"), (os, "unlink")]
    tried, old, new = 0, 0, 0
    for owner, name in steps:
        for stop_at in range(1, 40):
            shutil.rmtree(project.data / "dedupe", ignore_errors=True)
            calls = 0
            real = getattr(owner, name)

            def faulty(*words, _real=real, _at=stop_at, **options):
                nonlocal calls
                calls += 1
                if calls == _at:
                    raise StoppedError
                return _real(*words, **options)

            with monkeypatch.context() as patch:
                patch.setattr(owner, name, faulty)
                try:
                    project.run(to="dedupe")
                    stopped = False
                except StoppedError:
                    stopped = True
            if not stopped:
                break
            tried += 1
            assert fsck(project.data)[1] == []
            if refs.newest(project.data, "dedupe", "tiny") is None:
                old += 1
            else:
                new += 1
            assert project.run(to="dedupe")["dedupe"].record.rows_kept == 11
    assert tried >= 10
    assert old
    assert new


def test_what_is_wrong_with_a_later_stage_is_told_before_anything_runs_and_all_at_once(project):
    project.replace("recipe.toml", 'tokenizer = "tokenizer"', 'tokenizer = "nowhere"')
    project.replace("recipe.toml", "[format]", '[dedupe]\nbenchmarks = ["quiz.jsonl"]\n[format]')
    with pytest.raises(ConfigError) as caught:
        project.run()
    assert "no file quiz.jsonl" in str(caught.value)
    assert "no tokenizer.json in" in str(caught.value)
    assert not (project.data / "ingest" / "refs").exists()
    project.replace("recipe.toml", 'path = "questions.jsonl"', 'path = "question.jsonl"')
    with pytest.raises(DataError) as caught:
        project.run()
    assert "questions.jsonl" in str(caught.value)  # the nearest file there
    assert "no tokenizer.json in" in str(caught.value)


def test_an_unknown_template_is_told_once(project):
    project.replace("recipe.toml", 'template = "instruct"', 'template = "instrct"')
    with pytest.raises(ConfigError) as caught:
        project.run()
    assert str(caught.value).count("instrct") == 1
    assert "did you mean 'instruct'?" in str(caught.value)


def test_stages_after_the_last_wanted_one_need_not_be_ready(project):
    project.replace("recipe.toml", 'tokenizer = "tokenizer"', 'tokenizer = "nowhere"')
    assert project.ran(to="dedupe") == ["ingest", "dedupe"]


def test_decisions_that_another_run_made_after_the_plan_are_kept(project, monkeypatch):
    project.run(to="annotate")
    lock, raced = execute.locked, []

    def late(*words: object):
        # Another process is done just before we get the lock.
        if not raced and "split" in str(words[0]):
            raced.append(1)
            monkeypatch.setattr("pipeline.execute.locked", lock)
            project.replace("questions.jsonl", "Hamlet", "Macbeth")
            project.run()
            project.replace("questions.jsonl", "Macbeth", "Hamlet")
        return lock(*words)

    monkeypatch.setattr("pipeline.execute.locked", late)
    project.run()
    assert raced
    records = [refs.read_record(path) for path in refs.record_paths(project.data, "ledger", "tiny")]
    known = [
        set(Snapshot.open(project.data / "ledger", one.version).table().column("id").to_pylist()) for one in records
    ]
    assert known[1] < known[0]  # one row more: the one that only the other run had
    assert [refs.read_record(path).number for path in refs.record_paths(project.data, "split", "tiny")] == [2, 1]


def test_what_another_run_has_just_made_is_not_made_again(project, monkeypatch):
    lock, raced = execute.locked, []

    def late(*words: object):
        if not raced:
            raced.append(1)
            monkeypatch.setattr("pipeline.execute.locked", lock)
            project.run()
        return lock(*words)

    monkeypatch.setattr("pipeline.execute.locked", late)
    outcomes = project.run()
    assert not any(outcome.ran for outcome in outcomes.values())
    assert outcomes["ingest"].why == ["another run has just made the same"]


def test_too_little_memory_is_a_sentence(project, monkeypatch):
    def refuse(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("pipeline.execute.content_blocks", refuse)
    with pytest.raises(SnapshotError) as caught:
        project.run()
    assert "too little memory" in caught.value.what
    assert "--workers 1" in caught.value.fix
    monkeypatch.undo()
    assert project.ran() == ALL
