"""The command `template new`: a file that already passes every check, and what to type next."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from pydantic import ValidationError

from pipeline.starter_template import renamed, starter, starter_text
from pipeline.template import BUILT_IN, check_template
from pipeline.template_file import read_template
from pipeline.template_files import MINE, template_files
from schemas import ConfigError, Template
from schemas.validation import config_error


def new(
    name: Annotated[str, Parameter(help="its name, and its file's: small letters, digits and hyphens")],
    *,
    fields: Annotated[
        list[str] | None, Parameter(help="names of what the model is given, such as document", consume_multiple=True)
    ] = None,
    response: Annotated[str | None, Parameter(help="name of what the model must write, such as summary")] = None,
    like: Annotated[str | None, Parameter(help="start from this template instead: a built-in name, or a file")] = None,
    task: Annotated[str | None, Parameter(help="task type; the template's name if left out")] = None,
    about: Annotated[str, Parameter(help="one sentence on what it is for")] = "",
    license_: Annotated[str | None, Parameter(name="--license", help="SPDX name; Apache-2.0 if left out")] = None,
    folder: Annotated[Path, Parameter(name="--dir", help="folder to write into; made if it is not there")] = MINE,
) -> None:
    """Write a template of your own that already passes the checks; asks for what is missing on a terminal.

    Example: tuneloop template new slogan --fields document --response slogan
    """
    path = folder / f"{name}.yaml"
    if path.exists() or (BUILT_IN / f"{name}.yaml").exists():
        what = f"{path} is there already" if path.exists() else f"a built-in template is called {name!r}"
        raise ConfigError(what, where=str(path), fix="choose another name; nothing was written")
    if like:
        if fields or response:
            raise ConfigError(
                "--like takes over the fields of a template, and --fields or --response name others",
                where="command line",
                fix="leave out one or the other; fields can be renamed in the file",
            )
        text = _like(like, folder, name, task, license_)
    else:
        template = _started(name, fields, response, task, about, license_)
        text = starter_text(template)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(
            f"cannot be written: {error.strerror}", where=str(path), fix="choose another --dir"
        ) from error
    written = read_template(path)
    check_template(written, path)
    sys.stdout.write(f"{path}\n")
    sys.stderr.write(_next_steps(written, path, folder))


def _like(like: str, folder: Path, name: str, task: str | None, license_: str | None) -> str:
    (source,) = template_files([like], [folder] if folder.is_dir() else [])[:1]
    old = read_template(source)
    check_template(old, source)
    return renamed(source.read_text("utf-8-sig"), name, old.name, task=task, license_=license_)


def _started(
    name: str, fields: list[str] | None, response: str | None, task: str | None, about: str, license_: str | None
) -> Template:
    """Return a starter, having asked for what is missing where somebody can answer."""
    if not (fields and response):
        if not sys.stdin.isatty():
            missing = [flag for flag, given in (("--fields", fields), ("--response", response)) if not given]
            raise ConfigError(
                f"nobody can be asked here for {' and '.join(missing)}",
                where="command line",
                fix=f"tuneloop template new {name} --fields document --response summary; or --like summarize",
            )
        fields = fields or _ask("Fields the model is given, with spaces between", "document").split()
        response = response or _ask("Field the model must write", "response")
        task = task or _ask("Task type", name)
        license_ = license_ or _ask("Licence of the file, by its SPDX name", "Apache-2.0")
    try:
        return starter(
            name,
            task=task or name,
            about=about,
            fields=fields,
            response=response,
            license_=license_ or "Apache-2.0",
        )
    except ValidationError as error:
        raise config_error(error, Template, f"command line, template {name}") from error


def _ask(question: str, default: str) -> str:
    sys.stderr.write(f"{question} [{default}]: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() or default


def _next_steps(template: Template, path: Path, folder: Path) -> str:
    columns = ", ".join(f'{name} = "<column>"' for name in template.fields)
    fields = f"    fields = {{ {columns} }}\n" if columns and not template.chat else ""
    return (
        f"It passes the checks. Next:\n"
        f"  edit it:      {path}\n"
        f"  check it:     tuneloop template check {path}\n"
        f"  look at it:   tuneloop template preview {path}\n"
        f"In your recipe:\n"
        f'    template_dirs = ["{folder}"]\n\n'
        f"    [[ingest.sources]]\n"
        f'    name = "my-rows"\n'
        f'    path = "rows.jsonl"\n'
        f'    template = "{template.name}"\n'
        f"{fields}"
        f"  with rows:    tuneloop template preview {template.name} --recipe my.toml\n"
    )
