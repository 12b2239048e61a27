"""Runs the recipe beside this file over real public data and prints rows, seconds and peak memory by stage.

    python tests/bench/real_data.py [FOLDER]     (FOLDER: $TUNELOOP_SHARED or ../shared/data)

Every stage is a process of its own, so that its peak memory is its own.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import tell

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("ingest", "dedupe", "format", "annotate", "split")


def main() -> None:
    """Run every stage and print a table; stop with 1 if the rows do not add up."""
    default = os.environ.get("TUNELOOP_SHARED", str(ROOT.parent / "shared" / "data"))
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else default)
    if not folder.is_dir():
        print(f"real_data: skipped, no data at {folder}")
        return
    with tempfile.TemporaryDirectory() as temporary:
        recipe = Path(temporary) / "real.toml"
        text = (ROOT / "tests" / "bench" / "real_data.toml").read_text("utf-8")
        recipe.write_text(text.replace("TOKENIZER", str(ROOT / "data" / "sample" / "tokenizer")), encoding="utf-8")
        print(f"{'stage':<9} {'in':>8} {'kept':>8} {'dropped':>8} {'seconds':>8} {'peak MB':>8}  dropped by reason")
        for stage in STAGES:
            run_stage(stage, folder, recipe, Path(temporary) / "data")


def run_stage(stage: str, folder: Path, recipe: Path, data_root: Path) -> None:
    """Bring the data up to one more stage and print its line."""
    words = [sys.executable, "-m", "pipeline", "data", "--recipe", str(recipe), "--data-root", str(data_root)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    began = time.monotonic()
    done = subprocess.run([*words, "--to", stage], cwd=folder, env=environment, capture_output=True, text=True)
    seconds = time.monotonic() - began
    if done.returncode:
        print(done.stderr)
        sys.exit(1)
    record = json.loads(max((data_root / stage / "refs" / "real").glob("*.json")).read_text("utf-8"))
    if record["rows_in"] != record["rows_kept"] + record["rows_dropped"]:
        sys.exit(f"{stage}: rows do not add up")
    reasons = ", ".join(f"{name} {n:,}" for name, n in record["dropped_by_reason"].items())
    peak = record["peak_memory_bytes"] / 1e6
    print(
        f"{stage:<9} {record['rows_in']:>8,} {record['rows_kept']:>8,} {record['rows_dropped']:>8,} "
        f"{record['seconds']:>8.1f} {peak:>8,.0f}  {reasons}   (process {seconds:.1f} s)"
    )
    tell(f"{stage}: rows kept", record["rows_kept"], of=record["rows_in"], headline=stage == STAGES[-1])
    tell(f"{stage}: seconds", record["seconds"], "s")
    tell(f"{stage}: memory", peak, "MB")


if __name__ == "__main__":
    main()
