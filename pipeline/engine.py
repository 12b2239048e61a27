"""Running a function over parts on local threads or processes, results in the order of the parts."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from pipeline.stopping import held_back
from schemas import SnapshotError

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
        function: For processes, it and the units must pickle.
        units: The parts.
        workers: How many at a time.
        threads: Whether threads are enough, since the work is done by Arrow or compiled code: they start at once.

    Raises:
        SnapshotError: A worker was killed.
    """
    if workers <= 1 or len(units) <= 1:
        yield from map(function, units)
        return
    with _pool(min(workers, len(units)), threads=threads) as pool:
        try:
            with _no_interrupts(), held_back():
                futures = [pool.submit(function, unit) for unit in units]
            for future in futures:
                yield future.result()
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
