"""The command `template check`: every mistake of every file at once, and what is likely one."""

import sys
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from cyclopts import Parameter, validators

from pipeline.recipe import Recipe, load_recipe
from pipeline.source_fit import fit_warnings
from pipeline.source_rows import first_rows, place_for, sources_of
from pipeline.template_check import Findings, check_files
from pipeline.template_files import template_files
from pipeline.tokens import check_tokenizer, load_counter
from schemas import ConfigError, DataError
from schemas.errors import MOST_SHOWN


def check(
    *what: Annotated[str, Parameter(help="names, files or folders; my_templates if left out, else the built-in ones")],
    recipe: Annotated[Path | None, Parameter(help="look at the rows of this recipe's sources too")] = None,
    source: Annotated[str | None, Parameter(help="only this source of the recipe")] = None,
    rows: Annotated[int, Parameter(help="rows of each source to look at", validator=validators.Number(gte=1))] = 1000,
    strict: Annotated[bool, Parameter(help="take warnings for errors")] = False,
) -> int:
    """Tell all mistakes of template files, with line and cure; exit code 2 if there is an error.

    Example: tuneloop template check my_templates --strict
    """
    if source and not recipe:
        raise ConfigError("--source names a source of a recipe", where="command line", fix="add --recipe my.toml")
    read = load_recipe(recipe) if recipe else None
    dirs = [Path(folder).expanduser() for folder in read.template_dirs] if read else []
    asked = list(what)
    if read and not asked:
        used = dict.fromkeys(name for one in sources_of(read, source) for name in one.template_names)
        asked = [*map(str, dirs), *used]
    found = check_files(template_files(asked, dirs))
    if read and not found.errors:
        _look_at_rows(read, source, rows, found, only=bool(what))
    _tell(found, strict)
    return 2 if found.errors or (strict and found.warnings) else 0


def _look_at_rows(read: Recipe, source: str | None, n: int, found: Findings, *, only: bool) -> None:
    """Add what the first rows of the sources show of the templates that were checked."""
    templates = {template.name: template for template, _ in found.templates}
    try:
        place = place_for(read, Path.cwd())
        counter = load_counter(check_tokenizer(place.tokenizer))
    except ConfigError as error:
        found.errors += [ConfigError(each.what, where=each.where, fix=each.fix) for each in (error, *error.also)]
        return
    for one in sources_of(read, source):
        if only and not templates.keys() & set(one.template_names):
            continue
        try:
            rows = first_rows(one, place, n)
        except DataError as error:
            found.errors += [ConfigError(each.what, where=each.where, fix=each.fix) for each in (error, *error.also)]
            continue
        found.warnings += fit_warnings(
            one.name, rows, templates, lambda text: counter.count(pa.array([text]))[0].as_py(), read.format.max_tokens
        )


def _tell(found: Findings, strict: bool) -> None:
    for kind, problems in (("error", found.errors), ("warning", found.warnings)):
        for one in problems[:MOST_SHOWN]:
            sys.stdout.write(f"{kind}: {one}\n")
        if len(problems) > MOST_SHOWN:
            sys.stdout.write(f"and {len(problems) - MOST_SHOWN} {kind}s more\n")
    n_files = len(found.templates)
    told = f"{n_files} template{'s' * (n_files != 1)} read, {_counted(len(found.errors), 'error')}, "
    told += _counted(len(found.warnings), "warning")
    if strict and found.warnings and not found.errors:
        told += "; --strict takes warnings for errors"
    sys.stderr.write(told + "\n")


def _counted(n: int, word: str) -> str:
    return f"{n or 'no'} {word}{'s' * (n != 1)}"
