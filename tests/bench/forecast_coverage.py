"""How often the forecast's interval holds the day on which the work was really done, on simulated projects.

    python tests/bench/forecast_coverage.py

Each project has a mean number of items a day; what is done on a day is Poisson, or gamma-Poisson where days differ
more (`spread` is the standard deviation of the mean over the mean). The aim is 90 %.
"""

import numpy as np
from figures import tell

from annotation.forecast import forecast

PROJECTS = 2000
LEFT = 1000


def main() -> None:
    """Print one line a setting."""
    rng = np.random.default_rng(7)
    shares = []
    print("past days  items/day  spread   holds   no upper bound")
    for n_days in (3, 5, 7, 14, 28):
        for mean, spread in ((100, 0.0), (100, 0.3), (20, 0.6)):
            held = unbounded = 0
            for _ in range(PROJECTS):
                days = 40 * LEFT // mean
                means = mean if spread == 0 else rng.gamma(1 / spread**2, mean * spread**2, n_days + days)
                done = rng.poisson(means, n_days + days)
                told = forecast(LEFT, done[:n_days].tolist())
                truth = int(np.searchsorted(np.cumsum(done[n_days:]), LEFT)) + 1
                unbounded += told.high is None
                held += told.low is not None and told.low <= truth and (told.high is None or truth <= told.high)
            print(f"{n_days:9} {mean:10} {spread:7} {held / PROJECTS:7.1%} {unbounded / PROJECTS:16.1%}")
            shares.append(100 * held / PROJECTS)
    tell("least share of projects whose day the interval holds", min(shares), "%")
    tell("greatest", max(shares), "%")


if __name__ == "__main__":
    main()
