"""Running a function over parts on local processes, results in the order of the parts."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from schemas import SnapshotError

Unit = TypeVar("Unit")
Result = TypeVar("Result")

# Starting a worker costs about a second of imports; below this much work one process is faster.
MIN_ROWS_FOR_WORKERS = 40_000


def default_workers(rows: int) -> int:
    """Return how many processes to use for this many rows: all usable cores, or one for small work."""
    return len(os.sched_getaffinity(0)) if rows >= MIN_ROWS_FOR_WORKERS else 1


def map_parts(function: Callable[[Unit], Result], units: Sequence[Unit], workers: int = 1) -> Iterator[Result]:
    """Yield `function(unit)` for every unit, in order; the function and the units must pickle.

    The first error stops the others at their next unit and is raised as it was.

    Raises:
        SnapshotError: A worker was killed.
    """
    if workers <= 1 or len(units) <= 1:
        yield from map(function, units)
        return
    # Spawn: forking a process that holds Arrow's threads can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(units)), mp_context=context) as pool:
        futures = [pool.submit(function, unit) for unit in units]
        try:
            for future in futures:
                yield future.result()
        except BrokenProcessPool as error:
            raise SnapshotError(
                "a worker process was ended from outside, most often for want of memory",
                where=f"{len(units)} parts on {workers} processes",
                fix="run again with --workers 1, or on a machine with more memory; the store is as it was",
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
