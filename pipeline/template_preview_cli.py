"""The command `template preview`: rows rendered through a template, in the terminal or as a page.

`tuneloop preview` is another: it shows one row's tokens with their loss, as training sees them.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from cyclopts import Parameter, validators
from rich.console import Console

from pipeline.recipe import load_recipe
from pipeline.source import Source
from pipeline.source_rows import Row, Rows, file_place, first_rows, place_for, sources_of
from pipeline.template import check_template
from pipeline.template_file import read_template
from pipeline.template_files import template_files
from pipeline.template_preview import example_rows, previews
from pipeline.template_preview_page import preview_page, terminal_lines
from pipeline.tokens import FILE, load_counter
from schemas import ConfigError, Template, nearest

_SAMPLE_TOKENIZER = Path("data/sample/tokenizer")


def preview(
    template: Annotated[str, Parameter(help="its name, or its file")],
    *,
    recipe: Annotated[Path | None, Parameter(help="take rows of this recipe's sources")] = None,
    source: Annotated[str | None, Parameter(help="which source; the first that names the template if left out")] = None,
    file: Annotated[
        Path | None, Parameter(help="take rows of this file: its columns are called like the fields")
    ] = None,
    columns: Annotated[
        list[str] | None,
        Parameter(help="which column of --file is what: document=article summary=highlights", consume_multiple=True),
    ] = None,
    n: Annotated[int, Parameter(name=["-n", "--rows"], help="rows to show", validator=validators.Number(gte=1))] = 5,
    paraphrase: Annotated[
        str | None, Parameter(help="a name, or all; left out, each row has the one `tuneloop data` gives it")
    ] = None,
    html: Annotated[Path | None, Parameter(help="write a page to this file instead")] = None,
) -> None:
    """Show rows rendered through a template; without --recipe or --file its own examples. Nothing is stored.

    For the tokens of a row and their loss in training, see `tuneloop preview`.

    Example: tuneloop template preview instruct --file data/sample/alpaca.json -n 3 --paraphrase all
    """
    if recipe and file:
        raise ConfigError("--recipe and --file both name rows", where="command line", fix="give one of them")
    if source and not recipe:
        raise ConfigError("--source names a source of a recipe", where="command line", fix="add --recipe my.toml")
    read = load_recipe(recipe) if recipe else None
    dirs = [Path(folder).expanduser() for folder in read.template_dirs] if read else []
    path = template_files([template], dirs)[0]
    chosen = read_template(path)
    check_template(chosen, path)
    if paraphrase not in (None, "all", *chosen.prompts):
        known = ["all", *chosen.prompts]
        raise ConfigError(
            f"there is no paraphrase {paraphrase!r}", where=str(path), fix=nearest(str(paraphrase), known)
        )
    if columns and not file:
        raise ConfigError("--columns names columns of a file", where="command line", fix="add --file rows.csv")
    if file:
        rows, what = _file_rows(chosen, path, file, columns or [], n)
    else:
        rows, what = _rows(chosen, recipe, source, n)
    # A worked example shows the paraphrase it was written for.
    if not recipe and not file and paraphrase is None:
        shown = [
            one
            for row, example in zip(rows, chosen.examples, strict=False)
            for one in previews(chosen, [row], example.paraphrase or None, _counter(None))
        ]
    else:
        tokenizer = Path(read.format.tokenizer).expanduser() if read else None
        shown = list(previews(chosen, rows, paraphrase, _counter(tokenizer)))
    if html:
        html.write_text(preview_page(chosen, shown, what), encoding="utf-8")
        sys.stdout.write(f"{html}\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in terminal_lines(shown):
        console.print(line)
    sys.stderr.write(f"{what}; for tokens and loss in training: tuneloop preview\n")


def _file_rows(template: Template, path: Path, file: Path, columns: list[str], n: int) -> tuple[list[Row], str]:
    """Return the first rows of a file, and where they come from in words."""
    pairs = [pair.partition("=")[::2] for pair in columns]
    if wrong := [pair for pair in columns if "=" not in pair]:
        what = f"{wrong[0]!r} says of no field which column it is"
        raise ConfigError(what, where="--columns", fix="write field=column, such as document=article")
    one = Source.model_validate(
        {
            "name": "file",
            "path": str(file.resolve()),
            "template": template.name,
            "fields": dict(pairs),
            "to_write": True,
        }
    )
    try:
        found = first_rows(one, file_place({template.name: (template, path)}, Path.cwd()), n)
    except ConfigError as error:
        # Its cure is one for a recipe.
        asked = " ".join(f"{name}=<column>" for name, field in template.fields.items() if not field.optional)
        known = f"{error.fix.partition(';')[0]}; " if error.fix.startswith("columns found") else ""
        raise ConfigError(error.what, where=str(file), fix=f"{known}say which is what: --columns {asked}") from error
    return _good(found, template), f"{_counted(len(found.good))} of {file}"


def _rows(template: Template, recipe: Path | None, source: str | None, n: int) -> tuple[list[Row], str]:
    """Return the rows to show, and where they come from in words."""
    if recipe:
        read = load_recipe(recipe)
        named = [one for one in sources_of(read, source) if template.name in one.template_names]
        if not named:
            users = [one.name for one in read.ingest.sources if template.name in one.template_names]
            fix = (
                f"sources that name it: {', '.join(users)}"
                if users
                else f'write template = "{template.name}" in a source'
            )
            raise ConfigError(f"no source asked for names the template {template.name!r}", where=str(recipe), fix=fix)
        rows = _good(first_rows(named[0], place_for(read, Path.cwd()), n), template)
        return rows, f"{_counted(len(rows))} of source {named[0].name}"
    rows = example_rows(template)[:n]
    return rows, f"The first {len(rows)} of its own examples"


def _good(found: Rows, template: Template) -> list[Row]:
    """Return the rows that became examples of a template, having said why others did not."""
    bad = sum(found.bad.values())
    for reason, detail in found.first.items():
        sys.stderr.write(f"{found.bad[reason]} of {bad + len(found.good)} rows left out, {reason}: {detail}\n")
    return [row for row in found.good if row.template == template.name]


def _counter(folder: Path | None) -> Callable[[str], int] | None:
    """Return what counts tokens: the recipe's tokenizer, else the sample's if that is there."""
    path = (folder or _SAMPLE_TOKENIZER) / FILE
    if not path.is_file():
        return None
    counter = load_counter(path)
    return lambda text: int(counter.count(pa.array([text], pa.string()))[0].as_py())


def _counted(n: int) -> str:
    return "The first row" if n == 1 else f"The first {n:,} rows"
