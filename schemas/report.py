"""What evaluation found, per example and per slice, in words an annotator uses."""

from typing import Literal

from pydantic import Field

from schemas.base import Strict

Arm = Literal["majority", "nearest", "copy", "base", "few_shot", "retrieved", "engineered", "tuned"]


class Score(Strict):
    """How one arm did on one example."""

    example: str = Field(title="id of the example")
    arm: Arm
    metric: str = Field(title="name of the metric, or nll for negative log-likelihood per token")
    value: float


class Interval(Strict):
    """A mean difference between two arms, and what the data allow to say of it."""

    better: Arm
    than: Arm
    metric: str
    difference: float = Field(title="mean over examples of better minus than")
    low: float = Field(title="lower end of the 95 % interval, clustered by group")
    high: float
    n: int = Field(ge=0, title="examples compared")


class Slice(Strict):
    """A named part of a split, such as one template or one source, with its means per arm."""

    by: str = Field(title="column, such as template")
    value: str
    n: int = Field(ge=0)
    means: dict[str, float] = Field(title="'arm metric' to mean")


class Report(Strict):
    """One evaluation of one model on one split of one data version."""

    model: str
    data_version: str
    split: Literal["validation", "test"]
    n: int
    n_reviewed: int = Field(title="how many of these examples people have checked")
    scores: list[Score]
    slices: list[Slice]
    comparisons: list[Interval]
    verdict: str = Field(title="one sentence; 'no evidence of improvement' is one")
