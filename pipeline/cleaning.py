"""A function of the user's own that mends rows before anything else is done with them.

    clean = "mend.py:strip_footer"        in mend.py:   def strip_footer(row: dict) -> dict | None

    {"text": "Rain. -- sent by mail"}   ->   {"text": "Rain."}
    it returns None                     ->   the row is dropped as cleaned_out
    it raises or returns anything else  ->   the row is dropped as clean_failed, with the message

What it returns is the row of the source as far as tuneloop knows: columns, ids and `where` go by it. It must depend on
the row alone, or runs cannot be repeated. The bytes of its file enter the run key; what that file imports does not.
"""

import importlib.util
import json
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.digest import file_digest
from pipeline.reading import RowError
from pipeline.strict_json import MalformedError, parse
from schemas import ConfigError, nearest

CLEANED_OUT, CLEAN_FAILED = "cleaned_out", "clean_failed"
Row = dict[str, Any]


def find_clean_file(clean: str, root: Path, where: str) -> Path:
    """Return the file of a function such as "mend.py:strip_footer", which is there.

    Raises:
        ConfigError: No such file, it does not load, or it holds no such function.
    """
    name, _, function = clean.rpartition(":")
    path = root / Path(name).expanduser()
    if not path.is_file():
        others = [other.name for other in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise ConfigError(f"no file {name!r}", where=f"{where}, clean", fix=nearest(path.name, others))
    load_function(path, function, where)
    return path


def load_function(path: Path, function: str, where: str = "clean") -> Callable[[Row], Row | None]:
    """Return the function; the file is run once in a process, again when it has changed.

    Raises:
        ConfigError: The file does not load, or holds no such function.
    """
    module = _load(path, file_digest(path), where)
    found = getattr(module, function, None)
    if not callable(found):
        known = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise ConfigError(
            f"{path.name} has no function {function!r}", where=f"{where}, {path}", fix=nearest(function, known)
        )
    return found  # type: ignore[no-any-return]


def cleaned(function: Callable[[Row], Row | None], row: Row) -> Row:
    """Return what the function makes of a row.

    Raises:
        RowError: cleaned_out where it returns None; clean_failed where it raises, or returns anything but a row of
            JSON values.
    """
    try:
        made = function(row)
    except Exception as error:
        raise RowError(CLEAN_FAILED, f"{type(error).__name__}: {error}") from error
    if made is None:
        raise RowError(CLEANED_OUT, f"{function.__name__} returned None")
    if not isinstance(made, dict):
        raise RowError(CLEAN_FAILED, f"{function.__name__} returned {type(made).__name__}, not a row (dict) or None")
    try:
        whole = parse(json.dumps(made, ensure_ascii=False))
    except (TypeError, ValueError, MalformedError) as error:
        raise RowError(CLEAN_FAILED, f"{function.__name__} returned what is no JSON: {error}") from None
    assert isinstance(whole, dict)
    return whole


@lru_cache(maxsize=16)
def _load(path: Path, digest: str, where: str) -> ModuleType:
    # A name that no import uses; data classes look their module up by name.
    name = f"_tuneloop_clean_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
        raise ConfigError(
            f"{path.name} does not load: {type(error).__name__}: {error}",
            where=f"{where}, {path}" + (f":{line}" if line else ""),
            fix="mend the file; `python` with its name shows where it fails",
        ) from error
    return module
