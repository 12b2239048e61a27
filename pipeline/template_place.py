"""The line of a template file where a part of the template stands.

prompts:                     "prompts.plain"           ->  "gloss.yaml:2, prompts.plain"
  plain: |                   "prompts.plain", line 2   ->  "gloss.yaml:4, prompts.plain"
    {{ word }}
    {% if hint }}
"""

import re
from functools import lru_cache
from pathlib import Path

import yaml

from pipeline.template_file import tree_of

_STEP = re.compile(r"^example (\d+)$")


def place(path: Path, key: str, line_in_text: int | None = None) -> str:
    """Return `file:line, key`; only `file, key` where the file cannot be read.

    Args:
        path: The template's file.
        key: Steps joined by dots, such as `prompts.plain` or `fields.word`; `example 2, fields.word` is the
            second example's. Steps the file does not have are passed over.
        line_in_text: Line within the text of a block, from 1.
    """
    line = line_of(path, key, line_in_text)
    return f"{path}:{line}, {key}" if line else f"{path}, {key}"


def line_of(path: Path, key: str, line_in_text: int | None = None) -> int | None:
    """Return the line of the file where a part stands, from 1."""
    try:
        status = path.stat()
        tree = _tree(path, status.st_size, status.st_mtime_ns)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None
    steps: list[str | int] = []
    for part in key.split(", "):
        if found := _STEP.match(part):
            steps += ["examples", int(found[1]) - 1]
        else:
            steps += part.split(".")
    node, line = tree, 1
    for step in steps:
        pair = _child(node, step)
        if pair is None:
            break
        line, node = pair[0].start_mark.line + 1, pair[1]
    if line_in_text is None or not isinstance(node, yaml.ScalarNode):
        return line
    # The text of a block begins on the line after its | or >.
    start = node.start_mark.line + 1
    return start + line_in_text if node.style in ("|", ">") else start + line_in_text - 1


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the key and the value of a step, or an item twice."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


@lru_cache(maxsize=64)
def _tree(path: Path, size: int, changed: int) -> yaml.Node | None:
    del size, changed
    return tree_of(path.read_text("utf-8-sig"))
