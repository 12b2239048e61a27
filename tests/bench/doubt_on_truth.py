"""How well the queue finds mistakes that people know of in real data, once a model has been trained on it.

    python tests/bench/doubt_on_truth.py [--sets banking77 mlqe-pe] [--work DIR]   (TUNELOOP_SHARED: where the data lie)

| set | rows | wrong |
|---|---|---|
| banking77, clinc150 | a text and its label, a head over the labels | 5 % of the labels, flipped to another that occurs |
| mlqe-pe | machine translations from English to German | people changed over half of the words (HTER over 0.5) |
| mmlu-redux | exam questions and the letter that is the key | experts found a fault in question or key |

Of each, recall and precision in the tenth of the train side that comes first: in the queue's order as annotators get it
(rules, doubt and trust, without its random share), by doubt and by loss alone, longest first, and by chance. The loss of
the held-out models orders rows of a class as cleanlab's self-confidence does (Northcutt et al., 2021), its score for
label errors, given the same held-out probabilities.
"""

import argparse
import ast
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from figures import tell

from annotation.queue import queue_of
from pipeline.recipe import load_recipe
from pipeline.template import load_templates

ROOT = Path(__file__).resolve().parents[2]
FLIPPED, FIRST = 0.05, 0.1
RECIPE = """
name = "{name}"
[[ingest.sources]]
name = "{name}"
path = "{rows}"
template = "{template}"
keep = ["number"]
[dedupe]
near = 1.0
[format]
tokenizer = "data/sample/tokenizer"
max_tokens = 480
[split]
shares = {{ train = 0.9, validation = 0.05, test = 0.05 }}
[train]
family = "{family}"
method = "full"
epochs = {epochs}
batch_size = 16
[evaluate]
arms = ["base"]
folds = {folds}
"""


@dataclass(frozen=True)
class Judged:
    """A set of data whose mistakes are known: the fields of each row, and which rows are wrong."""

    template: str
    family: str
    epochs: float
    rows: list[dict[str, str]]
    is_wrong: list[bool]


def main() -> None:
    """Print recall at a tenth for each data set and order."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=float, help="instead of the set's own")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    shared = Path(os.environ.get("TUNELOOP_SHARED", str(ROOT.parent / "shared" / "data")))
    if not shared.is_dir():
        print(f"doubt_on_truth: skipped, no data at {shared}")
        return
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        for name in given.sets:
            _judge(name, SETS[name](shared / name), work / name, given)


def _banking(folder: Path) -> Judged:
    with (folder / "train.csv").open(encoding="utf-8", newline="") as file:
        return _flipped([(row["text"], row["category"]) for row in csv.DictReader(file)])


def _clinc(folder: Path) -> Judged:
    found = json.loads((folder / "data_small.json").read_text("utf-8"))
    return _flipped([(text, label) for text, label in found["train"]])


def _flipped(pairs: Sequence[tuple[str, str]]) -> Judged:
    draw = Random(77)
    labels = sorted({label for _, label in pairs})
    flipped = set(draw.sample(range(len(pairs)), round(FLIPPED * len(pairs))))
    rows = []
    for number, (text, label) in enumerate(pairs):
        shown = draw.choice([other for other in labels if other != label]) if number in flipped else label
        rows.append({"instruction": text, "response": shown})
    return Judged("instruct", "classify", 6, rows, [number in flipped for number in range(len(rows))])


def _translations(folder: Path) -> Judged:
    lines = (folder / "derived" / "en-de.train.jsonl").read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    languages = {"source_language": "English", "target_language": "German"}
    rows = [{"source": row["src"], "target": row["mt"], **languages} for row in found]
    return Judged("translate", "causal", 2, rows, [row["hter"] > 0.5 for row in found])


def _choices(folder: Path) -> Judged:
    table = pd.read_csv(folder / "all.csv", keep_default_na=False)
    rows = []
    for question, choices, key in zip(table["question"], table["choices"], table["groundtruth_answer"], strict=True):
        offered = zip("ABCD", ast.literal_eval(choices), strict=False)
        told = "\n".join(f"{letter}. {text}" for letter, text in offered)
        rows.append({"instruction": f"{question}\n{told}", "response": "ABCD"[key]})
    return Judged("instruct", "causal", 2, rows, table["binary_error_type"].astype(bool).tolist())


SETS = {"banking77": _banking, "clinc150": _clinc, "mlqe-pe": _translations, "mmlu-redux": _choices}


def _judge(name: str, judged: Judged, work: Path, given: argparse.Namespace) -> None:
    work.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({**row, "number": number}) for number, row in enumerate(judged.rows)]
    (work / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    recipe, store = work / "recipe.toml", work / "store"
    bases = work.parent / "bases"  # the same one for all sets
    bases.mkdir(exist_ok=True)
    store.mkdir(exist_ok=True)
    if not (store / "bases").exists():
        (store / "bases").symlink_to(bases.resolve(), target_is_directory=True)
    recipe.write_text(
        RECIPE.format(
            name=name,
            rows=work / "rows.jsonl",
            template=judged.template,
            family=judged.family,
            epochs=given.epochs or judged.epochs,
            folds=given.folds,
        ),
        encoding="utf-8",
    )
    for command in ("data", "train"):
        words = [sys.executable, "-m", "pipeline", command, "--recipe", str(recipe), "--data-root", str(store)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, env=dict(os.environ))
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
    orders, is_wrong, of_test = _orders(name, recipe, store, judged)
    print(
        f"{name}: {len(is_wrong):,} train rows, {is_wrong.sum()} wrong ({is_wrong.mean():.1%}); "
        f"score on the test side {of_test:.3f}"
    )
    n_first = round(FIRST * len(is_wrong))
    recalls = {}
    for told, values in orders.items():
        n_found = is_wrong[np.argsort(-values, kind="stable")[:n_first]].sum()
        recalls[told] = float(100 * n_found / is_wrong.sum())
        print(f"  {told:<66} recall {n_found / is_wrong.sum():6.1%}   precision {n_found / n_first:6.1%}", flush=True)
    for told, recall in recalls.items():
        if told != "the queue":
            tell(f"{name}: found in the first tenth of the queue", recalls["the queue"], "%", peer=told, theirs=recall)


def _orders(name: str, recipe: Path, store: Path, judged: Judged) -> tuple[dict[str, np.ndarray], np.ndarray, float]:
    """Return each order's scores of the train rows, which of these are wrong, and the model's score on the test side."""
    run = (store / "runs" / f"latest-{name}").resolve()
    scores = pd.read_parquet(run / "scores.parquet")
    report = json.loads((run / "report.json").read_text("utf-8"))
    of_test = next(mean["score"] for mean in report["means"] if mean["arm"] == "tuned")
    train = scores[scores["split"] == "train"].pivot(index="example", columns="arm", values=["nll", "doubt"])
    split = [
        row
        for path in sorted((store / "split" / f"latest-{name}").glob("train-*.parquet"))
        for row in pq.read_table(path, columns=["id", "meta", "n_completion_tokens"]).to_pylist()
    ]
    numbers = {row["id"]: int(json.loads(row["meta"])["number"]) for row in split}
    lengths = {row["id"]: row["n_completion_tokens"] for row in split}
    queue = queue_of(store, load_recipe(recipe), load_templates([]), random_share=0)
    places = {one.row["id"]: place for place, one in enumerate(queue.rows())}
    chance = np.random.default_rng(0).random(len(train))
    orders = {
        "the queue": -np.array([places.get(example, len(places)) for example in train.index], float),
        "doubt, held-out models": train["doubt"]["held"].to_numpy(),
        "doubt, tuned model": train["doubt"]["tuned"].to_numpy(),
        "loss, held-out models (of classes: as cleanlab's self-confidence)": train["nll"]["held"].to_numpy(),
        "loss, tuned model": train["nll"]["tuned"].to_numpy(),
        "longest answer first": np.array([lengths[example] for example in train.index], float),
        "chance": chance,
    }
    return orders, np.array([judged.is_wrong[numbers[example]] for example in train.index]), of_test


if __name__ == "__main__":
    main()
