"""The filters and tests of our templates, and the meter that every one of them pays.

Jinja's own are not used where they can multiply text (`replace`, `join`, `round`), format it (`even` is `%`
on text) or escape it for HTML (`tojson`). One rendering may spend `MAX_UNITS`; a unit is a character read or
made.
"""

import json
import threading
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from jinja2 import Environment, TemplateRuntimeError, Undefined, pass_environment
from jinja2.filters import do_capitalize, do_sort, do_title, do_unique, do_wordcount

MAX_UNITS = 20_000_000  # half a second or less on one core
MAX_NUMBER = 10**15  # exact in a float, and short to print
NODE_UNITS = 16
_JSON_UNITS = 32  # "[]," makes an empty list of 56 bytes
_ITEM_UNITS = 64  # a list of short texts takes about that many bytes an item


class ExhaustedError(TemplateRuntimeError):
    """The rendering has spent its units."""


class Meter(threading.local):
    """Units left to the rendering of this thread."""

    left = 0

    def spend(self, units: int) -> None:
        """Take units away; raises ExhaustedError below zero."""
        self.left -= units
        if self.left < 0:
            raise ExhaustedError(f"it takes more work than one row may ask for ({MAX_UNITS:,} units)")


METER = Meter()


def size(value: object) -> int:
    """Return the units that reading or making a value costs."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list | tuple):
        return sum(_ITEM_UNITS + size(item) for item in value)
    if isinstance(value, dict):
        return sum(_ITEM_UNITS + size(key) + size(item) for key, item in value.items())
    return NODE_UNITS


def metered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, paying for what it reads, then for what it makes."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - a filter takes and gives any value
        METER.spend(sum(map(size, args)) + sum(map(size, kwargs.values())))
        made = function(*args, **kwargs)
        METER.spend(size(made))
        return made

    return run


def text_of(value: object) -> str:
    """Return a text or number as text; raises TypeError for what Python alone would print."""
    if isinstance(value, str):
        return value
    if isinstance(value, Undefined):
        return str(value)  # raises, naming the variable
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected text, got {_kind(value)}")
    return str(value)


def number_of(value: object) -> int | float:
    """Return a number; raises TypeError for other things and ValueError beyond `MAX_NUMBER`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, got {_kind(value)}")
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        raise ValueError(f"a number passes {MAX_NUMBER:,}")
    return value


def items_of(value: object) -> list[Any]:
    """Return the items of a list, or the characters of a text."""
    if isinstance(value, str):
        METER.spend(len(value) * _ITEM_UNITS)
    return list(_sequence(value))


def loop_over(value: object, n_nodes: int) -> list[Any]:
    """Return what a loop goes over, paid for as many nodes as it will evaluate."""
    items = items_of(value)
    METER.spend(len(items) * n_nodes * NODE_UNITS)
    return items


def _kind(value: object) -> str:
    names = {str: "text", dict: "an object", bool: "true or false", type(None): "none", list: "a list", tuple: "a list"}
    return names.get(type(value), f"a {type(value).__name__}")


def _sequence(value: object) -> Sequence[Any]:
    if not isinstance(value, list | tuple | str):
        raise TypeError(f"expected a list or text, got {_kind(value)}")
    return value


def _default(value: object, other: object = "") -> object:
    """Return `other` for an empty text: an optional field that a row lacks is empty, never undefined."""
    return other if isinstance(value, Undefined) or value == "" else value


def _float(value: object, default: float = 0.0) -> float:
    try:
        return float(value) if isinstance(value, str) else float(number_of(value))
    except (TypeError, ValueError):
        return default


def _fromjson(value: object) -> object:
    """Return the list or object that a field holds as JSON; an empty text is an empty list, as in ingest."""
    text = text_of(value)
    METER.spend(len(text) * _JSON_UNITS)
    if not text.strip():
        return []
    try:
        return json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        raise ValueError(f"fromjson: {text[:40]!r} is no JSON: {error}") from None


def _no_number(word: str) -> object:
    raise ValueError(f"{word} is no number of JSON")


def _int(value: object, default: int = 0) -> int:
    """Return the whole number a text or number holds, else `default`."""
    try:
        # int() takes time that grows with the square of the digits.
        return int(number_of(int(value) if isinstance(value, str) and len(value) <= 20 else value))
    except (TypeError, ValueError, OverflowError):
        return default


def _join(value: object, between: str = "") -> str:
    texts = [text_of(item) for item in items_of(value)]
    METER.spend(len(texts) * len(between))
    return between.join(texts)


def _replace(value: object, old: str, new: str) -> str:
    text = text_of(value)
    METER.spend(text.count(old) * len(new))
    return text.replace(old, new)


def _round(value: object, digits: int = 0) -> int | float:
    """Return the number rounded; a whole number stays one, as in Jinja."""
    if not 0 <= number_of(digits) <= 15:
        raise ValueError("round takes 0 to 15 digits")
    return round(number_of(value), digits)


def _slow(value: object) -> str:
    """Return the text, paid again for what a regular expression costs beyond a copy."""
    text = text_of(value)
    METER.spend(9 * len(text))
    return text


def _tojson(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _trim(value: object, chars: str | None = None) -> str:
    text = text_of(value)
    METER.spend(len(text) * len(chars or " "))  # every character is looked up in `chars`
    return text.strip(chars)


@pass_environment
def _unique(environment: Environment, value: object) -> list[Any]:
    return list(do_unique(environment, items_of(value)))


FILTERS: dict[str, Callable[..., Any]] = {
    "capitalize": lambda value: do_capitalize(text_of(value)),
    "default": _default,
    "first": lambda value: _sequence(value)[0],
    "float": _float,
    "fromjson": _fromjson,
    "int": _int,
    "join": _join,
    "last": lambda value: _sequence(value)[-1],
    "length": lambda value: len(_sequence(value)),
    "list": items_of,
    "lower": lambda value: text_of(value).lower(),
    "replace": _replace,
    "round": _round,
    "sort": do_sort,
    "string": text_of,
    "title": lambda value: do_title(_slow(value)),
    "tojson": _tojson,
    "trim": _trim,
    "unique": _unique,
    "upper": lambda value: text_of(value).upper(),
    "wordcount": lambda value: do_wordcount(_slow(value)),
}
TESTS: dict[str, Callable[..., bool]] = {
    "defined": lambda value: not isinstance(value, Undefined),
    "none": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "undefined": lambda value: isinstance(value, Undefined),
}
