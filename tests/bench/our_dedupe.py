"""One run of our stage dedupe, in a process of its own: `python tests/bench/our_dedupe.py FOLDER OUT`.

FOLDER is what `made_pairs` wrote. The stage runs as the runner runs it, in a fresh store: plan, prepare, map, parquet,
content version, commit, record. OUT becomes a parquet of the column `cluster`, the row that each row repeats or its
own number. One line of JSON is printed.
"""

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from made_pairs import SOURCE, MadePairs, open_pairs
from memory import PeakMemory

from pipeline import refs
from pipeline.dedupe import Dedupe
from pipeline.execute import run_stage
from pipeline.key import code_of_stage, input_files, what_changed
from pipeline.plan import Outcome, StagePlan, place_of
from pipeline.recipe import Recipe
from pipeline.snapshot import Snapshot
from pipeline.stage import Inputs, State
from schemas import RunRecord

RECIPE = {
    "name": "bench",
    "ingest": {"sources": [{"name": SOURCE, "path": f"{SOURCE}.jsonl", "template": "instruct"}]},
}


class Silent:
    """Progress that nobody reads."""

    def begin(self, stage: str, parts: int, why: list[str]) -> None:
        """Say nothing."""

    def part(self, stage: str, done: int, of: int, rows: int) -> None:
        """Say nothing."""

    def end(self, outcome: Outcome) -> None:
        """Say nothing."""


def run_dedupe(parent: Snapshot, store: Path, workers: int | None = None) -> RunRecord:
    """Return the record of the stage run once, with default settings; the store may hold an earlier run."""
    recipe = Recipe.model_validate(RECIPE)
    place = place_of(recipe, store, store, {})
    inputs = recipe.dedupe.inputs(place)
    plan = StagePlan(
        stage=recipe.dedupe,
        recipe=recipe.name,
        place=place,
        folder=store / "dedupe",
        inputs=inputs,
        files=input_files(inputs),
        parents={"ingest": parent},
        code=code_of_stage(recipe.dedupe),
        last=refs.newest(store, "dedupe", recipe.name),
    )
    plan.update_key()
    plan.why = what_changed(plan.parts, plan.last.key_parts if plan.last else None)
    return run_stage(plan, store, Silent(), workers).record


def clusters_of(record: RunRecord, store: Path, n_rows: int) -> np.ndarray:
    """Return for every row the kept row that made it go, or its own number."""
    clusters = np.arange(n_rows)
    for file in record.dropped:
        table = pq.read_table(store / "dedupe" / "dropped" / file.name, columns=["origin", "partner_origin"])
        gone, partner = (_row_of(table.column(name)) for name in ("origin", "partner_origin"))
        clusters[gone] = partner
    return clusters


def _row_of(origins: pa.ChunkedArray) -> np.ndarray:
    """Return the row number that stands in origins such as `bench.jsonl:17`, which is row 16."""
    lines = pc.replace_substring_regex(origins, r"^.*:", "").cast(pa.int64())
    rows: np.ndarray = lines.to_numpy() - 1
    return rows


def time_decisions() -> list[float]:
    """Return a list that gains the seconds of every later call of `Dedupe.prepare`."""
    decided: list[float] = []
    plain = Dedupe.prepare

    def timed(
        self: Dedupe, parents: Mapping[str, Snapshot], inputs: Inputs, spill: Path, cache: Path | None = None
    ) -> State:
        begun = time.perf_counter()
        state = plain(self, parents, inputs, spill, cache)
        decided.append(time.perf_counter() - begun)
        return state

    # Put in place from outside, so that the stage's class, and with it the key, is the one that users run.
    Dedupe.prepare = timed  # type: ignore[method-assign]
    return decided


def measure(pairs: MadePairs, to: Path) -> dict[str, float]:
    """Run the stage and return seconds to decide, seconds of all, and peaks of memory."""
    decided = time_decisions()
    with tempfile.TemporaryDirectory(dir=to.parent) as name:
        store = Path(name)
        with PeakMemory() as peak:
            start = time.perf_counter()
            record = run_dedupe(pairs.snapshot, store)
            seconds = time.perf_counter() - start
        clusters = clusters_of(record, store, pairs.snapshot.manifest.rows)
    pq.write_table(pa.table({"cluster": clusters}), to)
    return {
        "decide": decided[0],
        "seconds": seconds,
        "peak_rss_bytes": peak.rss_bytes,
        "peak_anon_bytes": peak.anon_bytes,
    }


if __name__ == "__main__":
    print(json.dumps(measure(open_pairs(Path(sys.argv[1])), Path(sys.argv[2]))))
