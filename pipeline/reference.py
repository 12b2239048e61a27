"""The recipe reference, generated from the models: every setting with its meaning and default."""

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from pipeline.recipe import Recipe


def recipe_reference() -> str:
    """Return the settings of every table of a recipe, one line each."""
    return "\n".join(_lines(Recipe, "")) + "\n"


def _lines(model: type[BaseModel], table: str) -> Iterator[str]:
    below: list[tuple[type[BaseModel], str]] = []
    yield f"[{table}]" if table else "top level"
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is not None:
            below.append((inner, f"{table}.{name}".lstrip(".")))
            continue
        default = field.get_default(call_default_factory=True)
        shown = "required" if default is PydanticUndefined else f"default {default!r}"
        choices = [str(choice) for kind in (field.annotation, *get_args(field.annotation)) for choice in _choices(kind)]
        shown = f"{' | '.join(choices)}; {shown}" if choices else shown
        yield f"  {name:<20} {field.title or ''} ({shown})"
    for inner, path in below:
        yield ""
        yield from _lines(inner, path)


def _choices(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a type annotation can be any object
    """Return the values a Literal allows, none for other types."""
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - a type annotation can be any object
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None
