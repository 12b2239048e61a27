"""Figures that a benchmark tells to `python tests/bench`, beside what it prints for people.

    tell("encoding, sample tokenizer", [1.9, 2.0, 2.4], "s", peer="transformers", theirs=[5.5, 5.6, 5.9], better="less")

adds a line of JSON to the file that $TUNELOOP_FIGURES names; run by hand, a benchmark has no such file. Several numbers
are the runs: shown are their median and their range. The ratio says how many times as good ours is: 5.6 / 2.0 = 2.8 here.
"""

import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

VARIABLE = "TUNELOOP_FIGURES"


@dataclass(frozen=True)
class Figure:
    """What was measured, of ours and of a peer.

    Attributes:
        what: In words.
        ours: One number a run.
        unit: Of both sides.
        peer: Its name.
        theirs: Of the peer, None where there is none.
        better: "less", "more", or "" where a ratio says nothing.
        of: Out of how many a count is.
        headline: The one of the benchmark that is shown first.
    """

    what: str
    ours: list[float]
    unit: str = ""
    peer: str = ""
    theirs: list[float] | None = None
    better: str = ""
    of: int | None = None
    headline: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times as good ours is, by the medians."""
        if not self.better or not self.theirs:
            return None
        mine, other = statistics.median(self.ours), statistics.median(self.theirs)
        above, below = (other, mine) if self.better == "less" else (mine, other)
        return above / below if below else None


def tell(
    what: str,
    ours: float | Sequence[float],
    unit: str = "",
    *,
    peer: str = "",
    theirs: float | Sequence[float] | None = None,
    better: str = "",
    of: int | None = None,
    headline: bool = False,
) -> None:
    """Write a figure down where `python tests/bench` looks for it."""
    other = None if theirs is None else _listed(theirs)
    figure = Figure(what, _listed(ours), unit, peer, other, better, None if of is None else int(of), headline)
    if to := os.environ.get(VARIABLE):
        with Path(to).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(figure)) + "\n")


def read_figures(file: Path) -> list[Figure]:
    """Return the figures in the order in which they were told; none where there is no file."""
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    return [Figure(**json.loads(line)) for line in lines]


def shown(values: Sequence[float], unit: str, of: int | None = None) -> str:
    """Return the median with its unit, and the range of several: `2 s (1.9 to 2.4, 3 times)`, or `25 of 26`."""
    told = f"{_number(statistics.median(values))} {unit}".strip() + ("" if of is None else f" of {of:,}")
    if len(values) == 1:
        return told
    return f"{told} ({_number(min(values))} to {_number(max(values))}, {len(values)} times)"


def _listed(values: float | Sequence[float]) -> list[float]:
    # numpy's numbers are none of JSON's
    return [float(one) for one in values] if isinstance(values, Sequence) else [float(values)]


def _number(value: float) -> str:
    """Return three figures that count, or the whole number."""
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
