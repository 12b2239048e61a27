"""Drafts on disk: `data/drafts/<recipe>/<source>.<template>.jsonl`, one example a model wrote a line, only added to.

    {"source": "support", "template": "instruct", "fields": {"instruction": "Add 2 and 3.", "response": "5"},
     "synthetic": {"kind": "draft", "model": "m", "prompt": "3c1f...", "parents": ["07af..."]},
     "asked": [{"role": "user", "content": "Add 2 and 3."}], "at": "2026-11-28T18:00:00+00:00", "author": "ann"}

A recipe with a section `[draft]` reads these files as sources of their own, named draft-<source>-<template>, after all
others. What a model answered and is no draft stands beside them in `_refused.jsonl`, with the reason. Like people's
answers, the files cannot be made again for nothing: no clean and no `gc` touches them.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.recipe import Recipe
from pipeline.snapshot import make_folder, sync
from pipeline.source import Source
from pipeline.synthetic import SYNTHETIC
from schemas import ConfigError, SnapshotError

# No source's name begins so.
REFUSED = "_refused.jsonl"
OWN = frozenset(("source", "template", "fields", "turns", SYNTHETIC, "asked", "at"))


def drafts_folder(data_root: Path, recipe: str) -> Path:
    """Return where a recipe's drafts lie; it need not exist."""
    return data_root / "drafts" / recipe


def read_drafts(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file; a last line that a crash cut short is left out.

    Raises:
        SnapshotError: Another line is no JSON.
    """
    lines = path.read_bytes().split(b"\n")
    found = []
    for number, line in enumerate(lines[:-1], start=1):
        if not line:
            continue  # what was removed for good leaves an empty line
        try:
            found.append(json.loads(line))
        except ValueError as error:
            raise SnapshotError(
                f"not JSON: {error}", where=f"{path}:{number}", fix="take that line out; the row is then drafted anew"
            ) from error
    return found


def add_drafts(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Add lines to a file and sync it; a last line that a crash cut short goes first."""
    new = not path.exists()
    make_folder(path.parent)
    with path.open("ab+") as file:
        file.seek(0)
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)
        file.seek(whole)
        file.write(b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    if new:
        sync(path.parent)


def with_drafts(recipe: Recipe, data_root: Path, root: Path) -> Recipe:
    """Return the recipe with its drafts as further sources; the same recipe if it has none or no section `[draft]`.

    Drafts of a source that the recipe no longer names, or now holds out of training, are left aside.

    Args:
        recipe: As its file says.
        data_root: The store.
        root: Folder that relative paths start from.

    Raises:
        SnapshotError: A file of drafts is damaged.
        ConfigError: A source of the recipe has the name of one of them.
    """
    if recipe.draft is None:
        return recipe
    held = recipe.split.hold_out.sources
    licenses = {source.name: source.license for source in recipe.ingest.sources if source.name not in held}
    found = []
    for path in sorted(drafts_folder(data_root, recipe.name).glob("[a-z0-9]*.jsonl")):
        if (lines := read_drafts(path)) and lines[0]["source"] in licenses:
            found.append(_source(path, lines, licenses, root))
    if not found:
        return recipe
    taken = {source.name for source in recipe.ingest.sources}
    if clash := [source.name for source in found if source.name in taken]:
        raise ConfigError(
            f"source {clash[0]!r} has the name of a source of drafts",
            where=f"recipe {recipe.name}, ingest.sources",
            fix="give it another name; those that begin with draft- are for what `tuneloop draft` writes",
        )
    ingest = recipe.ingest.model_copy(update={"sources": [*recipe.ingest.sources, *found]})
    return recipe.model_copy(update={"ingest": ingest})


def _source(path: Path, lines: list[dict[str, Any]], licenses: Mapping[str, str | None], root: Path) -> Source:
    first = lines[0]
    names = sorted({name for line in lines for name in line["fields"]})
    kept = sorted({column for line in lines for column in line} - OWN)
    return Source.model_validate(
        {
            "name": f"draft-{first['source']}-{first['template']}",
            "path": os.path.relpath(root / path, root),
            "template": first["template"],
            "fields": {name: f"fields.{name}" for name in names} | ({"turns": "turns"} if "turns" in first else {}),
            "keep": [SYNTHETIC, *kept],
            "license": licenses[first["source"]],
            "synthetic": True,
        }
    )
