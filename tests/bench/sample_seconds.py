"""The sample through all stages, then again, each a process of its own, in a store of its own.

    python tests/bench/sample_seconds.py [--train]

With `--train` the tiny base is made, trained on it and judged, and the report's scores are told.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import tell
from memory import PeakMemory

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Print seconds and memory."""
    with tempfile.TemporaryDirectory() as name:
        store = Path(name) / "data"
        for told in ("first run", "again, nothing changed"):
            seconds, anon = run("data", store)
            print(f"data, {told}: {seconds:.1f} s, {anon / 1e6:,.0f} MB of anonymous memory")
            tell(f"seconds, {told}", seconds, "s")
            tell(f"anonymous memory, {told}", anon / 1e6, "MB")
        if "--train" in sys.argv:
            seconds, anon = run("train", store)
            print(f"train: {seconds:.0f} s, {anon / 1e6:,.0f} MB of anonymous memory")
            tell("seconds to train and judge", seconds, "s")
            told_scores(json.loads((store / "runs" / "latest-sample" / "report.json").read_text("utf-8")))


def told_scores(report: dict) -> None:
    """Print the verdict and each arm's score on the test rows."""
    scores = {mean["arm"]: mean["score"] for mean in report["means"]}
    print(", ".join(f"{arm} {score:.3f}" for arm, score in scores.items()))
    print(report["verdict"])
    for arm in scores:
        if arm != "tuned":
            tell("score on the test rows", scores["tuned"], peer=arm, theirs=scores[arm], headline=arm == "nearest")


def run(command: str, store: Path) -> tuple[float, int]:
    """Return seconds and the highest anonymous memory of a command and its processes together."""
    with PeakMemory() as memory:
        start = time.monotonic()
        command_of([command, "--data-root", str(store)])
        seconds = time.monotonic() - start
    return seconds, memory.anon_bytes


def command_of(words: list[str]) -> None:
    """Run a command of tuneloop in a process of its own; stop with its message if it fails."""
    whole = [sys.executable, "-m", "pipeline", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(whole, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])


if __name__ == "__main__":
    main()
