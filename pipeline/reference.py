"""The recipe reference, generated from the models: every setting with its meaning and default.

    class Dedupe:  near: float = Field(default=0.9, ge=0.5, le=1, title="score from which two texts count as the same")
    ->  | `near` | number, 0.5 to 1 | `0.9` | score from which two texts count as the same |

The meaning is the title of the field, beside the code that reads it.
"""

import json
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipeline.recipe import Recipe

_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}
_TOP = """\
# The recipe, setting by setting

<!-- Made by `tuneloop recipe --markdown > docs/recipe.md` from the models; change the titles there, not this page. -->

A recipe is one TOML file. Every table and every key may be left out but `name` and the sources; a key that nobody knows
is refused, with the nearest known one. `tuneloop recipe` prints the same on a terminal,
`tuneloop check --recipe my.toml` reads your file and says what would run. Relative paths start from the folder you run
the command in. A default of *none* means: as if left out.
"""


class Setting(NamedTuple):
    """One key of a table."""

    name: str
    field: FieldInfo


class Table(NamedTuple):
    """One table of a recipe.

    Attributes:
        path: As in TOML, such as `ingest.sources`; empty for the top level.
        many: It may stand several times, `[[path]]`.
        settings: Its keys but for those that are tables.
    """

    path: str
    many: bool
    settings: list[Setting]


def recipe_reference() -> str:
    """Return the settings of every table of a recipe, one line each."""
    return "\n".join(_lines()) + "\n"


def recipe_markdown() -> str:
    """Return the same as a page of Markdown, a table each, with types and bounds."""
    return "\n".join([_TOP, *_page()]) + "\n"


def _tables(model: type[BaseModel], path: str = "", many: bool = False) -> Iterator[Table]:
    below: list[tuple[type[BaseModel], str, bool]] = []
    settings: list[Setting] = []
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is None:
            settings.append(Setting(name, field))
        else:
            below.append((inner, f"{path}.{name}".lstrip("."), get_origin(field.annotation) is list))
    yield Table(path, many, settings)
    for one in below:
        yield from _tables(*one)


def _lines() -> Iterator[str]:
    for table in _tables(Recipe):
        if table.path:
            yield ""
        yield f"[{table.path}]" if table.path else "top level"
        for name, field in table.settings:
            default = field.get_default(call_default_factory=True)
            shown = "required" if default is PydanticUndefined else f"default {default!r}"
            kinds = (field.annotation, *get_args(field.annotation))
            choices = [str(choice) for kind in kinds for choice in _choices(kind)]
            shown = f"{' | '.join(choices)}; {shown}" if choices else shown
            yield f"  {name:<20} {field.title or ''} ({shown})"


def _page() -> Iterator[str]:
    for table in _tables(Recipe):
        if not table.settings:
            continue
        brackets = ("[[", "]]") if table.many else ("[", "]")
        yield f"## `{brackets[0]}{table.path}{brackets[1]}`" if table.path else "## Top level"
        yield ""
        yield "| key | what it takes | default | meaning |"
        yield "|---|---|---|---|"
        for name, field in table.settings:
            bounds = _bounds(field.metadata)
            kind = f"{_kind(field.annotation)}, {bounds}" if bounds else _kind(field.annotation)
            cells = (f"`{name}`", kind, _default(field), field.title or "")
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
        yield ""


def _kind(annotation: Any) -> str:  # noqa: ANN401 - a type annotation can be any object
    """Return a type in the words of somebody who writes TOML."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = _bounds([fact for one in inner[1:] for fact in getattr(one, "metadata", [one])])
        return f"{_kind(inner[0])}, {bounds}" if bounds else _kind(inner[0])
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in inner)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_kind(one) for one in inner if one is not NoneType))
    if origin in (list, tuple):
        return f"list of: {_kind(inner[0])}"
    if origin is dict:
        return f"table of: {_kind(inner[1])}"
    return _WORDS.get(annotation, "any value")


def _bounds(metadata: Any) -> str:  # noqa: ANN401 - pydantic keeps objects of many kinds there
    """Return the bounds of a number in words; empty if it has none."""
    low = next((f"{one.ge:g}" for one in metadata if isinstance(one, Ge)), "")
    over = next((f"{one.gt:g}" for one in metadata if isinstance(one, Gt)), "")
    high = next((f"{one.le:g}" for one in metadata if isinstance(one, Le)), "")
    under = next((f"{one.lt:g}" for one in metadata if isinstance(one, Lt)), "")
    if low and high:
        return f"{low} to {high}"
    told = [f"{low} or more" if low else f"over {over}" if over else ""]
    told.append(f"{high} or less" if high else f"under {under}" if under else "")
    return ", ".join(one for one in told if one)


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return "required"
    return "*none*" if default is None else f"`{json.dumps(default, ensure_ascii=False, default=list)}`"


def _choices(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a type annotation can be any object
    """Return the values a Literal allows, none for other types."""
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - a type annotation can be any object
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None
