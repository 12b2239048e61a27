"""Ray beside local processes: `python tests/bench/ray_beside_local.py [ROWS]`, by default 100,000 made pairs.

The same recipe is run three times, each time into a store of its own: on two local processes, on a Ray of this machine
with two, and on such a Ray of which one worker is killed while it works on its part. Printed are the seconds of every
stage and of the whole with Ray's start, and whether all versions are equal.
"""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from figures import tell
from made_pairs import make_pairs

from pipeline.code import ROOT
from pipeline.plan import Outcome
from pipeline.recipe import STAGES, Recipe
from pipeline.run import run_data
from pipeline.snapshot import PART_ROWS

WORKERS = 2
_BUSY = b"ray::_run"


class Killer:
    """Progress that kills one busy worker of Ray once, when the first part of a stage is done."""

    def __init__(self, stage: str | None) -> None:
        self.stage, self.killed = stage, 0

    def begin(self, stage: str, parts: int, why: list[str]) -> None:
        """Say nothing."""

    def part(self, stage: str, done: int, of: int, rows: int) -> None:
        """Kill."""
        if stage == self.stage and not self.killed and (busy := busy_workers()):
            os.kill(busy[0], signal.SIGKILL)
            self.killed = busy[0]

    def end(self, outcome: Outcome) -> None:
        """Say nothing."""


def busy_workers() -> list[int]:
    """Return the processes that run a task of Ray now."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(_BUSY):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def main(rows: int) -> None:
    """Print the three runs."""
    print(f"{rows:,} made pairs, {WORKERS} workers; seconds")
    print(f"{'':28}" + "".join(f"{stage:>10}" for stage in STAGES) + f"{'whole':>10}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = make_pairs("free", rows, folder / "pairs")
        with pq.ParquetFile(made.rows) as file:
            # A file is a part of ingest.
            for number, batch in enumerate(file.iter_batches(min(PART_ROWS, -(-rows // (2 * WORKERS))))):
                pq.write_table(pa.Table.from_batches([batch]), folder / f"rows-{number:05d}.parquet")
        versions, whole = [], []
        for told, engine, killed in (
            ("local", "local", None),
            ("Ray", "ray", None),
            ("Ray, a worker killed", "ray", "ingest"),
        ):
            recipe = Recipe.model_validate(
                {
                    "name": "bench",
                    "engine": engine,
                    "ingest": {
                        "sources": [
                            {
                                "name": "bench",
                                "path": str(folder / "rows-*.parquet"),
                                "template": "instruct",
                                "fields": {"instruction": "prompt", "response": "response"},
                            }
                        ]
                    },
                }
            )
            progress = Killer(killed)
            start = time.perf_counter()
            outcomes = run_data(recipe, folder / told.replace(" ", "-"), progress, workers=WORKERS, root=ROOT)
            seconds = time.perf_counter() - start
            versions.append([outcome.record.version for outcome in outcomes])
            whole.append(seconds)
            times = "".join(f"{outcome.record.seconds:10.1f}" for outcome in outcomes)
            pid = f" ({progress.killed})" if progress.killed else " (NOBODY)" if killed else ""
            print(f"{told + pid:28}{times}{seconds:10.1f}", flush=True)
    equal = sum(one == versions[0] for one in versions)
    print("the versions are equal" if equal == len(versions) else "THE VERSIONS DIFFER")
    tell("all stages, Ray's start included", whole[1], "s", peer="engine local", theirs=whole[0], better="less")
    tell("the same, a worker killed", whole[2], "s", peer="engine local", theirs=whole[0], better="less")
    tell("runs that gave the same versions", equal, of=len(versions), headline=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
