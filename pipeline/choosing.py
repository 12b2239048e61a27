"""Which split is meant: a tag, a version, or the newest of a recipe.

v1        ->   the split that `tuneloop tag v1` named, revision "v1"
60de8a    ->   the split whose version begins so, revision "60de8a07cc90..."
nothing   ->   the recipe's newest, under the tag that names it if one does
"""

from dataclasses import dataclass
from pathlib import Path

from pipeline import refs
from pipeline.diff import find_version
from pipeline.snapshot import Snapshot
from pipeline.tags import read_tag, tag_paths
from schemas import ConfigError, nearest


@dataclass(frozen=True)
class Chosen:
    """A split and what it is called.

    Attributes:
        split: The rows.
        revision: A tag, or the version.
        recipe: Whose run made it.
    """

    split: Snapshot
    revision: str
    recipe: str


def choose(data_root: Path, recipe: str, wanted: str | None) -> Chosen:
    """Return the split that is meant.

    Raises:
        ConfigError: There is none, several fit, or what fits is no split.
        SnapshotError: It is damaged.
    """
    tags = _tags(data_root)
    if wanted in tags:
        version, of = tags[wanted]
        return Chosen(Snapshot.open(data_root / "split", version), wanted, of)
    if wanted is not None:
        try:
            split = find_version(data_root, wanted)
        except ConfigError as error:
            raise ConfigError(
                error.what, where=error.where, fix=f"{error.fix}; tags: {nearest(wanted, tags)}"
            ) from error
        if split.manifest.stage != "split":
            raise ConfigError(
                f"{wanted} is a version of {split.manifest.stage}", where=str(data_root), fix="name a split"
            )
        return Chosen(split, split.manifest.version, recipe)
    record = refs.newest(data_root, "split", recipe)
    if record is None:
        raise ConfigError(
            f"recipe {recipe} has no split yet",
            where=str(data_root),
            fix="run `tuneloop data` first, or name --data-root",
        )
    named = sorted(name for name, (version, of) in tags.items() if version == record.version and of == recipe)
    revision = named[-1] if named else record.version
    return Chosen(Snapshot.open(data_root / "split", record.version), revision, recipe)


def _tags(data_root: Path) -> dict[str, tuple[str, str]]:
    """Return tag to version of the split and recipe."""
    found = {}
    for path in tag_paths(data_root):
        tagged = read_tag(path)
        found[path.stem] = (tagged.versions["split"], tagged.recipe)
    return found
