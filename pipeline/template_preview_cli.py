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
from pipeline.source_rows import Row, file_place, first_rows, place_for, sources_of
from pipeline.sources import Source
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
    file: Annotated[Path | None, Parameter(help="take rows of this file: its columns are called like the fields")] = None,
    n: Annotated[
        int, Parameter(name=["-n", "--rows"], help="rows to show", validator=validators.Number(gte=1))
    ] = 5,
    paraphrase: Annotated[
        str | None, Parameter(help="a name, or all; left out, each row has the one `tuneloop data` gives it")
    ] = None,
    html: Annotated[Path | None, Parameter(help="write a page to this file instead")] = None,
) -> None:
    """Show rows rendered through a template; without --recipe or --file its own examples. Nothing is stored.

    For the tokens of a row and their loss in training, see `tuneloop preview`.

    Example: tuneloop template preview summarize --file data/sample/news.csv -n 3 --paraphrase all
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
        raise ConfigError(f"there is no paraphrase {paraphrase!r}", where=str(path), fix=nearest(str(paraphrase), known))
    rows, what = _rows(chosen, path, recipe, source, file, n)
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


def _rows(
    template: Template, path: Path, recipe: Path | None, source: str | None, file: Path | None, n: int
) -> tuple[list[Row], str]:
    """Return the rows to show, and where they come from in words."""
    if file:
        one = Source(name="file", path=str(file.resolve()), template=template.name, to_write=True)
        found = first_rows(one, file_place({template.name: (template, path)}, Path.cwd()), n)
        where = str(file)
    elif recipe:
        read = load_recipe(recipe)
        named = [one for one in sources_of(read, source) if template.name in one.template_names]
        if not named:
            users = [one.name for one in read.ingest.sources if template.name in one.template_names]
            fix = f"sources that name it: {', '.join(users)}" if users else f'write template = "{template.name}" in a source'
            raise ConfigError(f"no source asked for names the template {template.name!r}", where=str(recipe), fix=fix)
        found = first_rows(named[0], place_for(read, Path.cwd()), n)
        where = f"source {named[0].name}"
    else:
        rows = example_rows(template)[:n]
        return rows, f"The first {len(rows)} of its own examples"
    bad = sum(found.bad.values())
    for reason, detail in found.first.items():
        sys.stderr.write(f"{found.bad[reason]} of {bad + len(found.good)} rows left out, {reason}: {detail}\n")
    rows = [row for row in found.good if row.template == template.name]
    return rows, f"The first {len(rows)} rows of {where}"


def _counter(folder: Path | None) -> Callable[[str], int] | None:
    """Return what counts tokens: the recipe's tokenizer, else the sample's if that is there."""
    path = (folder or _SAMPLE_TOKENIZER) / FILE
    if not path.is_file():
        return None
    counter = load_counter(path)
    return lambda text: int(counter.count(pa.array([text], pa.string()))[0].as_py())
