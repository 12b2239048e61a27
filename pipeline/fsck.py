"""fsck: is the store what its manifests and records say? And, on request, set aside what is not."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from pipeline import refs
from pipeline.certificate import destroyed
from pipeline.content import content_blocks, version_of
from pipeline.digest import file_digest
from pipeline.seal import NewerFormatError
from pipeline.snapshot import MANIFEST, Snapshot, footer_digest, set_aside, versions_in
from pipeline.tags import read_tag, tag_paths
from schemas import PartFile, SnapshotError


@dataclass(frozen=True)
class Damage:
    """One thing that is not as it should be.

    Attributes:
        path: What `--repair` moves aside: a version folder, a dropped part, a record or a tag.
        what: A sentence.
    """

    path: Path
    what: str


def fsck(data_root: Path) -> tuple[int, list[Damage]]:
    """Return how many files were read whole, and everything that is damaged.

    Versions: every file's digest, page checksums, and the version recomputed from the rows. Dropped
    parts: digests. Records and tags: checksums. Newest records: what they name is there.

    Raises:
        NewerFormatError: A later tuneloop has written some of it.
    """
    damages: list[Damage] = []
    n_files = 0
    for stage in refs.stages_in(data_root):
        folder = data_root / stage
        for path in versions_in(folder):
            n, found = _check_version(folder, path.name)
            n_files, damages = n_files + n, damages + found
        for path in sorted((folder / "dropped").glob("*.parquet")):
            n_files += 1
            if not file_digest(path).startswith(path.stem):
                damages.append(Damage(path, "dropped rows are not what their name says"))
        damages += _check_records(data_root, stage)
    for path in tag_paths(data_root):
        n_files += 1
        try:
            read_tag(path)
        except SnapshotError as error:
            damages.append(Damage(path, error.what))
    return n_files, damages


def repair(data_root: Path, damages: list[Damage]) -> list[Path]:
    """Move what is damaged to `<stage>/damaged/` and return where; the next run makes it again."""
    moved = []
    for damage in damages:
        if damage.path.exists() or damage.path.is_symlink():
            stage = damage.path.relative_to(data_root).parts[0]
            moved.append(set_aside(data_root / stage, damage.path))
    return moved


def _check_version(folder: Path, version: str) -> tuple[int, list[Damage]]:
    place = folder / version
    try:
        snapshot = Snapshot.open(folder, version)
        files = snapshot.manifest.files
        wrong = [file.name for file in files if file_digest(place / file.name) != file.digest]
        wrong += [name for name, digest in snapshot.manifest.documents.items() if _digest(place / name) != digest]
        if wrong:
            return len(files), [Damage(place, f"bytes changed: {', '.join(wrong)}")]
        return len(files), list(_check_rows(snapshot))
    except NewerFormatError:
        raise
    except SnapshotError as error:
        return 0, [Damage(place, error.what)]


def _check_rows(snapshot: Snapshot) -> Iterator[Damage]:
    manifest = snapshot.manifest
    paths = [snapshot.folder / file.name for file in manifest.files]
    schema = pq.read_schema(paths[0]) if paths else None
    blocks = content_blocks(paths, schema) if schema is not None else []
    if blocks and (version_of(blocks) != manifest.version or manifest.blocks not in ([], blocks)):
        yield Damage(snapshot.folder, "rows are not those the version is named after")
    counted = {path.name: pq.read_metadata(path).num_rows for path in paths}
    if any(file.footer and footer_digest(snapshot.folder / file.name) != file.footer for file in manifest.files):
        yield Damage(snapshot.folder, "the manifest names other footers than the files have")
    if counted != {file.name: file.rows for file in manifest.files} or sum(counted.values()) != manifest.rows:
        yield Damage(snapshot.folder, "the manifest's row counts are not those of the files")
    if snapshot.folder.name != manifest.version:
        yield Damage(snapshot.folder, f"folder holds version {manifest.version}")


def _check_records(data_root: Path, stage: str) -> Iterator[Damage]:
    for recipe in refs.recipes_with(data_root, stage):
        for number, path in enumerate(refs.record_paths(data_root, stage, recipe)):
            try:
                record = refs.read_record(path)
            except NewerFormatError:
                raise
            except SnapshotError as error:
                yield Damage(path, error.what)
                continue
            # Older versions may have been collected; the newest must be whole.
            if number == 0:
                yield from _check_newest(data_root / stage, record.version, record.dropped, path)


def _check_newest(folder: Path, version: str, dropped: list[PartFile], record: Path) -> Iterator[Damage]:
    gone = destroyed(folder.parent)
    if not (folder / version / MANIFEST).is_file() and f"{folder.name}/{version}" not in gone:
        yield Damage(record, f"names version {version}, which is not there")
    for file in dropped:
        if not (folder / "dropped" / file.name).is_file() and f"{folder.name}/dropped/{file.name}" not in gone:
            yield Damage(record, f"names dropped rows {file.name}, which are not there")


def _digest(path: Path) -> str:
    return file_digest(path) if path.is_file() else "not there"
