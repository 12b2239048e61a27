"""The `[evaluate]` section of a recipe: whom a trained model is compared with, and what must hold of it."""

from pydantic import Field, field_validator

from schemas.base import Strict


class Evaluate(Strict):
    """How a model is judged."""

    folds: int | None = Field(
        default=None,
        ge=0,
        title="models that judge the train rows they have not seen, to find wrong answers; 0: none; left out, 2 for a "
        "base of under a billion parameters",
    )

    @field_validator("folds")
    @classmethod
    def _learns_something(cls, folds: int | None) -> int | None:
        if folds == 1:
            raise ValueError("with 1 fold a model has nothing to learn from: give 2 or more, or 0 for none")
        return folds
