"""What a sweep found: one record a trial, and the best of them. Shared by the search, its page and its command."""

from typing import Literal

from pydantic import Field

from schemas.base import Strict
from schemas.method import Method
from schemas.report import CurvePoint

Outcome = Literal["done", "pruned", "failed"]


class Trial(Strict):
    """One training run of a sweep, as far as it came."""

    number: int = Field(title="from 1, in the order in which they ended")
    learning_rate: float
    rank: int | None = Field(title="of the adapter; None where the method has none")
    outcome: Outcome
    nll: float | None = Field(title="lowest validation NLL, nats a token; None if there was none")
    best_step: int
    steps: int = Field(title="steps taken")
    seconds: float = Field(title="all tries together, if it was stopped and went on")
    reason: str = Field(title="why it was stopped; empty if it was not")
    curve: list[CurvePoint]


class Sweep(Strict):
    """A sweep: `data/sweeps/<key>/sweep.json`."""

    key: str
    recipe: str
    base: str
    method: Method
    split: str = Field(title="version of the split; its test side was not looked at")
    rates: tuple[float, float] = Field(title="lowest and highest learning rate tried")
    ranks: list[int] = Field(title="ranks tried; empty where the method has none")
    steps: int = Field(title="optimizer steps of a whole trial")
    trials: list[Trial]
    best: int = Field(title="number of the trial with the lowest validation NLL among those that were done")

    @property
    def winner(self) -> Trial:
        """The best trial."""
        return next(trial for trial in self.trials if trial.number == self.best)

    @property
    def lines(self) -> list[str]:
        """What to paste under [train] in the recipe."""
        rank = [] if self.winner.rank is None else [f"rank = {self.winner.rank}"]
        return [f"learning_rate = {self.winner.learning_rate:.3g}", *rank]
