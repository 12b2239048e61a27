"""The command `template import`: templates of promptsource become files of ours."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from pipeline.promptsource_file import promptsource_files, read_promptsource
from pipeline.promptsource_import import Made, Refused, make_templates, take
from pipeline.promptsource_parser import RefusedError
from pipeline.readers import layout_of, parse_row, read_rows
from pipeline.strict_json import MalformedError
from pipeline.template_files import MINE, search_folders
from schemas import ConfigError

_ROWS = 200


def import_templates(
    kind: Annotated[Literal["promptsource"], Parameter(help="whose templates they are")],
    path: Annotated[Path, Parameter(help="a templates.yaml, or a folder with such files at any depth")],
    *,
    to: Annotated[Path, Parameter(help="folder to write into; made if it is not there")] = MINE,
    rows: Annotated[
        Path | None, Parameter(help="rows of the data set (jsonl, csv, parquet, ...), for examples that are real")
    ] = None,
    choose_first: Annotated[
        bool, Parameter(help="where promptsource picks one at random, take the first; such templates are refused else")
    ] = False,
) -> None:
    """Write templates of ours from those of promptsource, and say which could not be had and why.

    Every file it writes passes `tuneloop template check` without an error. No file is written over.

    Example: tuneloop template import promptsource promptsource/templates/ag_news --to my_templates
    """
    del kind
    files = promptsource_files(path)
    real = _real_rows(rows) if rows else []
    names = {file.stem for folder in search_folders([to] if to.is_dir() else []) for file in folder.glob("*.yaml")}
    refused: list[Refused] = []
    n_all = n_taken = n_files = 0
    to.mkdir(parents=True, exist_ok=True)
    for file in files:
        foreign = read_promptsource(file)
        taken = []
        for one in foreign:
            try:
                taken.append(take(one, choose_first=choose_first))
            except RefusedError as error:
                refused.append(Refused(one, error.reason, str(error)))
        made = list(make_templates(taken, names, real))
        refused += [one for one in made if isinstance(one, Refused)]
        written = [one for one in made if isinstance(one, Made)]
        for template in written:
            _write(template, to)
        n_all, n_taken = n_all + len(foreign), n_taken + sum(len(one.taken) for one in written)
        n_files += bool(written)
    _tell(refused, n_all, n_taken)
    sys.stderr.write(f"{n_taken:,} of {n_all:,} templates taken over, from {n_files:,} of {len(files):,} files\n")


def _write(made: Made, to: Path) -> None:
    path = to / f"{made.template.name}.yaml"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(made.text)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(path), fix="choose another --to") from error
    columns = ", ".join(
        f"{column.field} = {column.column}" for one in made.taken.values() for column in one.columns.values()
    )
    fields = ", ".join(dict.fromkeys(columns.split(", ")))
    n = len(made.taken)
    sys.stdout.write(f"{path}: {n} paraphrase{'s' * (n != 1)}; {fields}\n")


def _tell(refused: Sequence[Refused], n_all: int, n_taken: int) -> None:
    """Say each refusal of a few, and the reasons with their number of many."""
    if not refused:
        return
    sys.stderr.write(f"{n_all - n_taken:,} refused:\n")
    first: dict[str, Refused] = {}
    for one in refused:
        first.setdefault(one.reason, one)
    for reason, n in Counter(one.reason for one in refused).most_common():
        one = first[reason]
        more = f", and {n - 1:,} more" if n > 1 else ""
        detail = one.detail if one.detail.startswith(reason) else f"{reason} ({one.detail})"
        sys.stderr.write(f"  {detail}: {one.foreign.dataset} {one.foreign.name!r}{more}\n")


def _real_rows(path: Path) -> list[Mapping[str, Any]]:
    """Return the first rows of a file that are objects."""
    if not path.is_file():
        raise ConfigError("there is no such file", where=str(path), fix="give --rows a file of the data set")
    layout = layout_of(path, path.name, "utf-8", None)
    found: list[Mapping[str, Any]] = []
    for row in islice(read_rows(path, path.name, "utf-8", layout), _ROWS):
        try:
            value = None if row.reason else parse_row(row.raw, layout)
        except MalformedError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found
