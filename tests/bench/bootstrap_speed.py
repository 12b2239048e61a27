"""How long 10,000 bootstrap resamples over 5,000 items take, beside `scipy.stats.bootstrap` and a plain loop.

    python tests/bench/bootstrap_speed.py

The aim is under 3 s. scipy and the loop draw single items, the latter one resample at a time as evaluation harnesses
do; ours draws groups whole, and works out p and what could be found besides.
"""

import os
import time
from collections.abc import Callable

import numpy as np
from figures import tell
from scipy.stats import bootstrap

from train.compare import compare

ITEMS, RESAMPLES, TIMES = 5_000, 10_000, 3


def loop(values: np.ndarray) -> np.ndarray:
    """Return the interval as a plain loop makes it."""
    draws = np.random.default_rng(0)
    means = [values[draws.integers(0, len(values), len(values))].mean() for _ in range(RESAMPLES)]
    return np.quantile(means, [0.025, 0.975])


def main() -> None:
    """Print one line a way."""
    draws = np.random.default_rng(0)
    one, other = draws.uniform(size=ITEMS), draws.uniform(size=ITEMS)
    alone = [str(n) for n in range(ITEMS)]
    grouped = [str(n) for n in np.repeat(np.arange(ITEMS), draws.integers(1, 6, ITEMS))[:ITEMS]]
    ways: dict[str, Callable[[], object]] = {
        "ours, every item a group": lambda: compare(one, other, alone, better="tuned", than="base", measure="score"),
        "ours, groups of 1 to 5": lambda: compare(one, other, grouped, better="tuned", than="base", measure="score"),
        "scipy, percentile": lambda: bootstrap(
            (one - other,), np.mean, n_resamples=RESAMPLES, batch=200, method="percentile", rng=0
        ),
        "a plain numpy loop": lambda: loop(one - other),
    }
    print(f"{RESAMPLES:,} resamples over {ITEMS:,} items, best of {TIMES}; load {os.getloadavg()[0]:.1f}")
    print(f"{'':<26} {'wall s':>7} {'CPU s':>7}")
    walls = {}
    for name, way in ways.items():
        spent = []
        for _ in range(TIMES):
            wall, cpu = time.perf_counter(), time.process_time()
            way()
            spent.append((time.perf_counter() - wall, time.process_time() - cpu))
        print(f"{name:<26} {min(one for one, _ in spent):>7.2f} {min(one for _, one in spent):>7.2f}")
        walls[name] = [one for one, _ in spent]
    for own in list(ways)[:2]:
        for peer in list(ways)[2:]:
            tell(own, walls[own], "s", peer=peer, theirs=walls[peer], better="less")


if __name__ == "__main__":
    main()
