"""How well doubt finds wrong labels in real data, beside the loss of the same models.

    python tests/bench/doubt_on_truth.py [--epochs 6] [--work DIR]      (TUNELOOP_SHARED names the folder with the data)

banking77 and clinc150, with 5 % of the train labels flipped to another label that occurs: a classification head on the
embedded base, trained by two folds that have not seen the rows they judge. Recall is of the flipped labels, in the tenth
of the train side that comes first; chance finds a tenth. The loss of the held-out models orders rows as cleanlab's
self-confidence does (Northcutt et al., 2021), its score for label errors, given the same held-out probabilities.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[2]
FLIPPED = 0.05
RECIPE = """
name = "{name}"
[[ingest.sources]]
name = "{name}"
path = "{rows}"
template = "instruct"
fields = {{ instruction = "text", response = "label" }}
keep = ["number"]
[dedupe]
near = 1.0
[format]
tokenizer = "data/sample/tokenizer"
[split]
shares = {{ train = 0.9, validation = 0.05, test = 0.05 }}
[train]
family = "classify"
method = "full"
epochs = {epochs}
batch_size = 16
[evaluate]
arms = ["base"]
folds = {folds}
"""


def main() -> None:
    """Print recall at a tenth for each data set and score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=float, default=6)
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--sets", nargs="+", default=["banking77", "clinc150"])
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    shared = Path(os.environ.get("TUNELOOP_SHARED", str(ROOT.parent / "shared" / "data")))
    if not shared.is_dir():
        print(f"doubt_on_truth: skipped, no data at {shared}")
        return
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        for name in given.sets:
            rows = _banking(shared / name) if name == "banking77" else _clinc(shared / name)
            _judge(name, rows, work / name, given)


def _banking(folder: Path) -> list[tuple[str, str]]:
    with (folder / "train.csv").open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def _clinc(folder: Path) -> list[tuple[str, str]]:
    found = json.loads((folder / "data_small.json").read_text("utf-8"))
    return [(text, label) for text, label in found["train"]]


def _judge(name: str, rows: Sequence[tuple[str, str]], work: Path, given: argparse.Namespace) -> None:
    work.mkdir(parents=True, exist_ok=True)
    draw = Random(77)
    labels = sorted({label for _, label in rows})
    flipped = set(draw.sample(range(len(rows)), round(FLIPPED * len(rows))))
    lines = []
    for number, (text, label) in enumerate(rows):
        shown = draw.choice([other for other in labels if other != label]) if number in flipped else label
        lines.append(json.dumps({"text": text, "label": shown, "number": number}))
    (work / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    recipe = work / "recipe.toml"
    text = RECIPE.format(name=name, rows=work / "rows.jsonl", epochs=given.epochs, folds=given.folds)
    recipe.write_text(text, encoding="utf-8")
    store = work / "store"
    for command in ("data", "train"):
        words = [sys.executable, "-m", "pipeline", command, "--recipe", str(recipe), "--data-root", str(store)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, env=dict(os.environ))
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
    split = [
        row
        for path in sorted((store / "split" / f"latest-{name}").glob("train-*.parquet"))
        for row in pq.read_table(path, columns=["id", "meta"]).to_pylist()
    ]
    is_wrong = {row["id"]: int(json.loads(row["meta"])["number"]) in flipped for row in split}
    run = (store / "runs" / f"latest-{name}").resolve()
    scores = pd.read_parquet(run / "scores.parquet")
    report = json.loads((run / "report.json").read_text("utf-8"))
    tuned = next(mean["score"] for mean in report["means"] if mean["arm"] == "tuned")
    train = scores[scores["split"] == "train"].pivot(index="example", columns="arm", values=["nll", "doubt"])
    wrong = np.array([is_wrong[example] for example in train.index])
    print(
        f"{name}: {len(train):,} train rows, {wrong.sum()} labels flipped ({wrong.mean():.1%}), {len(labels)} labels, "
        f"accuracy on the test side {tuned:.3f}"
    )
    for told, values in (
        ("doubt, mean of held-out and tuned (the queue's)", train["doubt"]["held"] + train["doubt"]["tuned"]),
        ("doubt, held-out models alone", train["doubt"]["held"]),
        ("doubt, tuned model alone", train["doubt"]["tuned"]),
        ("loss, held-out models (cleanlab's self-confidence orders alike)", train["nll"]["held"]),
        ("loss, tuned model", train["nll"]["tuned"]),
        ("chance", pd.Series(np.random.default_rng(0).random(len(train)), train.index)),
    ):
        first = np.argsort(-values.to_numpy(), kind="stable")[: round(0.1 * len(train))]
        print(f"  {told:<66} {wrong[first].sum() / wrong.sum():6.1%} of the flipped labels in the first tenth")


if __name__ == "__main__":
    main()
