"""How many of the sample's planted faults stand in the queue that a training run makes.

    make data train && python tests/bench/feedback_finds.py [STORE]     (STORE: data)

No rule sees the wrong answers, rules see the others; faults.jsonl knows them all. Random choice finds the share they
have in the train side.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
from figures import tell

ROOT = Path(__file__).resolve().parents[2]
SIZES = (50, 100, 200, 400, 800)


def main() -> None:
    """Print, for queues of several sizes, how many planted wrong answers they hold and how many chance would find."""
    store = Path(sys.argv[1] if len(sys.argv) > 1 else "data").resolve()
    split = store / "split" / "latest-sample"
    if not (store / "runs" / "latest-sample").exists():
        print("feedback_finds: skipped, no finished run; `make data train` first")
        return
    faults = list(map(json.loads, (ROOT / "data" / "sample" / "faults.jsonl").read_text("utf-8").splitlines()))
    kinds = {fault["origin"]: fault["kind"] for fault in faults}
    # Of two conflicting answers either may be the wrong one.
    kinds |= {fault["partner"]: "conflict" for fault in faults if fault["kind"] == "conflict"}
    columns = ["id", "origin"]
    rows = [row for path in split.glob("train-*.parquet") for row in pq.read_table(path, columns=columns).to_pylist()]
    planted = {row["id"]: kind for row in rows if (kind := kinds.get(row["origin"].rpartition("/")[2]))}
    wrong = {one for one, kind in planted.items() if kind == "wrong_answer"}
    print(f"{len(rows):,} train rows, {len(planted):,} with a planted fault, {len(wrong):,} of them a wrong answer")
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            queue = Path(folder) / "queue.jsonl"
            words = ["feedback", "--to", str(queue), "--limit", str(size), "--random-share", "0", "--validation", "0"]
            command = [sys.executable, "-m", "pipeline", *words, "--data-root", str(store)]
            done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr[-3000:])
            ids = [json.loads(line)["data"]["example_id"] for line in queue.read_text("utf-8").splitlines()]
            told = [f"first {len(ids):>4}:"]
            for name, these in (("faults", set(planted)), ("wrong answers", wrong)):
                found, chance = len(these & set(ids)), len(these) / len(rows)
                told.append(f"{found:>4} {name}, {found / len(ids) / chance:.1f} times chance")
                tell(f"first {len(ids)}: {name}", found, peer="chance", theirs=chance * len(ids), better="more")
            print("  ".join(told))


if __name__ == "__main__":
    main()
