"""Reads one template file strictly: no key twice, no unknown key, no aliases, each problem with its line.

    {"name": "classify", "task": ...}  from  name: classify
                                             task: ...

YAML 1.1 reads `no` as false and 1.10 as a number: where text is meant, that is told and not mended.
"""

import reprlib
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schemas import ConfigError, Template, nearest

MAX_FILE_BYTES = 256 * 1024
_LEAST_KEYS = 3  # of a template's own, below which a file is taken for something else
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_LOADER):  # type: ignore[misc]
    """PyYAML's safe loader, refusing a key that stands twice; PyYAML keeps the last, silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _unquoted(key, key_node)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} stands twice", problem_mark=key_node.start_mark)
            seen.add(key)
        made: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return made


def _unquoted(key: object, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=f"the key {key!r} must be in quotes", problem_mark=node.start_mark)


def read_template(path: Path) -> Template:
    """Return the template in a file.

    Raises:
        ConfigError: Everything that is wrong with its form; what its texts do is not looked at.
    """
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_FILE_BYTES:
            raise _problem(f"the file has {len(raw):,} bytes", path, f"keep it under {MAX_FILE_BYTES:,} bytes")
        tree, data = _load(raw.decode("utf-8-sig"))
    except OSError as error:
        raise _problem(f"cannot be read: {error.strerror}", path, "mend the path or the permissions") from error
    except UnicodeDecodeError as error:
        raise _problem(f"not UTF-8: {error}", path, "save the file as UTF-8") from error
    except RecursionError as error:
        raise _problem("nested too deep to read", path, "compare it with pipeline/templates/instruct.yaml") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _problem(f"not valid YAML: {error.problem}", f"{path}:{line}", "mend that line") from error
    except yaml.YAMLError as error:
        raise _problem(f"not valid YAML: {error}", path, "write text as UTF-8 without control characters") from error
    _check_kind(path, data)
    try:
        template = Template.model_validate(data)
    except ValidationError as error:
        problem = ConfigError.of(_explain(path, tree, each) for each in error.errors())
        assert problem is not None
        raise problem from None
    if template.name != path.stem:
        raise _problem(
            f"the file is called {path.name}, the template {template.name!r}",
            path,
            f"call it {template.name}.yaml",
        )
    return template


def _check_kind(path: Path, data: object) -> None:
    """Raise ConfigError for YAML that means something else: one sentence, not one for each key."""
    what = {
        dict: f"it has the keys {', '.join(map(repr, list(data)[:4]))}" if isinstance(data, dict) else "",
        list: f"it is a list, {reprlib.repr(data)}",
        type(None): "it is empty",
    }.get(type(data), f"it is {reprlib.repr(data)}")
    if not isinstance(data, dict) or len(data.keys() & Template.model_fields.keys()) < _LEAST_KEYS:
        fix = "take it out of the folder; a template begins with name, task and about: `tuneloop template new`"
        raise _problem(f"this YAML is no template: {what}", path, fix)


def tree_of(text: str) -> yaml.Node | None:
    """Return the nodes of a YAML text, with their lines; raises what PyYAML raises."""
    return _load(text)[0]


def _load(text: str) -> tuple[yaml.Node | None, object]:
    for event in yaml.parse(text, Loader=_LOADER):
        # An alias can make a small file expand without end.
        if isinstance(event, yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not read", problem_mark=event.start_mark)  # type: ignore[arg-type]
    loader = _Loader(text)
    try:
        tree = loader.get_single_node()
        return tree, loader.construct_document(tree) if tree else None
    finally:
        loader.dispose()


def _problem(what: str, where: Path | str, fix: str) -> ConfigError:
    return ConfigError(what, where=str(where), fix=fix)


def _explain(path: Path, tree: yaml.Node | None, error: ErrorDetails) -> ConfigError:
    """Turn one of pydantic's findings into what, where and fix."""
    steps = [step for step in error["loc"] if step != "[key]"]
    name = ".".join(str(step) for step in steps) or "the file"
    where = f"{path}:{_line(tree, steps)}, {name}"
    value = reprlib.repr(error["input"])
    known, title = _model_at(steps)
    match error["type"]:
        case "extra_forbidden":
            return _problem(f"unknown key {steps[-1]!r}", where, nearest(str(steps[-1]), known))
        case "missing":
            return _problem(f"{name} is missing", where, f"add it: {title}")
        case "string_type":
            fix = "put it in quotes: YAML reads yes, no, on, off, numbers and dates as something else"
            return _problem(f"{name} is {value}, not text", where, fix)
        case "value_error":
            return _problem(f"{path.stem}: {error['ctx']['error']}", where, "compare it with instruct.yaml")
        case "string_pattern_mismatch":
            fix = "use small letters, digits and _, beginning with a letter; - too, except in names of fields"
            return _problem(f"{name}: {value} is no name here", where, fix)
        case _:
            return _problem(f"{name} is {value}: {error['msg']}", where, title or "compare it with instruct.yaml")


def _model_at(steps: list[int | str]) -> tuple[list[str], str]:
    """Return the keys known beside the last step, and the help sentence of the last step."""
    kind: Any = Template
    for step in steps[:-1]:
        is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
        kind = kind.model_fields[str(step)].annotation if is_model else get_args(kind)[-1]
    if not (steps and isinstance(kind, type) and issubclass(kind, BaseModel)):
        return [], ""
    field = kind.model_fields.get(str(steps[-1]))
    return [*kind.model_fields], (field.title or "") if field else ""


def _line(tree: yaml.Node | None, steps: list[int | str]) -> int:
    """Return the line where the value at a path starts, or of the last step that is there."""
    line = 1
    for step in steps:
        if isinstance(tree, yaml.MappingNode):
            found = next(((key, value) for key, value in tree.value if key.value == step), None)
        elif isinstance(tree, yaml.SequenceNode) and isinstance(step, int) and step < len(tree.value):
            found = (tree.value[step], tree.value[step])
        else:
            found = None
        if found is None:
            return line
        line, tree = found[0].start_mark.line + 1, found[1]
    return line
