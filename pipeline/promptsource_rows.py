"""Made-up rows for a text whose columns are known, to show it and to try it.

columns label (compared with 0 and 1), text  ->  {"label": 0, "text": "The text."}, {"label": 1, ...}, ...
"""

from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import Any

from pipeline.promptsource_columns import Column, Path

_MOST_ROWS = 256
_WORDS = ("first", "second", "third", "fourth", "fifth")


def made_rows(columns: Mapping[Path, Column]) -> Iterator[dict[str, Any]]:
    """Yield rows as promptsource would see them; every column takes every value that the text asks about."""
    listed = list(columns.values())
    choices = [list(_values(column)) for column in listed]
    for values in islice(product(*choices), _MOST_ROWS):
        row: dict[str, Any] = {}
        for column, value in zip(listed, values, strict=True):
            _put(row, column.path, value)
        yield row


def _values(column: Column) -> Iterator[Any]:  # noqa: C901 - one case for each kind
    words = _words(column.path)
    match column.kind:
        case "int":
            known = [int(float(one)) for one in column.constants if _is_number(one)]
            yield from dict.fromkeys([0, 1, *known, *(one + 1 for one in known)])
        case "number":
            texts = filter(_is_number, column.constants)
            numbers = [int(one) if one.lstrip("-").isdigit() else float(one) for one in texts]
            yield from dict.fromkeys([1, *numbers, 2.5, *(one + 1 for one in numbers)])
        case "flag":
            yield from (True, False)
        case "list":
            if column.inner and column.kind == "list":
                # As a list it is long enough to be looped over.
                whole: dict[str, Any] = {}
                for path in column.inner:
                    _put(whole, ("", *path), f"The {words} {' '.join(map(str, path))}.")
                made = whole[""]
                if isinstance(made, list) and made and isinstance(made[0], str):
                    made += [f"{word} of the {words}" for word in _WORDS[len(made) :]]
                yield made
            elif column.keys:
                yield [{key: f"{word} {key}" for key in sorted(column.keys)} for word in _WORDS[:4]]
            else:
                yield [f"{word} of the {words}" for word in _WORDS]
                yield [f"{word} of the {words}" for word in _WORDS[:2]]
            if column.is_tested:
                yield []
        case "text":
            if "key" in column.uses or "str" in column.uses:
                yield from dict.fromkeys(column.constants)
            if column.member_of:
                yield from (f"{word} of the {_words(column.member_of)}" for word in _WORDS[:2])
            yield f"The {words}."
            yield f"Another {words}, with {{{{ braces }}}}."
            if column.is_tested:
                yield ""


def _words(path: Path) -> str:
    return " ".join(str(step) for step in path if isinstance(step, str)).replace("_", " ").strip()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _put(row: dict[str, Any], path: Path, value: object) -> None:
    """Put a value at a path, with lists long enough and objects in between."""
    place: Any = row
    for step, following in zip(path, [*path[1:], None], strict=True):
        inner = value if following is None else [] if isinstance(following, int) else {}
        if isinstance(step, int):
            while len(place) <= step:
                place.append([] if isinstance(following, int) else {} if following is not None else "")
            if following is None:
                place[step] = value
        elif following is None or step not in place:
            place[step] = inner
        place = place[step]
