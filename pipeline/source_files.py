"""The files a source's `path` means: files, globs, folders; standard input and hub datasets once they are copied here.

"raw/*.json"   ->   {"raw/a.json": /home/ann/raw/a.json, "raw/b.json": ...}
"-"            ->   {"stdin": data/stdin/<digest of the bytes>.jsonl}
"hf://o/n"     ->   {"hf://o/n/train": data/hub/o--n/<revision>/default.train.jsonl.zst}
"""

import glob
import importlib
import os
import sys
from collections.abc import Callable, Iterable
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pipeline.readers import ARCHIVES, KINDS, kind_of
from pipeline.source import STDIN, Source
from schemas import ConfigError, DataError, SourceError, nearest

_LONGEST_SHOWN = 300  # characters of a path in an error
_HUB_READER = "pipeline.hub_source"  # loads `datasets`, which takes a second


def files_of(source: Source, root: Path, data_root: Path, where: str) -> dict[str, Path]:
    """Return name to path of the files that hold a source's rows, in order of name.

    What comes from standard input or from the hub is copied into the store first.

    Raises:
        ConfigError: A hub dataset without a revision, or an unknown configuration or split.
        ServiceError: The hub does not answer.
        SourceError: There is no file, or one of unknown ending, or nothing on standard input.
    """
    if source.path == STDIN:
        return {"stdin": keep_stdin(data_root / "stdin", f".{source.format}")}
    if source.is_hub:
        return _hub_files(source, data_root, where)
    return find_files(source.path, root, where)


@cache
def keep_stdin(folder: Path, ending: str) -> Path:
    """Return a copy of standard input, named by its bytes; it can be read once, so every call gives the same.

    Raises:
        SourceError: It is a terminal, or empty.
    """
    fix = "pipe rows in, as in `zcat rows.jsonl.gz | tuneloop data --recipe my.toml`, or give a file as `path`"
    if sys.stdin is None or sys.stdin.isatty():
        raise SourceError('path = "-" reads standard input, and that is a terminal', where="stdin", fix=fix)
    folder.mkdir(parents=True, exist_ok=True)
    draft, hasher, n_bytes = folder / f"tmp-{os.getpid()}", blake2b(digest_size=16), 0
    with draft.open("wb") as file:
        while chunk := sys.stdin.buffer.read(1 << 20):
            hasher.update(chunk)
            n_bytes += file.write(chunk)
    if not n_bytes:
        draft.unlink()
        raise SourceError("standard input is empty", where="stdin", fix=fix)
    return draft.rename(folder / f"{hasher.hexdigest()}{ending}")


def _hub_files(source: Source, data_root: Path, where: str) -> dict[str, Path]:
    dataset = source.path.removeprefix("hf://")
    if source.revision is None:
        hub: Any = importlib.import_module(_HUB_READER)
        raise ConfigError(
            f"{source.path} has no revision, so tomorrow's rows may be others",
            where=where,
            fix=f'add to the source what is newest now: revision = "{hub.newest_revision(dataset)}"',
        )
    first = f".first-{source.limit}" if source.limit else ""
    file = f"{source.config or 'default'}.{source.split}{first}.jsonl.zst".replace("/", "_")
    path = data_root / "hub" / dataset.replace("/", "--") / source.revision / file
    if not path.exists():
        hub = importlib.import_module(_HUB_READER)
        hub.copy_rows(
            dataset, path, config=source.config, split=source.split, revision=source.revision, limit=source.limit
        )
    config = f"/{source.config}" if source.config else ""
    return {f"{source.path}{config}/{source.split}": path}


def find_files(path: str, root: Path, where: str) -> dict[str, Path]:
    """Return name to path of the files a source's `path` means, in order of name.

    A folder means every file in it, at any depth, whose ending is known; its .txt and .md files are rows only where it
    holds no others, since a README beside data is none. Names are relative to `root` for files inside it.

    Raises:
        SourceError: There is none, or a named file has an unknown ending.
    """
    try:
        full = Path(os.path.normpath(root / Path(path).expanduser()))
        files = sorted(file for file in _found(full) if file.is_file())
    except (OSError, RuntimeError) as error:  # a name too long, a folder not ours to read; a home that nobody has
        why, name = str(error), _short(path)
        if isinstance(error, OSError) and error.strerror:
            why, name = error.strerror, _short(str(error.filename or path))
        raise SourceError(
            f"{name} cannot be looked at: {why}", where=where, fix="mend `path`, or make the folder readable"
        ) from error
    known = ", ".join(KINDS)
    if not files:
        others = [other.name for other in full.parent.iterdir()] if full.parent.is_dir() else []
        hint = nearest(full.name, others[:1000]) if others else f"there is no folder {full.parent}"
        fix = f"mend `path`: {hint}" if not full.is_dir() else f"a folder is searched for {known}"
        raise SourceError(f"no file at {_short(path)}", where=f"{where}, {_short(str(full))[1:-1]}", fix=fix)
    raise_together(_unreadable(file, f"{where}, {file}") for file in files if not kind_of(file))
    return {_name(file, root): file for file in files}


def _found(full: Path) -> list[Path]:
    """Return what a folder holds, or a glob or name means."""
    if full.is_dir():
        inside = [Path(folder, name) for folder, _, names in os.walk(full, onerror=_refuse) for name in names]
        found = [path for path in inside if kind_of(path) and not _is_hidden(path.relative_to(full))]
        return [path for path in found if kind_of(path) != "text"] or found
    if full.exists():
        return [full]
    return _once(path for path in map(Path, glob.glob(str(full), recursive=True)) if path.is_file())


def _refuse(error: OSError) -> None:
    """Raise what a folder that cannot be read gives, since its rows would be missing without a word."""
    raise error


def _once(files: Iterable[Path]) -> list[Path]:
    """Return each file once, under its shortest name: a link to a folder above gives a glob 40 names for it."""
    found: dict[Path, Path] = {}
    for file in sorted(files, key=lambda one: (len(one.parts), one)):
        found.setdefault(file.resolve(), file)
    return list(found.values())


def _unreadable(file: Path, where: str) -> SourceError:
    if file.suffix.lower() in ARCHIVES or file.name.lower().endswith(".tar.gz"):
        return SourceError(
            f"{file.name!r} is packed in a way that is not read",
            where=where,
            fix="unpack it into a folder of its own and name that folder as `path`; .gz and .zst files are read as "
            "they are",
        )
    known = ", ".join(KINDS)
    return SourceError(
        f"{file.name!r} is no file that can be read",
        where=where,
        fix=f"endings known: {known}, and .gz or .zst after all but .parquet and .xlsx",
    )


def _name(file: Path, root: Path) -> str:
    top = Path(os.path.normpath(root))
    return file.relative_to(top).as_posix() if file.is_relative_to(top) else file.as_posix()


def _short(path: str) -> str:
    return repr(path if len(path) <= _LONGEST_SHOWN else f"{path[:_LONGEST_SHOWN]}...")


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def raise_together(problems: Iterable[DataError]) -> None:
    """Raise all problems as one error of the first one's kind; do nothing if there are none."""
    found = list(problems)
    if found:
        kind: Callable[[Iterable[DataError]], DataError | None] = type(found[0]).of
        error = kind(found)
        assert error is not None
        raise error
