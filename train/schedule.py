"""The learning rate of a step: a function of its number and the plan alone."""

import math
from dataclasses import dataclass
from typing import Literal

Shape = Literal["cosine", "linear", "constant"]


@dataclass(frozen=True)
class Schedule:
    """How the rate goes.

    Attributes:
        peak: Highest rate.
        steps: It is laid over so many.
        warmup: Steps in which it climbs in a line.
        shape: How it falls after them.
        final_share: Share of the peak that it falls to, which it would reach one step after the last.
    """

    peak: float
    steps: int
    warmup: int
    shape: Shape = "cosine"
    final_share: float = 0.1

    def rate(self, step: int) -> float:
        """Return the rate of a step, counted from 0."""
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        gone = (step - self.warmup) / max(1, self.steps - self.warmup)
        match self.shape:
            case "cosine":
                left = 0.5 * (1 + math.cos(math.pi * gone))
            case "linear":
                left = 1 - gone
            case "constant":
                return self.peak
        return self.peak * (self.final_share + (1 - self.final_share) * left)
