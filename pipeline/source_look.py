"""A look at a source before a recipe names it: what it holds, how to read it, and a draft that does.

    articles.csv, in cp1252, with semicolons   ->   encoding, delimiter, rows, columns, the templates that fit, and
        Source(name="articles", path="articles.csv", template="summarize", encoding="cp1252", delimiter=";",
               fields={"document": "article", "summary": "highlights"})

The draft is surveyed as `tuneloop data` would: what it still lacks is told.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.profile import Column, Size, columns_of, size_of
from pipeline.readers import kind_of
from pipeline.source import STDIN, Source
from pipeline.source_draft import Fit, fit_of, name_of
from pipeline.source_files import files_of
from pipeline.sources import PEEK_ROWS, layout_for, peek, survey
from pipeline.stage import Place
from pipeline.text_form import TextForm, text_form_of
from schemas import ConfigError, DataError, Template, nearest

GENERAL = "instruct"
_TEXTS = ("jsonl", "json", "csv", "text")
Templates = dict[str, tuple[Template, Path]]


@dataclass(frozen=True)
class Look:
    """What was found out."""

    source: Source
    files: dict[str, Path]
    form: TextForm
    size: Size
    columns: list[Column]
    fits: list[Fit]
    remarks: dict[str, str]
    problem: DataError | None


def look_at(
    path: str,
    wanted: list[str],
    known: Templates,
    data_root: Path,
    given: dict[str, str | None],
    *,
    count: bool = False,
) -> Look:
    """Return what a source holds, and a draft that reads it.

    Raises:
        ConfigError: There is no template of a name that is wanted.
        SourceError: The source cannot be read.
    """
    if path == STDIN:
        raise ConfigError("standard input cannot be read twice", where="source inspect", fix="save it to a file first")
    if unknown := [name for name in wanted if name not in known]:
        raise ConfigError(f"no template {unknown[0]!r}", where="--template", fix=nearest(unknown[0], known))
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    source = Source(name=name_of(path), path=path, template=(wanted or sorted(known))[0], **settings)
    files = files_of(source, Path.cwd(), data_root, "source inspect")
    form = _form(source, files)
    guessed = {"encoding": form.encoding, "skip": form.skip}
    if form.delimiter:
        guessed["delimiter"] = form.delimiter
    source = source.model_copy(update={**guessed, **settings})
    rows = peek(source, files, None)
    columns = columns_of(rows)
    size = size_of(source, files, count=count)
    has_all = size.how == "counted" and size.rows <= PEEK_ROWS
    fits = [fit_of(known[name][0], columns, rows, has_all_rows=has_all) for name in (wanted or known)]
    fits = fits if wanted else sorted(filter(_is_apt, fits), key=_rank)
    chosen = fits if wanted else fits[:1]
    source, remarks = _draft(source, chosen, form)
    place = Place("inspect", Path.cwd(), data_root, known, (), (), Path(), {})
    problem = None
    try:
        survey(source, place)
    except DataError as error:
        problem = error
    return Look(source, files, form, size, columns, fits, remarks, problem)


def _form(source: Source, files: dict[str, Path]) -> TextForm:
    first = next(iter(files.values()))
    if source.is_hub or kind_of(first) not in _TEXTS:
        return TextForm(source.encoding)
    stated = source.encoding if "encoding" in source.model_fields_set else None
    return text_form_of(first, is_table=kind_of(first) == "csv", encoding=stated, delimiter=source.delimiter)


def _draft(source: Source, fits: list[Fit], form: TextForm) -> tuple[Source, dict[str, str]]:
    """Return the source with templates, shape and fields set, and remarks on what was guessed."""
    settings = source.model_dump(exclude_defaults=True) | {"template": None, "templates": []}
    names = [fit.template for fit in fits]
    settings |= {"template": names[0]} if len(names) == 1 else {"templates": names}
    remarks: dict[str, str] = {}
    if len(fits) == 1 and not fits[0].is_guess and fits[0].shape != "fields":
        settings["shape"] = fits[0].shape
    else:
        settings["fields"] = {name: column for fit in fits for name, column in fit.columns.items()}
        if any(fit.is_guess for fit in fits):
            remarks["fields"] = "guessed by name: look whether it is right"
    if constants := {name: text for fit in fits for name, text in fit.constants.items()}:
        settings["constants"] = constants
        remarks["constants"] = "told from the texts: look whether it is right"
    if "encoding" in settings:
        remarks["encoding"] = f"or {', '.join(form.others)}" if form.others else "guessed"
    return Source.model_validate(settings), remarks


def _is_apt(fit: Fit) -> bool:
    """Whether a fit is worth telling: any single-turn template reads a prompt and a completion."""
    return fit.shape != "prompt_completion" or fit.template == GENERAL


def _rank(fit: Fit) -> tuple[bool, int, bool, bool, bool, int, str]:
    """Order fits: complete before incomplete, recognised before guessed, more columns before fewer."""
    is_general = fit.shape == "prompt_completion"
    return (
        not fit.columns,
        0 if fit.is_prompts else len(fit.lacking),
        fit.is_guess,
        is_general,
        fit.is_prompts,
        -len(fit.columns),
        fit.template,
    )


def told(look: Look) -> Iterator[str]:
    """Yield the lines that tell a person what was found."""
    source, first = look.source, next(iter(look.files))
    more = f" and {len(look.files) - 1:,} more files" if len(look.files) > 1 else ""
    kind = kind_of(look.files[first])
    yield f"{first}{more}: {kind}, {look.size.rows:,} rows ({look.size.how})"
    if kind in _TEXTS and not source.is_hub:
        others = f" (or {', '.join(look.form.others)}: look at the samples)" if look.form.others else ""
        yield f"encoding {source.encoding}{others}"
    if kind == "csv":
        yield f"delimiter {source.delimiter or ('tab' if '.tsv' in first.lower() else ',')!r}"
    if kind == "xlsx":
        yield f"sheet {layout_for(source, look.files[first], first).sheet!r}"
    yield from look.form.notes
    yield ""
    header = ("column", "type", "empty", "distinct", "longest", "first value")
    table = [
        (c.name, c.kind, f"{c.share_empty:.0%}", f"{c.n_distinct:,}", f"{c.longest:,}", c.sample) for c in look.columns
    ]
    widths = [max(len(row[at]) for row in [header, *table]) for at in range(len(header) - 1)]
    for row in [header, *table]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  " + "  ".join([*cells, row[-1]]).rstrip()
    yield "(of the first rows)"
    yield ""
    good = [fit for fit in look.fits if fit.columns and (fit.is_prompts or not fit.lacking)]
    for fit in good:
        taken = ", ".join(f"{name} = {column}" for name, column in fit.columns.items())
        left = f"; people write {', '.join(fit.lacking)}" if fit.is_prompts else ""
        yield f"template {fit.template} fits, {_how(fit)}: {taken}{left}"
    if not good:
        yield "no template fits as it is: map the columns by hand, or write a template (docs/add-a-template.md)"
    for fit in look.fits:
        if fit.lacking and not fit.is_prompts and fit.template in source.template_names:
            yield f"template {fit.template} does not fit yet: nothing fills {', '.join(fit.lacking)}"


def _how(fit: Fit) -> str:
    return "by names that are alike" if fit.is_guess else f"recognised as {fit.shape}"
