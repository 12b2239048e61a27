"""What turns of the loop were worth, pooled over seeds and printed.

Differences are paired by test row, and drawn whole by seed and group: such an interval takes the models as they are. A
second one, over the seeds, allows for what the chance of training does too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from figures import tell
from scipy.stats import t as student

from train.compare import interval, minimum_detectable


@dataclass(frozen=True)
class Turn:
    """What one review did: of one seed, one strategy and one budget; the budget 0 is the data before any review."""

    seed: int
    strategy: str
    budget: int
    found: float
    run: str


def tell_found(turns: Sequence[Turn], budgets: Sequence[int]) -> None:
    """Print the mean share of wrong answers found, by budget and strategy."""
    print("\nshare of the planted wrong answers found, mean over seeds (times what random review finds on average)")
    for budget in budgets:
        of = [turn for turn in turns if turn.budget == budget]
        names = dict.fromkeys(turn.strategy for turn in of)
        means = {name: np.mean([turn.found for turn in of if turn.strategy == name]) for name in names}
        told = [f"{name} {mean:.1%} ({mean / (budget / 100):.1f}x)" for name, mean in means.items()]
        print(f"  top {budget:>2} %: {', '.join(told)}")
        for name, mean in means.items():
            if name != "queue" and "queue" in means:
                what = f"wrong answers found in the first {budget} %"
                tell(what, 100 * means["queue"], "%", peer=name, theirs=100 * mean, better="more")


def tell_gain(turns: Sequence[Turn], budgets: Sequence[int]) -> None:
    """Print what each strategy did to the score and the loss on the test side, against random review."""
    tables: Mapping[tuple[str, int], pd.DataFrame] = {
        (name, budget): pd.concat(
            [_test_scores(turn) for turn in turns if (turn.strategy, turn.budget) == (name, budget)]
        )
        for name, budget in dict.fromkeys((turn.strategy, turn.budget) for turn in turns)
    }
    before = tables["none", 0]
    n_seeds = len({turn.seed for turn in turns})
    for measure, better in (("score", "more"), ("nll", "less")):
        print(f"\ntest {measure} on the truth ({better} is better), {len(before):,} rows over {n_seeds} seeds")
        print(f"  before any review: {before[measure].mean():.4f}")
        for budget in budgets:
            if ("random", budget) not in tables:
                continue
            random = tables["random", budget]
            pairs = pd.merge(random, before, left_index=True, right_index=True, suffixes=("", "_before"))
            least = minimum_detectable(pairs[measure] - pairs[f"{measure}_before"], pairs["group"].tolist())
            print(f"  {budget} % reviewed; the minimum detectable difference is {least:.4f}")
            for name in dict.fromkeys(turn.strategy for turn in turns if turn.budget == budget):
                mine = pd.merge(
                    tables[name, budget], random, left_index=True, right_index=True, suffixes=("", "_random")
                )
                difference = mine[measure] - mine[f"{measure}_random"]
                low, high = interval(difference.to_numpy(), mine["group"].tolist())
                by_seed = difference.groupby(mine["seed"]).mean()
                print(
                    f"    {name:<12} {tables[name, budget][measure].mean():.4f}   "
                    f"against random {difference.mean():+.4f} ({low:+.4f} to {high:+.4f}), "
                    f"by seed {', '.join(f'{one:+.4f}' for one in by_seed)}{_over_trainings(by_seed.to_numpy())}"
                )
                if name != "random":
                    what = f"test {measure}, {budget} % reviewed by {name}"
                    tell(what, mine[measure].mean(), peer="at random", theirs=random[measure].mean())


def _over_trainings(by_seed: np.ndarray) -> str:
    """Return Student's interval over the seeds: how far another training of each version could turn it."""
    if len(by_seed) < 2 or not by_seed.any():
        return ""
    low, high = student.interval(0.95, len(by_seed) - 1, by_seed.mean(), by_seed.std(ddof=1) / len(by_seed) ** 0.5)
    return f"; over the seeds {low:+.4f} to {high:+.4f}"


def _test_scores(turn: Turn) -> pd.DataFrame:
    columns = ["example", "group", "arm", "split", "score", "nll"]
    scores = pd.read_parquet(Path(turn.run) / "scores.parquet", columns=columns)
    mine = scores[(scores["arm"] == "tuned") & (scores["split"] == "test")]
    keys = [f"{turn.seed} {example}" for example in mine["example"]]
    # The seeds made other rows: their groups are others too.
    groups = [f"{turn.seed} {group}" for group in mine["group"]]
    return mine.assign(key=keys, seed=turn.seed, group=groups).set_index("key")[["seed", "group", "score", "nll"]]
