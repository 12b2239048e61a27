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
    full = Path(os.path.normpath(root / Path(path).expanduser()))
    if full.is_dir():
        found = [p for p in full.rglob("*") if kind_of(p) and not _is_hidden(p.relative_to(full))]
        found = [p for p in found if kind_of(p) != "text"] or found
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
    raise_together(_unreadable(file, f"{where}, {file}") for file in files if not kind_of(file))
    return {_name(file, root): file for file in files}


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
