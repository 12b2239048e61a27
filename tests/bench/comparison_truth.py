"""How often a comparison claims a difference that is not there, and finds one that is, on simulated scores.

    python tests/bench/comparison_truth.py [--seed 1] [--comparisons 1000]

A/A: two runs of one model, whose scores differ by chance alone; groups of 1 to 5 rows have an effect of their own in
each run. The aim is 3 to 7.5 % of 1,000 comparisons. Power: one run is truly better by the difference that the test of
an A/A pair of that size says it finds (`Comparison.detectable`, in each comparison that of a pair of its own); the aim
is 80 % at least. The exact test over groups stands beside, for scores that are right or wrong.
"""

import argparse
import os
import time
from collections.abc import Iterator

import numpy as np
from figures import tell

from train.compare import compare
from train.mcnemar import mcnemar

COMPARISONS, RESAMPLES = 1000, 10_000
KINDS = ("right or wrong", "right or wrong, easy", "0 to 1", "NLL")


def groups_of(draws: np.random.Generator, n: int) -> np.ndarray:
    """Return a group number for each of n rows, groups of 1 to 5."""
    return np.repeat(np.arange(n), draws.integers(1, 6, n))[:n]


def run_pair(draws: np.random.Generator, kind: str, groups: np.ndarray, gain: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores of two runs of one model on the same rows, the first truly better by `gain` on average."""
    n, n_groups = len(groups), groups[-1] + 1
    hard = draws.normal(0, 1, n_groups)[groups] + draws.normal(0, 0.7, n)
    runs = []
    for better in (gain, 0.0):
        own = hard + draws.normal(0, 0.5, n_groups)[groups] + draws.normal(0, 0.3, n)
        if kind.startswith("right"):
            likely = 1 / (1 + np.exp(-2 * own - (4 if "easy" in kind else 0)))
            right = draws.uniform(size=n) < likely
            # So many answers turn that the means are apart by the gain: where most are wrong, wrong ones of the first
            # run turn right; where most are right, right ones of the second turn wrong.
            share_right = float(likely.mean())
            turned = draws.uniform(size=n) < gain / max(share_right, 1 - share_right)
            if share_right < 0.5 and better:
                right |= turned
            elif share_right >= 0.5 and not better:
                right &= ~turned
            runs.append(right.astype(float))
        elif kind == "0 to 1":
            runs.append(0.5 + 0.1 * own + better)
        else:
            runs.append(np.exp(0.5 * own) - better + 1.0)
    return runs[0], runs[1]


def claims(kind: str, n: int, seed: int, comparisons: int) -> Iterator[tuple[bool, bool, bool, bool, float]]:
    """Yield for each comparison: A/A claimed, by the exact test too, true gain found, and likewise, and that gain."""
    draws = np.random.default_rng(seed)
    for number in range(comparisons):
        groups = groups_of(draws, n)
        measure = "nll" if kind == "NLL" else "score"
        names = [f"{group:04}" for group in groups]
        one, other = run_pair(draws, kind, groups, 0.0)
        alike = compare(
            one, other, names, better="tuned", than="base", measure=measure, resamples=RESAMPLES, seed=number
        )
        gain = alike.detectable or 0.0
        better, worse = run_pair(draws, kind, groups, gain)
        differs = compare(
            better, worse, names, better="tuned", than="base", measure=measure, resamples=RESAMPLES, seed=number
        )
        exact = kind.startswith("right")
        yield (
            alike.reading != "unclear",
            exact and mcnemar(one, other, names).p < 0.05,
            differs.reading == "better",
            exact and mcnemar(better, worse, names).p < 0.05,
            gain,
        )


def main() -> None:
    """Print one line a setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--comparisons", type=int, default=COMPARISONS, help="a line")
    given = parser.parse_args()
    print(f"{given.comparisons:,} comparisons a line, {RESAMPLES:,} resamples each; load {os.getloadavg()[0]:.1f}")
    print(f"{'scores':<22} {'rows':>5}  {'A/A':>6} {'exact':>6}  {'gain':>6} {'found':>6} {'exact':>6}  seconds")
    for place, kind in enumerate(KINDS):
        for n in (300, 1000):
            began = time.process_time()
            found = np.array(
                list(claims(kind, n, seed=10_000 * given.seed + 100 * place + n, comparisons=given.comparisons)), float
            )
            alike, alike_exact, differs, differs_exact, gain = found.mean(axis=0)
            exact = (
                (f"{alike_exact:6.1%}", f"{differs_exact:6.1%}") if kind.startswith("right") else ("     -", "     -")
            )
            seconds = time.process_time() - began
            print(
                f"{kind:<22} {n:>5}  {alike:6.1%} {exact[0]}  {gain:6.3f} {differs:6.1%} {exact[1]}  {seconds:7.1f}",
                flush=True,
            )
            tell(f"{kind}, {n} rows: called different with none there", 100 * alike, "%")
            tell(f"{kind}, {n} rows: a difference found", 100 * differs, "%")


if __name__ == "__main__":
    main()
