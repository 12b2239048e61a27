"""The records of runs: `data/<stage>/refs/<recipe>/000007.json`, numbered, only ever added.

The highest number is the newest. Order never depends on a clock.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline import working_copy
from pipeline.seal import NewerFormatError, sealed, unseal
from pipeline.snapshot import make_folder, sync
from schemas import RunRecord, SnapshotError

# A change taken back within this many runs costs nothing.
_RECENT = 5
_SET_ASIDE = "run `tuneloop fsck --repair`: it sets the damaged record aside and the run before it counts"


def refs_folder(data_root: Path, stage: str, recipe: str) -> Path:
    """Return where the records of a stage and recipe lie; it need not exist."""
    return data_root / stage / "refs" / recipe


def record_paths(data_root: Path, stage: str, recipe: str) -> list[Path]:
    """Return the record files, newest first."""
    folder = refs_folder(data_root, stage, recipe)
    return sorted((path for path in folder.glob("[0-9]*.json") if path.stem.isdigit()), reverse=True)


def read_record(path: Path) -> RunRecord:
    """Return the record in a file.

    Raises:
        SnapshotError: The file is damaged, or holds the record of another run.
    """
    try:
        record = unseal(path.read_bytes(), RunRecord)
    except NewerFormatError:
        raise
    except (OSError, ValueError) as error:
        raise SnapshotError(
            f"record of a run cannot be read: {str(error).splitlines()[0]}",
            where=str(path),
            fix=_SET_ASIDE,
        ) from error
    folder = path.parent
    if (record.stage, record.recipe, f"{record.number:06d}") != (folder.parents[1].name, folder.name, path.stem):
        raise SnapshotError(
            f"holds record {record.number} of stage {record.stage} and recipe {record.recipe}, not its own",
            where=str(path),
            fix=_SET_ASIDE,
        )
    return record


def newest(data_root: Path, stage: str, recipe: str) -> RunRecord | None:
    """Return the newest record of a stage for one recipe, or None if it never ran."""
    paths = record_paths(data_root, stage, recipe)
    return read_record(paths[0]) if paths else None


def recipes_with(data_root: Path, stage: str) -> list[str]:
    """Return the names of the recipes that have records of a stage, sorted."""
    return sorted(path.name for path in (data_root / stage / "refs").glob("*") if path.is_dir())


def recent(data_root: Path, stage: str, recipe: str) -> Iterator[RunRecord]:
    """Yield the records of the newest runs of a recipe, the newest first: what a new run may take over."""
    yield from map(read_record, record_paths(data_root, stage, recipe)[:_RECENT])


def stages_in(data_root: Path) -> list[str]:
    """Return the names of all stages that have records, sorted."""
    return sorted(path.parent.name for path in data_root.glob("*/refs") if path.is_dir())


def add(data_root: Path, record: RunRecord) -> Path:
    """Publish a record under its number, whole or not at all; return its path. To a bucket it goes first.

    Raises:
        FileExistsError: Another run took the number: the caller holds no lock, or read the newest record before it did.
        SnapshotError: In the bucket of this store another run took the number.
    """
    text = sealed(record)
    working_copy.share(data_root, record, text)
    folder = make_folder(refs_folder(data_root, record.stage, record.recipe))
    for left in folder.glob(".draft-*"):  # of a run that was killed: we hold the lock
        left.unlink()
    handle, draft = tempfile.mkstemp(prefix=".draft-", dir=folder)
    final = folder / f"{record.number:06d}.json"
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        sync(Path(draft))
        # A hard link is created only if the name is free, unlike a rename.
        os.link(draft, final)
    except FileExistsError:
        # Another command may have brought our own record from the bucket in between.
        if final.read_text("utf-8") != text:
            raise
    finally:
        os.unlink(draft)
    sync(folder)
    return final
