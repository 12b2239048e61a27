"""JSON read strictly: what other readers would change in silence is refused with a sentence.

The standard library keeps the last of two equal keys, turns 1e999 into infinity and accepts NaN and lone
surrogates; compiled parsers differ again. Rows that mean different things to different readers are no data.
"""

import json
import re
from json.decoder import JSONDecodeError
from json.encoder import encode_basestring  # the C one, of which `ensure_ascii=False` makes use
from math import isinf
from typing import Any, cast

MAX_DEPTH = 100
MAX_BRACKETS = 2_000_000  # lists and objects of a row: Python takes up to 230 bytes for one of two
SPACE = re.compile(r"[ \t\n\r]*")
_INTEGERS = range(-(2**63), 2**63)
_LONGEST_INTEGER = 20
_LONGEST_KEY = 60


class MalformedError(ValueError):
    """The text is not one strict JSON value; the message says why and, where known, at which column."""


def parse(text: str) -> Any:  # noqa: ANN401 - JSON holds any value
    """Return the one JSON value in `text`.

    Raises:
        MalformedError: Syntax, several values, a byte order mark, equal keys in one object, NaN or Infinity, a number
            beyond 64 bits, a lone surrogate, more than `MAX_DEPTH` levels, or more than `MAX_BRACKETS` lists and
            objects.
    """
    if text.startswith("\ufeff"):
        raise MalformedError("a byte order mark stands before the value")
    brackets = text.count("[") + text.count("{")
    if brackets > MAX_BRACKETS:
        raise MalformedError(f"more than {MAX_BRACKETS:,} lists and objects in one row")
    try:
        value, end = _DECODER.raw_decode(text, _skip_space(text, 0))
    except JSONDecodeError as error:
        raise MalformedError(f"{error.msg} at {_place(text, error.pos)}") from None
    except RecursionError:
        raise MalformedError(f"nested deeper than {MAX_DEPTH} levels") from None
    if (rest := _skip_space(text, end)) < len(text):
        raise MalformedError(f"more text after the value, at {_place(text, rest)}: one value a row")
    # Only escapes can make lone surrogates, and only brackets depth: two cheap looks spare most rows the walk.
    if "\\ud" in text or "\\uD" in text:
        _refuse_surrogates(value)
    if brackets > MAX_DEPTH and depth(value) > MAX_DEPTH:
        raise MalformedError(f"nested deeper than {MAX_DEPTH} levels")
    return value


def canonical(value: Any) -> str:  # noqa: ANN401 - JSON holds any value
    """Return the one spelling of a JSON value: sorted keys, no spaces, text as it is."""
    return encode_basestring(value) if type(value) is str else _ENCODER.encode(value)


def depth(value: Any) -> int:  # noqa: ANN401 - JSON holds any value
    """Return how many lists and objects stand inside each other; 0 for a plain value."""
    levels, layer = 0, [value]
    while layer := [item for item in layer if isinstance(item, dict | list)]:
        levels += 1
        layer = [child for item in layer for child in (item.values() if isinstance(item, dict) else item)]
    return levels


def _skip_space(text: str, start: int) -> int:
    return cast(re.Match[str], SPACE.match(text, start)).end()


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    return f"column {column}" if line == 1 else f"line {line} column {column}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise MalformedError(f"key {_short(twice)} stands twice in one object")
    return found


def _short(key: str) -> str:
    return repr(key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}...")


def _integer(text: str) -> int:
    # Length first: Python refuses to convert more than 4,300 digits with an error of its own.
    if len(text) > _LONGEST_INTEGER or int(text) not in _INTEGERS:
        raise MalformedError(f"integer {text[:24]}{'...' if len(text) > 24 else ''} does not fit 64 bits")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if isinf(value):
        raise MalformedError(f"number {text[:24]} is too large for 64 bits")
    return value


def _constant(name: str) -> None:
    raise MalformedError(f"{name} is not JSON")


def _refuse_surrogates(value: Any) -> None:  # noqa: ANN401 - JSON holds any value
    try:
        canonical(value).encode("utf-8")
    except UnicodeEncodeError as error:
        found = ord(error.object[error.start])
        raise MalformedError(f"lone surrogate \\u{found:04x} is not text") from None


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_constant
)
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
