"""What one turn of the loop is worth: train, rank, review the top of the queue, make the next version, train again.

    make bench-loop                                  (five seeds, all strategies: hours; stopped, it goes on)
    python tests/bench/loop_gain.py --seeds 1 --rows 8000 --epochs 2 --budgets 10

Rows come from the sample's generator with its planted wrong answers, plausible ones that no rule finds. A scripted
reviewer knows the truth: it corrects what is wrong and accepts what is right, and has reviewed the whole test side
before, so that all models are scored on the truth. The same number of train rows is reviewed in the order of the queue,
at random, the longest answers first, by rules alone, and by the loss of the trained model alone; each version is trained
on the same base. Differences are paired by test row, and drawn whole by seed and group.

The share of planted wrong answers found needs one training a seed; what review does to the test side, one more for each
strategy and budget; a budget of 100 is all that review can do. With `--label-studio` the first seed takes one more turn
the way people do: as many tasks are pushed to a real Label Studio, answered there and pulled; its queue has its random
share and rows of the validation side too.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from loop_turns import Turn, tell_found, tell_gain
from scripted_review import Truth, review, review_in_label_studio

from annotation.checked_texts import Kinds
from annotation.connection import Connection
from annotation.open_rows import open_rows
from annotation.queue import queue_of
from annotation.rule_checks import doubt_of
from annotation.server import start, stop
from pipeline.recipe import load_recipe
from pipeline.template import load_templates

ROOT = Path(__file__).resolve().parents[2]
STRATEGIES = ("queue", "random", "length", "rules", "loss")
RECIPE = "loop.toml"
AGAIN = "again-loop.toml"  # what only finds wrong answers is not needed a second time
ALONE = "alone-loop.toml"  # and a reviewer who is alone gives no second answer
SERVED = "label-studio"


def main() -> None:
    """Print finding and gain, pooled over the seeds."""
    given = _arguments()
    given.work.mkdir(parents=True, exist_ok=True)
    jobs = [(given, seed) for seed in range(given.first_seed, given.first_seed + given.seeds)]
    if given.jobs > 1:
        with ProcessPoolExecutor(given.jobs) as pool:
            turns = [turn for some in pool.map(_seed, jobs) for turn in some]
    else:
        turns = [turn for job in jobs for turn in _seed(job)]
    tell_found(turns, given.budgets)
    if not given.find_only:
        tell_gain(turns, given.budgets)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=24_000)
    parser.add_argument("--epochs", type=float, default=6)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--base-steps", type=int, default=1_500)
    parser.add_argument("--test-share", type=float, default=0.1)
    parser.add_argument("--budgets", type=int, nargs="+", default=[5, 10, 20], help="per cent of the train side")
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES), choices=STRATEGIES)
    parser.add_argument("--find-only", action="store_true", help="rank, and train nothing again")
    parser.add_argument(
        "--label-studio", action="store_true", help="one more turn of the first seed, through a real Label Studio"
    )
    parser.add_argument("--jobs", type=int, default=1, help="seeds at once, each on its share of the cores")
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "bench-loop", help="kept, so that a run goes on")
    return parser.parse_args()


def _seed(job: tuple[argparse.Namespace, int]) -> list[Turn]:
    given, seed = job
    place = given.work / f"rows-{given.rows}-epochs-{given.epochs:g}-base-{given.base_steps}-seed-{seed}"
    truth = _first_version(given, seed, place)
    store = place / "before"
    _tuneloop(given, place / RECIPE, store, "train")
    before = _run_of(store)
    turns = [Turn(seed, "none", 0, 0.0, str(before))]
    train = _train_side(store)
    wrong = set(train.loc[train["origin"].map(truth.is_wrong), "id"])
    _say(
        f"seed {seed}: {len(train):,} train rows, {len(wrong):,} with a planted wrong answer ({len(wrong) / len(train):.1%})"
    )
    orders = _orders(place, store, train, before, seed)
    for budget in given.budgets:
        for strategy in given.strategies:
            chosen = orders[strategy][: round(budget / 100 * len(train))]
            found = len(wrong & set(chosen)) / len(wrong)
            _say(f"seed {seed}: {strategy:<7} {budget:>2} %: {found:6.1%} of the planted wrong answers found")
            run = ""
            if not given.find_only:
                after = place / f"{strategy}-{budget}"
                if not after.exists():
                    draft = _copy(store, after.with_suffix(".draft"))
                    review(draft, chosen, truth, f"{strategy} {budget}")
                    draft.rename(after)
                run = _again(given, place / AGAIN, after)
            turns.append(Turn(seed, strategy, budget, found, run))
        if given.label_studio and seed == given.first_seed:
            turns.append(_through_label_studio(given, seed, place, budget, train, wrong, truth))
    return turns


def _copy(store: Path, draft: Path) -> Path:
    shutil.rmtree(draft, ignore_errors=True)
    return shutil.copytree(store, draft, symlinks=True, ignore=shutil.ignore_patterns("runs"))


def _again(given: argparse.Namespace, recipe: Path, store: Path) -> str:
    _tuneloop(given, recipe, store, "data")
    _tuneloop(given, recipe, store, "train")
    return str(_run_of(store))


def _through_label_studio(
    given: argparse.Namespace,
    seed: int,
    place: Path,
    budget: int,
    train: pd.DataFrame,
    wrong: set[str],
    truth: Truth,
) -> Turn:
    recipe, after, record = place / ALONE, place / f"{SERVED}-{budget}", place / f"{SERVED}-{budget}.txt"
    if not record.exists():
        _copy(place / "before", after)
        (after / "runs").symlink_to(place / "before" / "runs", target_is_directory=True)  # the queue ranks by its run
        server = start(after, 0)
        try:
            asks = round(budget / 100 * len(train))
            _tuneloop(given, recipe, after, "annotate", "push", "--limit", str(asks))
            asked = review_in_label_studio(Connection(server.url, server.token), after, "sample", truth)
            _tuneloop(given, recipe, after, "annotate", "pull")
        finally:
            stop(after)
        (after / "runs").unlink()
        record.write_text("\n".join(asked) + "\n", encoding="utf-8")
    asked = record.read_text("utf-8").split()
    found = len(wrong & set(asked)) / len(wrong)
    _say(
        f"seed {seed}: {SERVED} {budget} %: {len(asked):,} tasks answered there, {found:.1%} of the wrong answers found"
    )
    return Turn(seed, SERVED, budget, found, "" if given.find_only else _again(given, recipe, after))


def _first_version(given: argparse.Namespace, seed: int, place: Path) -> Truth:
    """Make rows, recipe and the first version of the data, its test side reviewed whole; return the truth."""
    sample = place / "sample"
    if not (sample / "faults.jsonl").exists():
        generator = [sys.executable, str(ROOT / "data" / "sample" / "generator")]
        command = [*generator, "--rows", str(given.rows), "--seed", str(100 + seed), "--to", str(sample), "--rows-only"]
        subprocess.run(command, check=True, capture_output=True)
    recipe = (ROOT / "pipeline" / "recipes" / "sample.toml").read_text("utf-8")
    kept = ("data/sample/base.txt", "data/sample/tokenizer")
    for name in sorted((path.name for path in sample.iterdir() if path.is_file()), key=len, reverse=True):
        if f"data/sample/{name}" not in kept:
            recipe = recipe.replace(f"data/sample/{name}", str(sample / name))
    shares = f"train = {0.95 - given.test_share:g}, validation = 0.05, test = {given.test_share:g}"
    recipe = recipe.replace("train = 0.87, validation = 0.05, test = 0.08", shares)
    settings = f"epochs = {given.epochs:g}\nbase_steps = {given.base_steps}\nlearning_rate = {given.learning_rate}"
    recipe = recipe.replace("epochs = 5", settings).replace("batch_size = 8", f"batch_size = {given.batch_size}")
    # Which arms stand beside the model is nothing to the loop, and takes time.
    recipe += '\n[evaluate]\narms = ["base"]\n'
    for name, more in ((RECIPE, ""), (AGAIN, "folds = 0\n"), (ALONE, "folds = 0\n[review]\noverlap = 0\n")):
        (place / name).write_text(recipe + more, encoding="utf-8")
    truth = Truth.read(sample / "faults.jsonl")
    store = place / "before"
    if not (place / "reviewed").exists():
        _tuneloop(given, place / RECIPE, store, "data")
        review(store, [row["id"] for row in _rows(store, "test")], truth, "test")
        _tuneloop(given, place / RECIPE, store, "data")
        (place / "reviewed").touch()
    shared = given.work / f"bases-{given.base_steps}"
    shared.mkdir(exist_ok=True)
    if not (store / "bases").exists():
        (store / "bases").symlink_to(shared.resolve(), target_is_directory=True)
    return truth


def _tuneloop(given: argparse.Namespace, recipe: Path, store: Path, *command: str) -> None:
    words = [sys.executable, "-m", "pipeline", *command, "--recipe", str(recipe), "--data-root", str(store)]
    threads = str(max(1, (os.cpu_count() or 1) // given.jobs))
    done = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": threads}
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")


def _run_of(store: Path) -> Path:
    return (store / "runs" / "latest-sample").resolve()


def _rows(store: Path, side: str) -> Iterator[dict[str, str]]:
    columns = ["id", "origin", "template", "n_completion_tokens"]
    for path in sorted((store / "split" / "latest-sample").glob(f"{side}-*.parquet")):
        yield from pq.read_table(path, columns=columns).to_pylist()


def _train_side(store: Path) -> pd.DataFrame:
    return pd.DataFrame(_rows(store, "train"))


def _orders(place: Path, store: Path, train: pd.DataFrame, run: Path, seed: int) -> dict[str, list[str]]:
    """Return strategy to the ids of all train rows, those to review first at the front; equals in an order of chance."""
    recipe = load_recipe(place / RECIPE)
    # The queue as the annotators get it, but for its random share and for rows of the validation side.
    templates = load_templates([])
    queue = queue_of(store, recipe, templates, random_share=0)
    on_train = set(train["id"])
    queued = [one.row["id"] for one in queue.rows() if one.row["id"] in on_train]
    scores = pd.read_parquet(run / "scores.parquet", columns=["example", "arm", "split", "nll"])
    loss = scores[(scores["arm"] == "tuned") & (scores["split"] == "train")].set_index("example")["nll"]
    kinds = Kinds.of({name: template for name, (template, _) in templates.items()})
    marked = open_rows(store, recipe.name, kinds)
    by_rule = dict(zip(marked.ids.to_pylist(), doubt_of(marked.bits).tolist(), strict=True))
    lot = np.random.default_rng(seed).permutation(len(train))
    table = train.assign(loss=train["id"].map(loss), rules=train["id"].map(by_rule).fillna(0.0), lot=lot)
    table = table.sort_values("lot")

    def worst_first(column: str) -> list[str]:
        return table.sort_values(column, ascending=False, kind="stable")["id"].tolist()

    rest = table[~table["id"].isin(set(queued))]["id"].tolist()
    return {
        "queue": [*queued, *rest],
        "random": table["id"].tolist(),
        "length": worst_first("n_completion_tokens"),
        "rules": worst_first("rules"),
        "loss": worst_first("loss"),
    }


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
