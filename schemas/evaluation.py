"""The `[evaluate]` section of a recipe: whom a trained model is compared with, and what must hold of it."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from schemas.base import Strict
from schemas.report import ARMS, Arm


class LmEvalResults(Strict):
    """Two results of lm-eval on the same tasks: what training made the model forget."""

    base: str = Field(title="results_*.json of the base, or the newest in this folder")
    tuned: str = Field(title="the same of the tuned model")


class JudgeSettings(Strict):
    """A model that judges answers behind an OpenAI-compatible endpoint; its key is TUNELOOP_JUDGE_KEY's value."""

    url: str = Field(title="such as http://127.0.0.1:8000/v1; /chat/completions is added")
    model: str = Field(title="the judge's name there")
    n: int = Field(default=100, ge=1, title="validation rows it compares, and checked rows it is compared with")

    @model_validator(mode="after")
    def _url_is_open(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url must begin with http:// or https://")
        if parts.username or parts.password or parts.query:
            raise ValueError("url must hold no key or password: put it into the environment, TUNELOOP_JUDGE_KEY")
        return self


class Gates(Strict):
    """What must hold of a model, or `tuneloop train` ends with exit code 4. What is left out is not asked.

    A gate on a measured value asks the unfavourable end of its 95 % interval, so that luck does not open it.
    """

    score_over_base: float | None = Field(
        default=None, ge=-1, le=1, title="score of tuned minus base: the lower end of the interval is at least this"
    )
    score_over_floors: float | None = Field(
        default=None, ge=-1, le=1, title="the same against each arm without a model: majority, nearest, copy"
    )
    max_forgetting: float | None = Field(
        default=None, title="NLL of held general text, tuned minus base: the upper end, nats a token, is at most this"
    )
    min_reviewed: float | None = Field(
        default=None, ge=0, le=1, title="share of the test rows that people have checked is at least this"
    )


class Evaluate(Strict):
    """How a model is judged."""

    arms: list[Arm] = Field(
        default=["majority", "nearest", "copy", "base", "few-shot", "retrieved"],
        title="what the trained model is compared with; base is always among them",
    )
    shots: int = Field(default=3, ge=1, le=64, title="worked examples in each prompt of few-shot and retrieved")
    instructions: dict[str, str] = Field(
        default={}, title="engineered: the instruction of a template by its name; left out, the template's guideline"
    )
    folds: int | None = Field(
        default=None,
        ge=0,
        title="models that judge the train rows they have not seen, to find wrong answers; 0: none; left out, 2 for a "
        "base of under a billion parameters",
    )
    gates: Gates = Field(default=Gates(), title="what must hold of a model, such as { score_over_base = 0.02 }")
    judge: JudgeSettings | None = Field(default=None, title="a model that judges answers, reported with its worth")
    lm_eval_results: LmEvalResults | None = Field(
        default=None, title="{ base, tuned }: results of lm-eval, shown under forgetting"
    )

    @field_validator("arms")
    @classmethod
    def _known_order(cls, arms: list[Arm]) -> list[Arm]:
        """Return the arms once each, in the order of all tables, with the base and without the trained model."""
        return [arm for arm in ARMS if arm != "tuned" and (arm in arms or arm == "base")]

    @field_validator("folds")
    @classmethod
    def _learns_something(cls, folds: int | None) -> int | None:
        if folds == 1:
            raise ValueError("with 1 fold a model has nothing to learn from: give 2 or more, or 0 for none")
        return folds
