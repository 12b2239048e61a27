"""Sources on which others merge too much or take too long: `python tests/bench/no_over_merge.py [FOLDER] [ROWS ...]`.

GPTeacher's Toolformer holds many rows of a few templates; a planted source holds rows of one template in which two
words differ, none a repeat. Printed are rows in, rows that went by reason, the largest cluster and seconds; of the
planted source also how seconds grow with rows. FOLDER is $TUNELOOP_SHARED or ../shared/data, ROWS the sizes
of the planted source.
"""

import json
import math
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]

from figures import tell  # noqa: E402 - a script finds the checkout first
from made_pairs import make_pairs  # noqa: E402
from our_dedupe import Silent, clusters_of, run_dedupe  # noqa: E402

from pipeline.recipe import Recipe  # noqa: E402
from pipeline.run import run_data  # noqa: E402
from schemas import RunRecord  # noqa: E402

SIZES = (50_000, 100_000, 200_000)


def told(name: str, record: RunRecord, store: Path, seconds: float) -> None:
    """Print one line."""
    rows = record.rows_in
    clusters = Counter(clusters_of(record, store, rows).tolist()) if name.startswith("planted") else None
    largest = f"largest cluster {max(clusters.values())}" if clusters else ""
    print(f"{name:34} {rows:8,} rows {seconds:7.1f} s  went: {record.dropped_by_reason or 'none'}  {largest}")
    tell(f"{name}, {rows:,} rows: dropped", sum(record.dropped_by_reason.values()))
    tell(f"{name}, {rows:,} rows: seconds", seconds, "s")


def toolformer(folder: Path) -> None:
    """Dedupe both versions of the set, each by itself."""
    for path in sorted((folder / "gpteacher" / "Toolformer").glob("*.json")):
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            source = {"name": "tools", "path": str(path), "template": "instruct"}
            rows = json.loads(path.read_text("utf-8"))
            source["fields"] = {"instruction": "instruction", "response": "response"}
            if "input" in rows[0]:
                source["fields"]["input"] = "input"
            recipe = Recipe.model_validate({"name": "bench", "ingest": {"sources": [source], "max_bad_share": 0.5}})
            start = time.perf_counter()
            record = run_data(recipe, root / "data", Silent(), to="dedupe", root=root)[-1].record
            told(path.stem, record, root / "data", time.perf_counter() - start)


def planted(sizes: Sequence[int]) -> None:
    """Dedupe rows of one template at several sizes."""
    seconds = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            pairs = make_pairs("one template", size, folder / "pairs")
            start = time.perf_counter()
            record = run_dedupe(pairs.snapshot, folder / "store")
            seconds.append(time.perf_counter() - start)
            told("planted, one template", record, folder / "store", seconds[-1])
    slope, _ = np.polyfit([math.log(size) for size in sizes], [math.log(one) for one in seconds], 1)
    print(f"seconds grow with rows to the power {slope:.2f}")
    tell("planted, one template: seconds grow with rows to the power", slope)


if __name__ == "__main__":
    default = Path(os.environ.get("TUNELOOP_SHARED", ROOT.parent / "shared" / "data"))
    real = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    if real.is_dir():
        toolformer(real)
    else:
        print(f"no real data at {real}: left out")
    planted([int(word) for word in sys.argv[2:]] or SIZES)
