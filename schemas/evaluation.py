"""The `[evaluate]` section of a recipe: whom a trained model is compared with, and what must hold of it."""

from schemas.base import Strict


class Evaluate(Strict):
    """How a model is judged."""
