import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from pipeline.code import ROOT
from pipeline.engine import map_parts, spread_over
from pipeline.recipe import STAGES, Recipe, load_recipe
from pipeline.run import run_data
from schemas import ConfigError, GateError, SnapshotError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[object]:
    """Yield a Ray of two workers that all tests here share; `spread_over` finds it started."""
    with spread_over("ray", workers=2) as _:
        list(map_parts(str, [0]))  # the first part starts it
        from pipeline.ray_engine import Cluster

        own = Cluster.start(2)
        assert not own.joined
        yield own
    assert not [one for one in psutil.Process().children(recursive=True) if "ray" in one.name()]


def square(n: int) -> tuple[int, int]:
    return n * n, os.getpid()


def test_results_come_in_the_order_of_the_units_from_other_processes(cluster):
    results = list(cluster.map(square, range(8)))
    assert [value for value, _ in results] == [0, 1, 4, 9, 16, 25, 36, 49]
    assert os.getpid() not in {pid for _, pid in results}


def fail_at_three(n: int) -> int:
    if n == 3:
        also = [GateError("four as well", where="unit 4", fix="leave it out")]
        raise GateError("three is bad", where="unit 3", fix="leave it out", also=also)
    return n


def test_an_error_arrives_as_it_was_raised(cluster):
    with pytest.raises(GateError) as caught:
        list(cluster.map(fail_at_three, range(6)))
    assert type(caught.value) is GateError
    assert caught.value.exit_code == 4
    assert str(caught.value) == (
        "three is bad\n  where: unit 3\n  fix:   leave it out\nfour as well\n  where: unit 4\n  fix:   leave it out"
    )


def write_half_then_die_once(folder: Path, n: int) -> int:
    path = folder / str(n)
    first = not path.exists()
    path.write_text("half" if first and n == 2 else f"whole {n}")
    if first and n == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def test_a_killed_worker_costs_another_try_that_writes_over_what_it_left(cluster, tmp_path, capfd):
    assert list(cluster.map(partial(write_half_then_die_once, tmp_path), range(4))) == [0, 1, 2, 3]
    assert [(tmp_path / str(n)).read_text() for n in range(4)] == ["whole 0", "whole 1", "whole 2", "whole 3"]
    deadline = time.monotonic() + 20
    told = capfd.readouterr()
    while not told.err and time.monotonic() < deadline:  # Ray tells it from a thread of its own
        time.sleep(0.2)
        told = capfd.readouterr()
    assert told.err == "ray: a worker was lost; its part is run again\n"
    assert told.out == ""


def die(n: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return n


def test_a_part_that_kills_every_worker_is_given_up_with_what_to_do(cluster, monkeypatch):
    monkeypatch.setattr("pipeline.ray_engine.RETRIES", 1)
    with pytest.raises(SnapshotError) as caught:
        list(cluster.map(die, [7]))
    assert "a worker of Ray was lost" in caught.value.what
    assert caught.value.where == "1 parts on 1 machines of Ray"
    assert "--engine local" in caught.value.fix


def test_every_stage_of_the_sample_has_the_version_that_one_machine_gives(cluster, tmp_path, quiet):
    def versions(engine: str) -> dict[str, str]:
        recipe = load_recipe(None).model_copy(update={"engine": engine})
        return {one.stage: one.record.version for one in run_data(recipe, tmp_path / engine, quiet, root=ROOT)}

    here = versions("local")
    assert list(here) == list(STAGES)
    assert versions("ray") == here


DIES_ONCE = """
import os, signal
from pathlib import Path

def clean(row):
    mark = Path({mark!r})
    if row["q"].startswith("Name the longest") and os.getpid() != {here} and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return row
"""


def test_a_worker_killed_in_the_middle_of_a_stage_changes_no_version(cluster, make_project, tmp_path):
    mark = tmp_path / "died"
    found = []
    for engine in ("ray", "local"):
        project = make_project(name=engine)
        (project.root / "mine.py").write_text(DIES_ONCE.format(mark=str(mark), here=os.getpid()))
        settings = project.recipe.model_dump(mode="json") | {"engine": engine}
        settings["ingest"]["sources"][0]["clean"] = "mine.py:clean"
        outcomes = run_data(Recipe.model_validate(settings), project.data, Quiet(), root=project.root)
        assert mark.exists()  # a worker of Ray died; this process reads a few rows too, and is spared
        found.append([one.record.version for one in outcomes])
    assert found[0] == found[1]


class Quiet:
    def begin(self, stage, parts, why): ...
    def part(self, stage, done, of, rows): ...
    def end(self, outcome): ...


def test_a_worker_with_other_code_or_packages_or_without_the_folder_refuses(cluster):
    home = cluster.home
    for other, told in (
        (replace(home, checkout=home.checkout._replace(code="0" * 32)), "runs other code than this command"),
        (
            replace(home, checkout=home.checkout._replace(packages={**home.checkout.packages, "pyarrow": "1.0"})),
            "has other versions of pyarrow than this command",
        ),
        (replace(home, folder=Path("/nowhere/at/all")), "has no folder /nowhere/at/all: No such file or directory"),
    ):
        with pytest.raises(ConfigError) as caught:
            list(replace(cluster, home=other).map(square, [1]))
        assert caught.value.what == f"a worker on {socket.gethostname()} {told}"


def whence(array: np.ndarray) -> tuple[str, int]:
    return str(getattr(array, "filename", "copied")), int(array.sum())


def test_a_mapped_array_travels_as_its_place_in_the_file(cluster, tmp_path):
    path = tmp_path / "numbers"
    np.arange(5000, dtype=np.uint32).tofile(path)
    whole = np.memmap(path, np.uint8, "r")
    beyond = np.memmap(path, np.uint32, "r", offset=4096 + 8)  # not on a page of its own
    units = [
        whole[4:12].view(np.uint32),  # 1 + 2
        beyond[1:3],  # 1027 + 1028
        whole.view(np.uint32).reshape(50, 100)[:, 0],  # not in one piece: 100 x (0 + ... + 49)
        whole[:0],
    ]
    found = list(cluster.map(whence, units))
    assert found == [(str(path), 3), (str(path), 2055), ("copied", 122_500), ("copied", 0)]


def test_nobody_else_can_reach_it(cluster):
    listening = {
        one.laddr.ip
        for process in psutil.Process().children(recursive=True)
        for one in process.net_connections("inet")
        if one.status == psutil.CONN_LISTEN
    }
    assert listening
    assert listening <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


SLEEPS = """
import sys, time
from pipeline.engine import map_parts, spread_over
if __name__ == "__main__":
    with spread_over("ray", workers=2):
        units = map_parts(time.sleep, [0.0, 60.0, 60.0])
        next(units)
        print("begins", flush=True)
        list(units)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_command_leaves_no_process_and_no_folder(tmp_path, number):
    script = tmp_path / "sleep.py"
    script.write_text(SLEEPS)
    command = ["env", "--default-signal=INT", sys.executable, str(script)]
    paths = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": "/tmp"}
    before = set(Path("/tmp").glob("tuneloop-ray-*"))
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=paths, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    started = psutil.Process(process.pid).children(recursive=True)
    assert len(started) >= 4  # servers and workers
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == -signal.SIGINT
    assert said.count("Traceback") == 1, said
    _, alive = psutil.wait_procs(started, timeout=20)
    assert not alive
    assert set(Path("/tmp").glob("tuneloop-ray-*")) <= before
