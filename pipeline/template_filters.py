"""The filters and tests of our templates, and the meter that every one of them pays.

Jinja's own are not used where they can multiply text (`replace`, `join`, `round`), format it (`even` is `%`
on text) or escape it for HTML (`tojson`). One rendering may spend `MAX_UNITS`; a unit is a character read or
made.
"""

import json
import threading
from collections.abc import Callable, Sequence
from functools import wraps
from operator import attrgetter
from typing import Any

from jinja2 import Environment, TemplateRuntimeError, Undefined, pass_environment
from jinja2.filters import do_sort, do_title, do_unique, do_wordcount
from jinja2.runtime import LoopContext

MAX_UNITS = 20_000_000  # half a second or less on one core
MAX_NUMBER = 10**15  # exact in a float, and short to print
NODE_UNITS = 16
_JSON_UNITS = 32  # "[]," makes an empty list of 56 bytes
_ITEM_UNITS = 64  # a list of short texts takes about that many bytes an item


class ExhaustedError(TemplateRuntimeError):
    """The rendering has spent its units."""


class Meter:
    """Units left to the rendering at work; there is one at a time, which `turn` sees to.

    Python runs one thread at a time anyway, and a meter for each thread would be half as fast to read.
    """

    __slots__ = ("gave_value", "left", "turn")

    def __init__(self) -> None:
        self.left = 0
        self.gave_value = False  # whether the piece that is given next is a value, not the template's own
        self.turn = threading.Lock()

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
    def run(value: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - a filter takes and gives any value
        units = size(value)
        if args or kwargs:
            units += sum(map(size, args)) + sum(map(size, kwargs.values()))
        METER.spend(units)
        made = function(value, *args, **kwargs)
        METER.spend(size(made))
        return made

    return run


def method(name: str) -> Callable[..., Any]:
    """Return a method of text as a filter that pays for what it reads and makes.

    Called so it costs half of what Jinja's sandbox takes to look a method up, wrap it and check it for every row.
    """
    bare = getattr(str, name)
    is_strip = name.endswith("strip")

    def run(text: object, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        if not isinstance(text, str):
            raise TypeError(f"expected text, got {_kind(text)}")
        given = max(map(size, args), default=1) if args else 1
        # strip looks every character up in its argument, hence the product.
        METER.spend(len(text) * given if is_strip else len(text) + given)
        made = bare(text, *args, **kwargs)
        # The pieces of a text have no more characters than the text.
        METER.spend(_ITEM_UNITS * len(made) + len(text) if isinstance(made, list) else size(made))
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


def value_text(value: object) -> str:
    """Return what `{{ ... }}` gives, and say that it is a value."""
    METER.gave_value = True
    return value if isinstance(value, str) else text_of(value)


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


def counter(name: str) -> Callable[[object], Any]:
    """Return a filter that reads this counter of a loop."""
    read = attrgetter(name)

    def run(loop: object) -> Any:  # noqa: ANN401 - a number or a truth
        if loop.__class__ is not LoopContext:
            raise TypeError(f"expected the loop, got {_kind(loop)}")
        return read(loop)

    return run


def _kind(value: object) -> str:
    if isinstance(value, Undefined):
        str(value)  # raises, naming the variable
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


def _cased(change: Callable[[str], str]) -> Callable[[object], str]:
    """Return a filter that changes a text letter by letter; the capitals of some ligatures are three letters."""

    def run(value: object) -> str:
        text = value if isinstance(value, str) else text_of(value)
        METER.spend(4 * len(text))
        return change(text)

    return run


def _trim(value: object, chars: str | None = None) -> str:
    text = text_of(value)
    METER.spend(len(text) * len(chars or " "))  # every character is looked up in `chars`
    return text.strip(chars)


@pass_environment
def _unique(environment: Environment, value: object) -> list[Any]:
    return list(do_unique(environment, items_of(value)))


FILTERS: dict[str, Callable[..., Any]] = {
    "capitalize": _cased(str.capitalize),
    "default": _default,
    "first": lambda value: _sequence(value)[0],
    "float": _float,
    "fromjson": _fromjson,
    "int": _int,
    "join": _join,
    "last": lambda value: _sequence(value)[-1],
    "length": lambda value: len(_sequence(value)),
    "list": items_of,
    "lower": _cased(str.lower),
    "replace": _replace,
    "round": _round,
    "sort": do_sort,
    "string": text_of,
    "title": lambda value: do_title(_slow(value)),
    "tojson": _tojson,
    "trim": _trim,
    "unique": _unique,
    "upper": _cased(str.upper),
    "wordcount": lambda value: do_wordcount(_slow(value)),
}
# They count, hand on what they are given, or have paid themselves.
PAID = frozenset({"capitalize", "default", "first", "last", "length", "lower", "string", "upper"})
METHODS = frozenset(
    {"strip", "lstrip", "rstrip", "lower", "upper", "title", "capitalize", "split", "splitlines"}
    | {"startswith", "endswith", "removeprefix", "removesuffix"}
)
LOOP_NAMES = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})
TESTS: dict[str, Callable[..., bool]] = {
    "defined": lambda value: not isinstance(value, Undefined),
    "none": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "undefined": lambda value: isinstance(value, Undefined),
}
