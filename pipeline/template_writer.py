r"""A template as the text of its file: keys in the order of the model, texts of several lines as blocks.

Template(name="slogan", prompts={"plain": "Write.\n\n{{ document }}\n"})  ->  name: slogan
                                                                              prompts:
                                                                                plain: |
                                                                                  Write.
                                                                                  ...
"""

from collections.abc import Mapping
from typing import Any

import yaml

from schemas import Template


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe writer with lists indented below their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # A block that keeps blank lines at its end would take the blank line behind it, too.
    is_block = "\n" in text and not text.endswith("\n\n")
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if is_block else None)


_Dumper.add_representer(str, _text)


def template_text(template: Template, comments: Mapping[str, str] | None = None) -> str:
    """Return the file's text, which reads back to the same template.

    Args:
        template: What to write.
        comments: Comment lines to stand above a key of the first level; "" stands for the top of the file.
    """
    comments = comments or {}
    data: dict[str, Any] = template.model_dump(exclude_defaults=True)
    pieces = [_comment(comments.get("", ""))]
    for place, (key, value) in enumerate(data.items()):
        gap = "\n" if place and isinstance(value, dict | list) else ""
        dumped = yaml.dump({key: value}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
        pieces.append(gap + _comment(comments.get(key, "")) + dumped)
    return "".join(pieces)


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in text.splitlines())
