"""Tags: a name for one recipe's finished split and everything it came from."""

import re
from pathlib import Path

from pipeline import refs
from pipeline.ledger import point
from pipeline.recipe import STAGES
from pipeline.refusal import told_refusals
from pipeline.seal import NewerFormatError, sealed, unseal
from pipeline.snapshot import make_folder, write_whole
from pipeline.working_copy import share_tag
from schemas import ConfigError, SnapshotError, Strict


class Tag(Strict):
    """What `data/tags/v1.json` holds: the record of every stage's run, by file name, and their versions."""

    recipe: str
    runs: dict[str, str]
    versions: dict[str, str]
    checksum: str = ""


def tag_paths(data_root: Path) -> list[Path]:
    """Return the files of all tags, sorted."""
    return sorted((data_root / "tags").glob("[!.]*.json"))


def read_tag(path: Path) -> Tag:
    """Return what a tag names.

    Raises:
        SnapshotError: The file is damaged.
    """
    try:
        return unseal(path.read_bytes(), Tag)
    except NewerFormatError:
        raise
    except (OSError, ValueError) as error:
        raise SnapshotError(
            f"a tag cannot be read: {str(error).splitlines()[0]}",
            where=str(path),
            fix="take it from a backup, or run `tuneloop fsck --repair`, which sets it aside, and tag anew",
        ) from error


def tag(data_root: Path, recipe: str, name: str) -> Path:
    """Name the recipe's newest split; return the link `data/split/<name>`.

    The tag file in `data/tags/` names every stage's run, so that gc keeps them. A tag never moves.

    Raises:
        ConfigError: The name is not a plain word, or is taken by another version.
        SnapshotError: The recipe has no split yet, the disk refuses, or somebody gave the bucket this tag at this
            moment.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) or name.startswith("latest-"):
        raise ConfigError(
            f"{name!r} cannot be a tag", where="tag NAME", fix="use letters, digits, dots and dashes, such as v1"
        )
    with told_refusals("the tag", data_root / "tags"):
        return _tag(data_root, recipe, name)


def _tag(data_root: Path, recipe: str, name: str) -> Path:
    runs: dict[str, str] = {}
    versions: dict[str, str] = {}
    for stage in STAGES:
        paths = refs.record_paths(data_root, stage, recipe)
        if not paths:
            raise SnapshotError(
                f"recipe {recipe} has no {stage} yet", where=str(data_root), fix="run `tuneloop data` first"
            )
        runs[stage], versions[stage] = paths[0].name, refs.read_record(paths[0]).version
    link, file = data_root / "split" / name, make_folder(data_root / "tags") / f"{name}.json"
    if file.exists():
        if read_tag(file).versions != versions:
            raise ConfigError(
                f"tag {name} names another version", where=str(file), fix="choose another name, such as the next number"
            )
    else:
        text = sealed(Tag(recipe=recipe, runs=runs, versions=versions))
        share_tag(data_root, name, text)
        write_whole(file, text)
    return point(link, versions["split"])
