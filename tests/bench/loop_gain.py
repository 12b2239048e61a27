"""What one turn of the loop is worth: train, rank, review the top of the queue, make the next version, train again.

    make bench-loop                                  (five seeds, all strategies: hours; stopped, it goes on)
    python tests/bench/loop_gain.py --seeds 1 --rows 8000 --epochs 2 --budgets 10

Rows come from the sample's generator with its planted wrong answers, plausible ones that no rule finds. A scripted
reviewer knows the truth: it corrects what is wrong and accepts what is right, and has reviewed the whole test side
before, so that all models are scored on the truth. The same number of train rows is reviewed in the order of the queue,
at random, the longest answers first, by rules alone, and by the loss of the trained model alone; each version is trained
on the same base. Differences are paired by test row, and drawn whole by seed and group.

The share of planted wrong answers found needs one training a seed; what review does to the test side, one more for each
strategy and budget.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from scripted_review import Truth, review

from annotation.checked_texts import Kinds
from annotation.open_rows import open_rows
from annotation.queue import queue_of
from annotation.rule_checks import doubt_of
from pipeline.recipe import load_recipe
from pipeline.template import load_templates
from train.compare import interval, minimum_detectable

ROOT = Path(__file__).resolve().parents[2]
STRATEGIES = ("queue", "random", "length", "rules", "loss")
RECIPE = "loop.toml"


@dataclass(frozen=True)
class Turn:
    """What one review did: of one seed, one strategy and one budget; the budget 0 is the data before any review."""

    seed: int
    strategy: str
    budget: int
    found: float
    run: str


def main() -> None:
    """Print finding and gain, pooled over the seeds."""
    given = _arguments()
    given.work.mkdir(parents=True, exist_ok=True)
    jobs = [(given, seed) for seed in range(1, given.seeds + 1)]
    if given.jobs > 1:
        with ProcessPoolExecutor(given.jobs) as pool:
            turns = [turn for some in pool.map(_seed, jobs) for turn in some]
    else:
        turns = [turn for job in jobs for turn in _seed(job)]
    _tell_found(turns, given)
    _tell_gain(turns, given)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=24_000)
    parser.add_argument("--epochs", type=float, default=6)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--base-steps", type=int, default=1_500)
    parser.add_argument("--test-share", type=float, default=0.1)
    parser.add_argument("--budgets", type=int, nargs="+", default=[5, 10, 20], help="per cent of the train side")
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES), choices=STRATEGIES)
    parser.add_argument("--find-only", action="store_true", help="rank, and train nothing again")
    parser.add_argument("--jobs", type=int, default=1, help="seeds at once, each on its share of the cores")
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "bench-loop", help="kept, so that a run goes on")
    return parser.parse_args()


def _seed(job: tuple[argparse.Namespace, int]) -> list[Turn]:
    given, seed = job
    place = given.work / f"rows-{given.rows}-epochs-{given.epochs:g}-base-{given.base_steps}-seed-{seed}"
    truth = _first_version(given, seed, place)
    store = place / "before"
    _tuneloop(given, place, store, "train")
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
                    shutil.copytree(
                        store, after.with_suffix(".draft"), symlinks=True, ignore=shutil.ignore_patterns("runs")
                    )
                    review(after.with_suffix(".draft"), chosen, truth, f"{strategy} {budget}")
                    after.with_suffix(".draft").rename(after)
                _tuneloop(given, place, after, "data")
                _tuneloop(given, place, after, "train", again=True)
                run = str(_run_of(after))
            turns.append(Turn(seed, strategy, budget, found, run))
    return turns


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
    (place / RECIPE).write_text(recipe + '\n[evaluate]\narms = ["base"]\n', encoding="utf-8")
    truth = Truth.read(sample / "faults.jsonl")
    store = place / "before"
    if not (place / "reviewed").exists():
        _tuneloop(given, place, store, "data")
        review(store, [row["id"] for row in _rows(store, "test")], truth, "test")
        _tuneloop(given, place, store, "data")
        (place / "reviewed").touch()
    shared = given.work / f"bases-{given.base_steps}"
    shared.mkdir(exist_ok=True)
    if not (store / "bases").exists():
        (store / "bases").symlink_to(shared.resolve(), target_is_directory=True)
    return truth


def _tuneloop(given: argparse.Namespace, place: Path, store: Path, command: str, *, again: bool = False) -> None:
    recipe = place / RECIPE
    if again:  # what only finds wrong answers is not needed a second time
        recipe = place / f"again-{RECIPE}"
        recipe.write_text((place / RECIPE).read_text("utf-8") + "folds = 0\n", "utf-8")
    words = [sys.executable, "-m", "pipeline", command, "--recipe", str(recipe), "--data-root", str(store)]
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


def _tell_found(turns: Sequence[Turn], given: argparse.Namespace) -> None:
    _say("\nshare of the planted wrong answers found, mean over seeds (times what random review finds on average)")
    for budget in given.budgets:
        of = [turn for turn in turns if turn.budget == budget]
        means = {name: np.mean([turn.found for turn in of if turn.strategy == name]) for name in given.strategies}
        told = [f"{name} {mean:.1%} ({mean / (budget / 100):.1f}x)" for name, mean in means.items()]
        _say(f"  top {budget:>2} %: {', '.join(told)}")


def _tell_gain(turns: Sequence[Turn], given: argparse.Namespace) -> None:
    if given.find_only:
        return
    tables: Mapping[tuple[str, int], pd.DataFrame] = {
        (name, budget): pd.concat(
            [_test_scores(turn) for turn in turns if (turn.strategy, turn.budget) == (name, budget)]
        )
        for name, budget in dict.fromkeys((turn.strategy, turn.budget) for turn in turns)
    }
    before = tables["none", 0]
    for measure, better in (("score", "more"), ("nll", "less")):
        _say(f"\ntest {measure} on the truth ({better} is better), {len(before):,} rows over {given.seeds} seeds")
        _say(f"  before any review: {before[measure].mean():.4f}")
        for budget in given.budgets:
            if ("random", budget) not in tables:
                continue
            random = tables["random", budget]
            pairs = pd.merge(random, before, left_index=True, right_index=True, suffixes=("", "_before"))
            least = minimum_detectable(pairs[measure] - pairs[f"{measure}_before"], pairs["group"].tolist())
            _say(f"  {budget} % reviewed; the minimum detectable difference is {least:.4f}")
            for name in given.strategies:
                mine = pd.merge(
                    tables[name, budget], random, left_index=True, right_index=True, suffixes=("", "_random")
                )
                difference = (mine[measure] - mine[f"{measure}_random"]).to_numpy()
                low, high = interval(difference, mine["group"].tolist())
                _say(
                    f"    {name:<7} {tables[name, budget][measure].mean():.4f}   "
                    f"against random {difference.mean():+.4f} ({low:+.4f} to {high:+.4f})"
                )


def _test_scores(turn: Turn) -> pd.DataFrame:
    columns = ["example", "group", "arm", "split", "score", "nll"]
    scores = pd.read_parquet(Path(turn.run) / "scores.parquet", columns=columns)
    mine = scores[(scores["arm"] == "tuned") & (scores["split"] == "test")]
    keys = [f"{turn.seed} {example}" for example in mine["example"]]
    # The seeds made other rows: their groups are others too.
    return mine.assign(key=keys, group=[f"{turn.seed} {group}" for group in mine["group"]]).set_index("key")[
        ["group", "score", "nll"]
    ]


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
