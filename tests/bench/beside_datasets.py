"""`tuneloop data` over real public sets, stage by stage, beside the like work in `datasets.map`, in the same run.

    python tests/bench/beside_datasets.py [FOLDER] [--processes 2]     (FOLDER: $TUNELOOP_SHARED or ../shared/data)

The other side is what a careful script does with `datasets`: load each file and map it to messages' fields, drop rows
without a prompt or an answer; drop exact repeats by a hash; render with jinja2 and count tokens with `tokenizers`; cut
into three sides by chance. It finds no near-duplicate, no row of a benchmark and no personal data, repairs nothing, keeps
no dropped row, and its sides leak: what is compared is the price of the work that both do. Each stage is a process of
its own on both sides, and reads what the stage before wrote as parquet.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from figures import tell
from memory import PeakMemory
from real_data import ROOT, STAGES

THEIRS = Path(__file__).parent / "peers" / "datasets_script.py"


def main() -> None:
    """Run both sides and print a line a stage."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", default=os.environ.get("TUNELOOP_SHARED", ROOT.parent / "shared" / "data"))
    parser.add_argument("--processes", type=int, default=2, help="of each side")
    asked = parser.parse_args()
    folder = Path(asked.folder)
    if not folder.is_dir():
        print(f"beside_datasets: skipped, no data at {folder}")
        return
    with tempfile.TemporaryDirectory() as temporary:
        recipe = Path(temporary) / "real.toml"
        text = (ROOT / "tests" / "bench" / "real_data.toml").read_text("utf-8")
        recipe.write_text(text.replace("TOKENIZER", str(ROOT / "data" / "sample" / "tokenizer")), encoding="utf-8")
        data_root = Path(temporary) / "data"
        print(
            f"{'stage':<9} {'rows':>8} {'seconds':>8} {'peak MB':>8}   {'datasets':>9} {'rows':>8} {'seconds':>8} {'peak MB':>8}"
        )
        ours = [sys.executable, "-m", "pipeline", "data", "--recipe", str(recipe), "--data-root", str(data_root)]
        theirs = [sys.executable, str(THEIRS), "--recipe", str(recipe), "--to", f"{temporary}/theirs"]
        total, most = [0.0, 0.0], 0.0
        for stage in STAGES:
            seconds, peak = measure([*ours, "--to", stage, "--workers", str(asked.processes)], folder)
            record = json.loads(max((data_root / stage / "refs" / "real").glob("*.json")).read_text("utf-8"))
            line = f"{stage:<9} {record['rows_kept']:>8,} {seconds:>8.1f} {peak:>8,.0f}"
            total[0] += seconds
            most = max(most, peak)
            peer: dict[str, Any] = {}
            if stage != "annotate":  # nothing of it is there
                read = ["--columns", json.dumps(columns(data_root))] if stage == "ingest" else []
                their_seconds, their_peak = measure(
                    [*theirs, "--stage", stage, "--processes", str(asked.processes), *read], folder
                )
                rows = json.loads((Path(temporary) / "theirs" / f"{stage}.json").read_text("utf-8"))
                line += f"   {'':>9} {rows['rows']:>8,} {their_seconds:>8.1f} {their_peak:>8,.0f}"
                line += f"   {'; '.join(rows['failed'])}" if rows["failed"] else ""
                total[1] += their_seconds
                peer = {"peer": "datasets", "theirs": their_seconds}
            print(line)
            tell(f"{stage}: seconds", seconds, "s", better="less", **peer)
            tell(f"{stage}: rows kept", record["rows_kept"])
        print(
            f"{'together':<9} {'':>8} {total[0]:>8.1f} {'':>8}   {'':>9} {'':>8} {total[1]:>8.1f}   theirs / ours {total[1] / total[0]:.2f}"
        )
        tell("all stages: seconds", total[0], "s", peer="datasets", theirs=total[1], better="less", headline=True)
        tell("most anonymous memory of a stage", most, "MB")


def columns(data_root: Path) -> dict[str, Any]:
    """Return what our ingest took each source's columns for, so that the script need not be told by hand."""
    record = json.loads(max((data_root / "ingest" / "refs" / "real").glob("*.json")).read_text("utf-8"))
    sources: dict[str, Any] = record["facts"]["sources"]
    return {name: {"shapes": told["shapes"], "columns": told["columns"]} for name, told in sources.items()}


def measure(words: list[str], folder: Path) -> tuple[float, float]:
    """Return seconds and the highest anonymous memory of a program and its processes together, in MB."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with PeakMemory() as memory:
        start = time.monotonic()
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - start
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return seconds, memory.anon_bytes / 1e6


if __name__ == "__main__":
    main()
