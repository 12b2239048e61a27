"""Sources: what they turn out to be before any row is taken.

[[ingest.sources]]                    ->   Survey(files={"raw/a.json": Path(...), "raw/b.json": Path(...)},
name = "alpaca"                                   readings=[Reading(template="instruct", shape="alpaca", ...)])
path = "raw/*.json"
template = "instruct"
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.cleaning import cleaned, find_clean_file, load_function
from pipeline.preference import REJECTED
from pipeline.readers import kind_of, layout_of, parse_row, read_rows
from pipeline.reading import ABSENT, Reading, RowError, declare, lookup
from pipeline.row import Layout
from pipeline.shapes import reading_of
from pipeline.source import Source
from pipeline.source_files import files_of, raise_together
from pipeline.stage import Place
from pipeline.strict_json import MalformedError
from schemas import ConfigError, DataError, SourceError, nearest

PEEK_ROWS = 1000
_PEEK_CHARS = 8 << 20


@dataclass(frozen=True)
class Survey:
    """What a source turned out to be.

    Attributes:
        files: Name as a person would write it, to the path.
        readings: How its rows are read, for each of its templates.
        sheets: Name of a workbook to the sheet of it that is read.
        clean_file: The file of the function that cleans its rows.
    """

    files: Mapping[str, Path]
    readings: list[Reading]
    sheets: Mapping[str, str]
    clean_file: Path | None = None


def survey(source: Source, place: Place) -> Survey:
    """Return the files of a source, in order, and how its rows are read for each of its templates.

    Raises:
        ConfigError: Unknown templates, fields or columns; a shape that cannot be told; all of one kind at once.
        SourceError: No file, no row, or none of the first rows can be read.
    """
    where = f"recipe {place.recipe}, source {source.name}"
    _check_templates(source, place, where)
    clean_file = find_clean_file(source.clean, place.root, where) if source.clean else None
    files = files_of(source, place.root, place.data_root, where)
    rows = peek(source, files, clean_file)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    file = next(iter(files))
    _check_columns(source, rows, columns, f"{where}, {file}")
    readings, problems = [], []
    for name in source.template_names:
        declaration = declare(place.templates[name][0])
        taken = _known_fields(declaration.fields, chat=declaration.chat)
        try:
            reading = reading_of(
                name,
                declaration,
                columns,
                shape=source.shape,
                fields={field: column for field, column in source.fields.items() if field in taken},
                constants={field: text for field, text in source.constants.items() if field in taken},
                spare=[*source.where, *source.keep, *([source.key] if source.key else [])],
                where=f"{where}, {file}",
            )
            nested = [column for column in reading.columns_in_order if _is_nested(rows, column)]
            readings.append(Reading(**reading.model_dump() | {"nested": nested}))
        except DataError as error:
            problems.append(error)
    raise_together(problems)
    sheets = {name: layout_for(source, path, name).sheet for name, path in files.items() if kind_of(path) == "xlsx"}
    return Survey(files, readings, sheets, clean_file)


def layout_for(source: Source, path: Path, name: str) -> Layout:
    """Return how rows of one of the source's files are to be read."""
    return layout_of(path, name, source.encoding, source.delimiter, skip=source.skip, sheet=source.sheet)


def peek(source: Source, files: Mapping[str, Path], clean_file: Path | None) -> list[dict[str, Any]]:
    """Return the first readable rows of a source, cleaned if it says so.

    Raises:
        SourceError: It has no rows, or none of the first can be read.
    """
    found: list[dict[str, Any]] = []
    first_bad: SourceError | None = None
    clean = load_function(clean_file, source.clean.rpartition(":")[2]) if source.clean and clean_file else None
    seen = chars = 0
    for name, path in files.items():
        layout = layout_for(source, path, name)
        for row in read_rows(path, name, source.encoding, layout):
            seen, chars = seen + 1, chars + len(row.raw)
            problem = row.detail
            if not row.reason:
                try:
                    value = parse_row(row.raw, layout)
                    problem = None if isinstance(value, dict) else "the row is no object with columns"
                    value = cleaned(clean, value) if clean and problem is None else value
                except (MalformedError, RowError) as error:
                    problem = str(error)
            if problem is None:
                found.append(value)
            elif first_bad is None:
                first_bad = SourceError(
                    f"none of the first rows can be read; this one: {problem}",
                    where=f"source {source.name}, {name}:{row.n}",
                    fix="mend the file, or name another with `path`",
                )
            if seen >= PEEK_ROWS or chars >= _PEEK_CHARS:
                break
        else:
            continue
        break
    if found:
        return found
    raise first_bad or SourceError(
        "no rows",
        where=f"source {source.name}, {next(iter(files.values()))}",
        fix="give a file that holds rows",
    )


def _is_nested(rows: list[dict[str, Any]], column: str) -> bool:
    """Whether most of the values of a column are lists or objects."""
    values = [value for row in rows if (value := lookup(row, column)) is not ABSENT and value is not None]
    return 2 * sum(isinstance(value, list | dict) for value in values) > len(values)


def _check_templates(source: Source, place: Place, where: str) -> None:
    """Raise ConfigError for templates that do not exist and fields that none of them has."""
    problems = [
        ConfigError(f"no template {name!r}", where=where, fix=nearest(name, place.templates))
        for name in source.template_names
        if name not in place.templates
    ]
    raise_together(problems)
    known: set[str] = set()
    for name in source.template_names:
        template = place.templates[name][0]
        known |= _known_fields(template.fields, chat=template.chat)
    named = " or ".join(map(repr, source.template_names))
    raise_together(
        ConfigError(f"template {named} has no field {field!r}", where=where, fix=nearest(field, known))
        for field in (*source.fields, *source.constants)
        if field not in known
    )


def _known_fields(fields: Collection[str], *, chat: bool) -> set[str]:
    return {*fields, *(("turns", "system", "tools", *(("prompt",) if REJECTED in fields else ())) if chat else ())}


def _check_columns(source: Source, rows: list[dict[str, Any]], columns: list[str], where: str) -> None:
    def is_there(column: str) -> bool:
        return column in columns or any(lookup(row, column) is not ABSENT for row in rows)

    raise_together(
        ConfigError(f"no column {column!r} in the first rows", where=where, fix=nearest(column, columns))
        for column in source.columns_named
        if not is_there(column)
    )
