"""What pydantic found wrong, said the way the project says things: all at once, with the nearest name."""

from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from schemas.errors import ConfigError, nearest


def config_error(error: ValidationError, model: type[BaseModel], file: str) -> ConfigError:
    """Return one ConfigError that lists every problem pydantic found in a file.

    Args:
        error: What pydantic raised for `model`.
        model: The model the file was read as.
        file: Name of the file, for `where`.
    """
    problems = []
    for item in error.errors(include_url=False):
        path = _dotted(item["loc"])
        where = f"{file}, {path}" if path else file
        if item["type"] == "extra_forbidden":
            owner = _model_at(model, item["loc"][:-1])
            known = list(owner.model_fields) if owner else []
            what, fix = f"unknown key {str(item['loc'][-1])!r}", nearest(str(item["loc"][-1]), known)
        elif item["type"] == "missing":
            what, fix = f"{path} is missing", f"add {item['loc'][-1]} = ..."
        else:
            message = item["msg"].removeprefix("Value error, ")
            what = f"{message}, got {_short(item['input'])}"
            fix = f"change {path or 'it'}; `tuneloop recipe` explains every setting"
        problems.append(ConfigError(what, where=where, fix=fix))
    found = ConfigError.of(problems)
    assert found is not None  # pydantic raises with at least one problem
    return found


def _dotted(loc: tuple[int | str, ...]) -> str:
    """Return ``ingest.sources[2].name`` for ('ingest', 'sources', 2, 'name')."""
    text = ""
    for step in loc:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def _model_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    """Return the model that the value at a path is read as, if it is one."""
    here: Any = model
    for step in loc:
        if isinstance(step, str) and isinstance(here, type) and issubclass(here, BaseModel):
            if step not in here.model_fields:
                return None
            here = here.model_fields[step].annotation
        inner = [kind for kind in get_args(here) if isinstance(kind, type) and issubclass(kind, BaseModel)]
        here = inner[0] if inner else here
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
