"""The commands `template list` and `template docs`."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.recipe import load_recipe
from pipeline.template import load_templates
from pipeline.template_files import search_folders
from pipeline.template_listing import docs_page, listing_lines, listing_object


def list_templates(
    *,
    folder: Annotated[
        list[Path] | None, Parameter(name="--dir", help="folders of your own; my_templates if left out and there")
    ] = None,
    recipe: Annotated[Path | None, Parameter(help="the folders of this recipe instead")] = None,
    as_json: Annotated[bool, Parameter(name="--json", help="JSON on stdout, for programs")] = False,
) -> None:
    """List every template in reach: task, paraphrases, fields ([optional]), metrics, licence.

    Example: tuneloop template list --json
    """
    dirs = [Path(each).expanduser() for each in load_recipe(recipe).template_dirs] if recipe else folder or []
    found = load_templates(search_folders(dirs)[:-1])
    if as_json:
        for template, path in found.values():
            sys.stdout.write(json.dumps(listing_object(template, path), ensure_ascii=False) + "\n")
        return
    for line in listing_lines(template for template, _ in found.values()):
        sys.stdout.write(line + "\n")


def docs(*, to: Annotated[Path, Parameter(help="file to write")] = Path("docs/templates.md")) -> None:
    """Write the page that describes every built-in template, from the files themselves.

    Example: tuneloop template docs
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(docs_page(template for template, _ in load_templates([]).values()), encoding="utf-8")
    sys.stdout.write(f"{to}\n")
