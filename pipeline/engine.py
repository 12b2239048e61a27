"""Running a function over parts, results in the order of the parts: on local threads or processes, or on Ray.

    with spread_over("ray", workers=2):
        list(map_parts(run_part, jobs))    one Ray task a job

What is mapped and what comes of it are the same on every engine, so the engine is in no run key. Ray is loaded by name
and started at the first part, so that a run with nothing to do does not wait for it.
"""

import importlib
import importlib.util
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pipeline.ray_address import before_ray
from pipeline.stopping import held_back
from schemas import ConfigError, SnapshotError

Engine = Literal["local", "ray"]

Unit = TypeVar("Unit")
Result = TypeVar("Result")

# Starting a worker costs about a second of imports; below this much work one process is faster.
MIN_ROWS_FOR_WORKERS = 40_000
# A service manager ends workers and parent at one time; so long may the parent's own signal be behind theirs.
_SIGNAL_SECONDS = 0.3


def default_workers(rows: int) -> int:
    """Return how many processes to use for this many rows: all usable cores, or one for small work."""
    return len(os.sched_getaffinity(0)) if rows >= MIN_ROWS_FOR_WORKERS else 1


def map_parts(
    function: Callable[[Unit], Result], units: Sequence[Unit], workers: int = 1, *, threads: bool = False
) -> Iterator[Result]:
    """Yield `function(unit)` for every unit, in order.

    The first error stops the others at their next unit and is raised as it was.

    Args:
        function: For processes and for Ray, it and the units must pickle; run twice over a unit, it must leave the
            same files.
        units: The parts.
        workers: How many at a time; on Ray, as many as `spread_over` was asked for.
        threads: Whether threads are enough, since the work is done by Arrow or compiled code: they start at once.

    Raises:
        SnapshotError: A worker was killed; on Ray, as often as a part is tried.
    """
    if (ray := _RAY.get()) is not None:
        return ray.map(function, units)
    return map_here(function, units, workers, threads=threads)


def map_here(
    function: Callable[[Unit], Result], units: Sequence[Unit], workers: int = 1, *, threads: bool = False
) -> Iterator[Result]:
    """Do what `map_parts` does on this machine, whatever the engine: for what cannot travel."""
    if workers <= 1 or len(units) <= 1:
        yield from map(function, units)
        return
    with _pool(min(workers, len(units)), threads=threads) as pool:
        try:
            with _no_interrupts(), held_back():
                futures = deque(pool.submit(function, unit) for unit in units)
            while futures:
                yield futures.popleft().result()
        except (KeyboardInterrupt, GeneratorExit):
            # Ctrl-C reaches the workers, too, a signal to this process alone does not; nobody waits for what they do.
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise
        except BrokenProcessPool as error:
            time.sleep(_SIGNAL_SECONDS)
            raise SnapshotError(
                "a worker process was ended from outside, most often for want of memory",
                where=f"{len(units)} parts on {workers} processes",
                fix="run again with --workers 1, or on a machine with more memory; the store is as it was",
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def spread_over(engine: Engine, workers: int | None = None) -> Iterator[None]:
    """Let `map_parts` run on an engine while the block runs; what was started for it has ended afterwards.

    Args:
        engine: `ray` is the cluster that $RAY_ADDRESS names, else one that is started on this machine alone.
        workers: Most parts at a time; by default as many as there are cores.

    Raises:
        ConfigError: Ray is not installed.
    """
    if engine == "local":
        yield
        return
    if importlib.util.find_spec("ray") is None:
        raise ConfigError(
            'engine = "ray" needs the package ray, which is not installed',
            where="engine of the recipe, or --engine",
            fix="pip install 'ray>=2.52' into the .venv, or leave the engine out: one machine does without",
        )
    ray = _Ray(workers)
    before = _RAY.set(ray)
    try:
        yield
    finally:
        _RAY.reset(before)
        ray.stop()


@dataclass
class _Ray:
    """Ray, once something is to be mapped."""

    workers: int | None
    started: Any = None

    def map(self, function: Callable[[Unit], Result], units: Sequence[Unit]) -> Iterator[Result]:
        if self.started is None:
            before_ray()
            self.started = importlib.import_module("pipeline.ray_engine").Cluster.start(self.workers)
        found: Iterator[Result] = self.started.map(function, units)
        return found

    def stop(self) -> None:
        if self.started is not None:
            self.started.stop()


_RAY: ContextVar[_Ray | None] = ContextVar("ray", default=None)


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Let no Ctrl-C in while processes are started, and none into these until they are up: they inherit that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _pool(workers: int, *, threads: bool) -> Executor:
    # Spawn: forking a process that holds Arrow's threads can hang.
    if threads:
        return ThreadPoolExecutor(workers)
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_end_quietly)


def _end_quietly() -> None:
    """Let a Ctrl-C end this process at once and without a word: the parent tells what it means."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
