import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.lock import locked
from schemas import SnapshotError

HOLD = "import sys, time, pathlib\nfrom pipeline.lock import locked\nwith locked(pathlib.Path(sys.argv[1]), 'x'):\n    print('held', flush=True); time.sleep(60)\n"


@pytest.fixture
def holder(tmp_path):
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, cwd=root)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def test_the_message_names_who_holds_the_lock(holder, tmp_path):
    with pytest.raises(SnapshotError) as caught, locked(tmp_path, "stage dedupe of recipe sample"):
        pass
    assert f"process {holder.pid}" in caught.value.what
    assert "stage dedupe of recipe sample is being written by" in caught.value.what
    assert "wait" in caught.value.fix


def test_a_killed_holder_leaves_no_lock(holder, tmp_path):
    holder.kill()
    holder.wait()
    with locked(tmp_path, "x"):
        assert str(os.getpid()) in (tmp_path / ".holder.json").read_text()
    assert not (tmp_path / ".holder.json").exists()


def test_the_lock_can_be_taken_again_after_it_was_let_go(tmp_path):
    for _ in range(2):
        with locked(tmp_path, "x"):
            time.sleep(0)


def test_a_folder_that_cannot_be_written_is_said_with_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(SnapshotError, match="cannot make a folder here: File exists") as caught,
        locked(tmp_path / "file", "x"),
    ):
        pass
    assert caught.value.where == str(tmp_path / "file")
    assert "--data-root" in caught.value.fix
    (tmp_path / "held" / ".lock").mkdir(parents=True)
    with (
        pytest.raises(SnapshotError, match="the store cannot be written: Is a directory"),
        locked(tmp_path / "held", "x"),
    ):
        pass
