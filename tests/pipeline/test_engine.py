import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.engine import MIN_ROWS_FOR_WORKERS, default_workers, map_parts
from schemas import SnapshotError, SourceError
from tests.conftest import assert_gone


def square(n: int) -> tuple[int, int]:
    return n * n, os.getpid()


def fail_at_three(n: int) -> int:
    if n == 3:
        raise SourceError("three is bad", where="unit 3", fix="leave it out")
    return n


def test_results_come_in_the_order_of_the_units_from_other_processes():
    results = list(map_parts(square, range(6), workers=2))
    assert [value for value, _ in results] == [0, 1, 4, 9, 16, 25]
    assert os.getpid() not in {pid for _, pid in results}


def test_one_worker_is_this_process():
    assert {pid for _, pid in map_parts(square, range(3), workers=1)} == {os.getpid()}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_arrives_with_its_three_parts(workers):
    with pytest.raises(SourceError) as caught:
        list(map_parts(fail_at_three, range(6), workers))
    assert (caught.value.what, caught.value.where, caught.value.fix) == ("three is bad", "unit 3", "leave it out")


def die_at_three(n: int) -> int:
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def test_a_killed_worker_is_said_with_what_to_do():
    with pytest.raises(SnapshotError) as caught:
        list(map_parts(die_at_three, range(6), workers=2))
    assert "ended from outside" in caught.value.what
    assert "--workers 1" in caught.value.fix


INTERRUPTED = """
import sys, time
from pipeline.engine import map_parts
from pipeline.stopping import heed
if __name__ == "__main__":
    heed()
    print("begins", flush=True)
    list(map_parts(time.sleep, [float(sys.argv[1])] * 8, workers=2))
"""


@pytest.mark.parametrize("delay", [0.0, 0.3, 2.0])
def test_ctrl_c_ends_the_workers_without_a_word_of_theirs(tmp_path, delay):
    script = tmp_path / "sleep.py"
    script.write_text(INTERRUPTED)
    # A shell starts what it runs in the background without Ctrl-C, and so would this be.
    command = ["env", "--default-signal=INT", sys.executable, str(script), "0.5"]
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=paths, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    said = process.communicate(timeout=30)[1]

    assert process.returncode != 0
    assert "SpawnProcess" not in said
    assert said.count("Traceback") <= 1, said


@pytest.mark.parametrize(("delay", "to"), [(0.0, os.kill), (2.0, os.kill), (0.3, os.killpg), (2.0, os.killpg)])
def test_sigterm_to_the_parent_or_to_all_ends_all_without_waiting_for_the_work(tmp_path, delay, to):
    script = tmp_path / "sleep.py"
    script.write_text(INTERRUPTED)
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, str(script), "60"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=paths, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(delay)
    to(process.pid, signal.SIGTERM)
    try:
        said = process.communicate(timeout=30)[1]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise

    assert said.rstrip().endswith("Terminated"), said
    assert said.count("Traceback") == 1, said
    assert_gone(process.pid)


def test_small_work_stays_in_one_process():
    assert default_workers(MIN_ROWS_FOR_WORKERS - 1) == 1
    assert default_workers(MIN_ROWS_FOR_WORKERS) == len(os.sched_getaffinity(0))
