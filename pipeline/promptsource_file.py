"""Reads promptsource's files: one YAML file a data set, with its own tags, in which every template is one Jinja text.

dataset: ag_news                                      ->  [Foreign("ag_news", "classify", "{{text}} ||| ...", ...)]
templates: {24e4: !Template {name: classify, jinja: "{{text}} ||| {{answer_choices[label]}}", ...}}
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from schemas import ConfigError

MAX_BYTES = 4 << 20


@dataclass(frozen=True)
class Foreign:
    """One template of promptsource."""

    dataset: str
    name: str
    jinja: str
    choices: str
    metrics: tuple[str, ...]


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which takes promptsource's tags for plain mappings."""


def _mapping(loader: yaml.SafeLoader, node: yaml.Node) -> dict[Any, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise yaml.MarkedYAMLError(problem="a !Template is no mapping", problem_mark=node.start_mark)
    return loader.construct_mapping(node, deep=True)


for _tag in ("!Template", "!TemplateMetadata"):
    _Loader.add_constructor(_tag, _mapping)


def promptsource_files(path: Path) -> list[Path]:
    """Return the files below a folder, or the file itself; raises ConfigError if there is none."""
    found = sorted(path.rglob("templates.yaml")) if path.is_dir() else [path] if path.is_file() else []
    if not found:
        fix = "name a templates.yaml, or a folder that holds such files at any depth"
        raise ConfigError("there is no templates.yaml", where=str(path), fix=fix)
    return found


def read_promptsource(path: Path) -> list[Foreign]:
    """Return the templates of a file, by name.

    Raises:
        ConfigError: It cannot be read, or is no file of promptsource.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"the file is over {MAX_BYTES:,} bytes", where=str(path), fix="cut it")
        data = yaml.load(path.read_text("utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader with two tags more
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"cannot be read as YAML: {error}", where=str(path), fix="mend the file") from error
    templates = data.get("templates") if isinstance(data, dict) else None
    if not isinstance(templates, dict):
        fix = "a file of promptsource has `dataset` and `templates`"
        raise ConfigError("this is no file of promptsource", where=str(path), fix=fix)
    dataset = "/".join(str(data[key]) for key in ("dataset", "subset") if data.get(key))
    return sorted(_templates(dataset or path.parent.name, templates), key=lambda one: one.name)


def _templates(dataset: str, templates: dict[Any, Any]) -> Iterator[Foreign]:
    for one in templates.values():
        if not isinstance(one, dict) or not isinstance(one.get("jinja"), str):
            continue
        metadata = one.get("metadata")
        metrics = metadata.get("metrics") if isinstance(metadata, dict) else None
        yield Foreign(
            dataset=dataset,
            name=str(one.get("name") or one.get("id")),
            jinja=one["jinja"],
            choices=str(one.get("answer_choices") or ""),
            metrics=tuple(map(str, metrics or ())),
        )
