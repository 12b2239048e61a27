"""Trains the tiny base on slices of three public sets and prints what the report says, hopeful or not.

    python tests/bench/real_training.py [FOLDER]     (FOLDER: $TUNELOOP_SHARED or ../shared/data)

A model of a million parameters that has read nothing but invented office text cannot learn sums or German from some
hundred rows. What is shown is that the run works on real rows, and that the report claims no more than its intervals.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import tell
from sample_seconds import told_scores

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Run data and train, and print seconds, arms, intervals and the verdict."""
    default = os.environ.get("TUNELOOP_SHARED", str(ROOT.parent / "shared" / "data"))
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else default)
    if not folder.is_dir():
        print(f"real_training: skipped, no data at {folder}")
        return
    with tempfile.TemporaryDirectory() as temporary:
        recipe, store = Path(temporary) / "recipe.toml", Path(temporary) / "data"
        text = (ROOT / "tests" / "bench" / "real_training.toml").read_text("utf-8")
        sample = ROOT / "data" / "sample"
        text = text.replace("TOKENIZER", str(sample / "tokenizer")).replace("BASE_TEXT", str(sample / "base.txt"))
        recipe.write_text(text, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        for command in ("data", "train"):
            began = time.monotonic()
            words = [sys.executable, "-m", "pipeline", command, "--recipe", str(recipe), "--data-root", str(store)]
            subprocess.run(words, cwd=folder, env=environment, check=True)
            seconds = time.monotonic() - began
            print(f"{command}: {seconds:.0f} s")
            tell(f"{command}: seconds", seconds, "s")
        report = json.loads((store / "runs" / "latest-real-training" / "report.json").read_text("utf-8"))
        for one in report["slices"]:
            if one["by"] == "template":
                scores = ", ".join(f"{mean['arm']} {mean['score']:.3f}" for mean in one["means"])
                print(f"{one['value']} ({one['n']} rows, {one['metric']}): {scores}")
        told_scores(report)


if __name__ == "__main__":
    main()
