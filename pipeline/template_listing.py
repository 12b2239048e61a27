"""The templates in reach as lines, as objects for programs, and as the page of the documents.

summarize  summarize  plain, main_points, brief  document -> summary  rouge_l, rouge_2  Apache-2.0
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from schemas import Template

_COLUMNS = ("name", "task", "paraphrases", "fields", "metrics", "licence")


def listing_lines(templates: Iterable[Template]) -> list[str]:
    """Return a heading and one line for each template, in columns."""
    rows = [_COLUMNS, *((_row(template)) for template in templates)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def listing_object(template: Template, path: Path) -> dict[str, Any]:
    """Return what a program may want to know of a template."""
    return {
        "name": template.name,
        "task": template.task,
        "about": template.about,
        "paraphrases": list(template.prompts),
        "fields": {name: field.model_dump(exclude={"about"}) for name, field in template.fields.items()},
        "metrics": template.metrics,
        "licence": template.license,
        "examples": len(template.examples),
        "file": str(path),
    }


def docs_page(templates: Iterable[Template]) -> str:
    """Return docs/templates.md: what each template is for, its fields, one worked example, its metrics."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=False, undefined=StrictUndefined,  # noqa: S701 - Markdown
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["block"] = _block
    return environment.get_template("templates.md.jinja").render(templates=list(templates))


def _row(template: Template) -> tuple[str, ...]:
    sides: dict[str, list[str]] = {"prompt": [], "response": []}
    for name, field in template.fields.items():
        sides[field.side].append(f"[{name}]" if field.optional else name)
    fields = f"{' '.join(sides['prompt'])} -> {' '.join(sides['response'])}" if sides["response"] else "turns"
    prompts = ", ".join(template.prompts) or "(chat)"
    return template.name, template.task, prompts, fields, ", ".join(template.metrics), template.license


def _block(text: str) -> str:
    """Return a text as an indented block of Markdown."""
    return "\n".join(f"    {line}".rstrip() for line in text.rstrip("\n").split("\n"))
