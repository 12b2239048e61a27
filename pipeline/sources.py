"""Sources: what the recipe says of them, and what they turn out to be before any row is taken.

[[ingest.sources]]                    ->   Survey(files={"raw/a.json": Path(...), "raw/b.json": Path(...)},
name = "alpaca"                                   readings=[Reading(template="instruct", shape="alpaca", ...)])
path = "raw/*.json"
template = "instruct"
"""

import codecs
import glob
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from pipeline.readers import KINDS, kind_of, layout_of, parse_row, read_rows
from pipeline.reading import ABSENT, Reading, declare, lookup
from pipeline.shapes import Shape, reading_of
from pipeline.stage import Place
from pipeline.strict_json import MalformedError
from schemas import ConfigError, DataError, SourceError, Strict, nearest

Plain = str | int | float | bool
_PEEK_ROWS = 1000
_PEEK_CHARS = 8 << 20


class Source(Strict):
    """One source of rows."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", title="names the source in every row; order is priority")
    path: str = Field(min_length=1, title="a file, a glob or a folder; relative to where the command is run")
    template: str | None = Field(None, title="the template its rows are for")
    templates: list[str] = Field(default=[], title="several templates instead: one example of each row for each")
    shape: Shape | None = Field(None, title="layout of its rows; left out, it is recognised and said")
    fields: dict[str, str] = Field(default={}, title="template field to column; a path such as instances.0.input too")
    constants: dict[str, str] = Field(default={}, title="template field to one text for all rows")
    where: dict[str, Plain | list[Plain]] = Field(default={}, title="column to the value or values of rows to take")
    keep: list[str] = Field(default=[], title="columns that travel along in meta")
    limit: int | None = Field(None, ge=1, title="take the first so many rows only")
    key: str | None = Field(None, title="column that names a row for ever; new text under it is a revision")
    to_write: bool = Field(default=False, title="keep rows with an empty response: people write it")
    encoding: str = Field("utf-8", title="as Python names it, such as cp1252; for text files")
    delimiter: str | None = Field(None, min_length=1, max_length=1, title="between columns of .csv and .tsv files")
    license: str | None = Field(None, title="licence of its rows, such as CC-BY-4.0")
    synthetic: bool = Field(default=False, title="a model wrote its rows: trained on once a person has accepted them")

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        try:
            return codecs.lookup(encoding).name
        except LookupError:
            raise ValueError("encoding is not one that Python knows; try utf-8, cp1252 or utf-16") from None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if bool(self.template) == bool(self.templates):
            raise ValueError(f"source {self.name!r} must give either `template` or `templates`")
        if len(set(self.templates)) < len(self.templates):
            raise ValueError(f"source {self.name!r} names a template twice")
        if both := sorted(set(self.fields) & set(self.constants)):
            raise ValueError(f"source {self.name!r} fills {', '.join(both)} by `fields` and by `constants`")
        if self.key and self.key != "key" and "key" in self.keep:
            raise ValueError(f"source {self.name!r} keeps a column 'key', the name under which meta holds its key")
        return self

    @property
    def template_names(self) -> tuple[str, ...]:
        """The templates its rows are for."""
        return (self.template,) if self.template else tuple(self.templates)

    @property
    def columns_named(self) -> list[str]:
        """Every column the recipe names, as it is written there."""
        return list(dict.fromkeys([*self.fields.values(), *self.where, *self.keep, *([self.key] if self.key else [])]))


@dataclass(frozen=True)
class Survey:
    """What a source turned out to be."""

    files: Mapping[str, Path]
    readings: list[Reading]


def survey(source: Source, place: Place) -> Survey:
    """Return the files of a source, in order, and how its rows are read for each of its templates.

    Raises:
        ConfigError: Unknown templates, fields or columns; a shape that cannot be told; all of one kind at once.
        SourceError: No file, no row, or none of the first rows can be read.
    """
    where = f"recipe {place.recipe}, source {source.name}"
    _check_templates(source, place, where)
    files = find_files(source.path, place.root, where)
    rows = _peek(source, files)
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
    return Survey(files, readings)


def find_files(path: str, root: Path, where: str) -> dict[str, Path]:
    """Return name to path of the files a source's `path` means, in order of name.

    A folder means every file in it, at any depth, whose ending is known. Names are relative to `root` for files
    inside it.

    Raises:
        SourceError: There is none, or a named file has an unknown ending.
    """
    full = Path(os.path.normpath(root / Path(path).expanduser()))
    if full.is_dir():
        found = [p for p in full.rglob("*") if kind_of(p) and not _is_hidden(p.relative_to(full))]
    elif full.exists():
        found = [full]
    else:
        found = [Path(name) for name in glob.glob(str(full), recursive=True)]
    files = sorted(file for file in found if file.is_file())
    known = ", ".join(KINDS)
    if not files:
        others = [other.name for other in full.parent.iterdir()] if full.parent.is_dir() else []
        hint = nearest(full.name, others[:1000]) if others else f"there is no folder {full.parent}"
        fix = f"mend `path`: {hint}" if not full.is_dir() else f"a folder is searched for {known}"
        raise SourceError(f"no file at {path!r}", where=f"{where}, {full}", fix=fix)
    problems = [
        SourceError(
            f"{file.name!r} is no file that can be read",
            where=f"{where}, {file}",
            fix=f"endings known: {known}, and .gz after all but .parquet",
        )
        for file in files
        if not kind_of(file)
    ]
    raise_together(problems)
    return {_name(file, root): file for file in files}


def _name(file: Path, root: Path) -> str:
    top = Path(os.path.normpath(root))
    return file.relative_to(top).as_posix() if file.is_relative_to(top) else file.as_posix()


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _peek(source: Source, files: Mapping[str, Path]) -> list[dict[str, Any]]:
    """Return the first readable rows of a source.

    Raises:
        SourceError: It has no rows, or none of the first can be read.
    """
    found: list[dict[str, Any]] = []
    first_bad: SourceError | None = None
    seen = chars = 0
    for name, path in files.items():
        layout = layout_of(path, name, source.encoding, source.delimiter)
        for row in read_rows(path, name, source.encoding, layout):
            seen, chars = seen + 1, chars + len(row.raw)
            problem = row.detail
            if not row.reason:
                try:
                    value = parse_row(row.raw, layout)
                except MalformedError as error:
                    problem = str(error)
                else:
                    problem = None if isinstance(value, dict) else "the row is no object with columns"
            if problem is None:
                found.append(value)
            elif first_bad is None:
                first_bad = SourceError(
                    f"none of the first rows can be read; this one: {problem}",
                    where=f"source {source.name}, {name}:{row.n}",
                    fix="mend the file, or name another with `path`",
                )
            if seen >= _PEEK_ROWS or chars >= _PEEK_CHARS:
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


def _known_fields(fields: Iterable[str], *, chat: bool) -> set[str]:
    return {*fields, *(("turns", "system", "tools") if chat else ())}


def _check_columns(source: Source, rows: list[dict[str, Any]], columns: list[str], where: str) -> None:
    def is_there(column: str) -> bool:
        return column in columns or any(lookup(row, column) is not ABSENT for row in rows)

    raise_together(
        ConfigError(f"no column {column!r} in the first rows", where=where, fix=nearest(column, columns))
        for column in source.columns_named
        if not is_there(column)
    )


def raise_together(problems: Iterable[DataError]) -> None:
    """Raise all problems as one error of the first one's kind; do nothing if there are none."""
    flat = [one for problem in problems for one in (problem, *problem.also)]
    if flat:
        kind: Callable[[Iterable[DataError]], DataError | None] = type(flat[0]).of
        error = kind(flat)
        assert error is not None
        raise error
