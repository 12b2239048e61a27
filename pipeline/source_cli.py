"""Commands that look at sources: `source inspect` before a recipe is written, `source changes` after."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter, validators

from pipeline.changes import KINDS, changes_of
from pipeline.code import ROOT
from pipeline.commands import DataRoot, RecipePath
from pipeline.ingest import Ingest
from pipeline.plan import place_of
from pipeline.recipe import load_recipe
from pipeline.source_draft import name_of, toml_of
from pipeline.source_look import Look, look_at, told
from pipeline.template import load_templates
from schemas import ConfigError, nearest

app = App(name="source", help="Look at sources of rows.")


@app.command
def inspect(
    path: Annotated[str, Parameter(help="file, glob, folder, or hf://owner/name")],
    *,
    template: Annotated[
        list[str] | None, Parameter(help="template the rows are for; may be given several times")
    ] = None,
    template_dir: Annotated[list[str] | None, Parameter(help="folder with templates of your own")] = None,
    recipe: Annotated[Path | None, Parameter(help="write a whole new recipe to this file")] = None,
    toml: Annotated[bool, Parameter(name="--toml", help="print the block to paste, and nothing else")] = False,
    as_json: Annotated[bool, Parameter(name="--json", help="JSON on stdout, for programs")] = False,
    count: Annotated[bool, Parameter(name="--count", help="count the rows of large files too")] = False,
    encoding: Annotated[str | None, Parameter(help="as Python names it; guessed if left out")] = None,
    delimiter: Annotated[str | None, Parameter(help="between columns; guessed if left out")] = None,
    sheet: Annotated[str | None, Parameter(help="sheet of a workbook; the first if left out")] = None,
    config: Annotated[str | None, Parameter(help="hf://: configuration")] = None,
    split: Annotated[str, Parameter(help="hf://: split")] = "train",
    revision: Annotated[str | None, Parameter(help="hf://: commit hash")] = None,
    data_root: DataRoot = Path("data"),
) -> None:
    """Say what a source holds and how to read it: encoding, columns, rows, templates that fit, a block to paste.

    Example: tuneloop source inspect articles.csv --template summarize --recipe my.toml
    """
    given = {
        "encoding": encoding, "delimiter": delimiter, "sheet": sheet, "config": config, "revision": revision,
        "split": split if path.startswith("hf://") else None,
    }  # fmt: skip
    known = load_templates([Path(folder) for folder in template_dir or []])
    look = look_at(path, template or [], known, data_root, given, count=count)
    block = toml_of(look.source, remarks=look.remarks)
    if as_json:
        sys.stdout.write(json.dumps(_as_data(look, block), ensure_ascii=False) + "\n")
    elif toml:
        sys.stdout.write(block)
    elif recipe is None:
        sys.stdout.write("\n".join([*told(look), "", "to paste into a recipe:", "", block]))
    if look.problem:
        raise look.problem
    if recipe is not None:
        _write(recipe, _whole_recipe(recipe, block, template_dir or []))
        for line in told(look):
            sys.stderr.write(f"{line}\n")
        sys.stderr.write(f"written to {recipe}; look at it, then: tuneloop data --recipe {recipe}\n")


@app.command
def changes(
    *,
    recipe: RecipePath = None,
    kind: Annotated[list[str] | None, Parameter(help="such as repaired or email; all if left out")] = None,
    n: Annotated[
        int, Parameter(name=["-n", "--rows"], help="pairs of each kind", validator=validators.Number(gte=1))
    ] = 3,
    data_root: DataRoot = Path("data"),
    as_json: Annotated[bool, Parameter(name="--json", help="JSON on stdout, for programs")] = False,
) -> None:
    """Show what ingest changes in texts, before and after: spelling, wrong decodings, personal data.

    Example: tuneloop source changes --recipe my.toml --kind email -n 10
    """
    read = load_recipe(recipe)
    if unknown := [one for one in kind or [] if one not in KINDS]:
        raise ConfigError(f"no kind {unknown[0]!r}", where="--kind", fix=nearest(unknown[0], KINDS))
    inputs = read.ingest.inputs(place_of(read, data_root, Path.cwd(), {}))
    found = list(changes_of(read.ingest, inputs, kind or KINDS, n))
    if as_json:
        for change in found:
            sys.stdout.write(json.dumps(asdict(change), ensure_ascii=False) + "\n")
        return
    for one in kind or KINDS:
        mine = [change for change in found if change.kind == one]
        if mine:
            sys.stdout.write(f"{one}{_unless(read.ingest, one)}\n")
        for change in mine:
            sys.stdout.write(f"  {change.origin} {change.field}\n    - {change.before}\n    + {change.after}\n")
    if not found:
        sys.stderr.write("ingest changes no text of these sources\n")


def _unless(stage: Ingest, kind: str) -> str:
    """Return a remark where the setting is off."""
    settings = {"normalized": ("normalize = true", stage.normalize), "repaired": ("repair = true", stage.repair)}
    setting, is_on = settings.get(kind, ('pii = "redact"', stage.pii == "redact"))
    return "" if is_on else f" (not now: this is what [ingest] {setting} would do)"


def _as_data(look: Look, block: str) -> dict[str, Any]:
    return {
        "files": list(look.files),
        "rows": look.size.rows,
        "rows_are": look.size.how,
        "form": asdict(look.form),
        "columns": [asdict(column) for column in look.columns],
        "fits": [asdict(fit) for fit in look.fits if fit.columns and (fit.is_prompts or not fit.lacking)],
        "toml": block,
        "problem": str(look.problem) if look.problem else None,
    }


def _whole_recipe(path: Path, block: str, template_dirs: list[str]) -> str:
    tokenizer = (
        ""
        if Path("data/sample/tokenizer/tokenizer.json").is_file()
        else (
            f"\n[format]\ntokenizer = {json.dumps(str(ROOT / 'data/sample/tokenizer'))}"
            "  # counts tokens; best that of the model to train\n"
        )
    )
    dirs = f"template_dirs = {json.dumps(template_dirs)}\n" if template_dirs else ""
    name = json.dumps(name_of(path.name))
    return f"# `tuneloop recipe` prints every setting.\n\nname = {name}\n{dirs}\n{block}{tokenizer}"


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(
            f"{path} is there already",
            where="--recipe",
            fix=f"print the block instead and paste it: --toml >> {path}",
        ) from None
