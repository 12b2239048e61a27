"""Snapshots: immutable folders of parquet plus a manifest, named by the content of their rows.

    data/dedupe/9f3c.../part-00000.parquet   rows, page checksums on
    data/dedupe/9f3c.../manifest.json        written last: a folder without it is not a version
    data/dedupe/dropped/77ab....parquet      dropped rows, named by the file's digest
    data/dedupe/refs/sample/000007.json      the record of a run (see pipeline.refs)

Everything is written in `data/<stage>/tmp/`, synced, and appears by one rename.
"""

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import working_copy
from pipeline.digest import file_digest
from pipeline.seal import NewerFormatError, sealed, unseal
from schemas import Manifest, PartFile, SnapshotError

BATCH_ROWS = 8192
PART_ROWS = 65536
MANIFEST = "manifest.json"
# Folders of a stage that are versions; the others are named by words.
_VERSION = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Snapshot:
    """A version that can be read."""

    folder: Path
    manifest: Manifest

    @staticmethod
    def open(stage_folder: Path, version: str, *, bring: bool = True) -> "Snapshot":
        """Return the version, its files checked for presence and size.

        Args:
            stage_folder: Of the store.
            version: Its name.
            bring: If the store is in a bucket, bring files that are not here; else it is enough that they are there.

        Raises:
            SnapshotError: It is not there, its manifest cannot be read or was changed, or a file is missing or cut
                short.
        """
        folder = stage_folder / version
        try:
            manifest = unseal((folder / MANIFEST).read_bytes(), Manifest)
        except NewerFormatError:
            raise
        except (OSError, ValueError) as error:
            raise SnapshotError(
                f"version {version} cannot be read: {error}",
                where=str(folder),
                fix="run `tuneloop fsck`; `tuneloop data` makes it again from its sources",
            ) from error
        if bring:
            working_copy.bring(folder / file.name for file in manifest.files)
        for file in manifest.files:
            path = folder / file.name
            here = path.is_file() and path.stat().st_size == file.bytes
            if not here if bring else not working_copy.is_there(path, file.bytes):
                raise SnapshotError(
                    f"{file.name} is missing or not {file.bytes} bytes long",
                    where=str(folder),
                    fix="run `tuneloop fsck`; `tuneloop data` makes it again from its sources",
                )
        return Snapshot(folder, manifest)

    @staticmethod
    def read_part(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the batches of one parquet file in order.

        Raises:
            SnapshotError: A page does not match its checksum, the footer is not the one that the manifest beside the
                file names, rows are missing, or the file is no parquet.
        """
        working_copy.bring([path])
        try:
            _check_footer(path)
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                rows = 0
                for batch in file.iter_batches(BATCH_ROWS, columns=columns):
                    rows += batch.num_rows
                    yield batch
                # A page header that was hit can end a column early without a word.
                if rows != file.metadata.num_rows:
                    raise pa.ArrowInvalid(f"{rows} rows instead of {file.metadata.num_rows}")
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last for a column's damaged name
            raise SnapshotError(
                f"damaged parquet: {error}",
                where=str(path),
                fix="run `tuneloop fsck --repair` to set the damaged version aside, then `tuneloop data`",
            ) from error

    @staticmethod
    def draft(
        stage: str, version: str, schema: pa.Schema, files: list[PartFile], blocks: Sequence[str] = ()
    ) -> Manifest:
        """Return the manifest of a version that is about to be committed."""
        return Manifest(
            stage=stage,
            version=version,
            rows=sum(file.rows for file in files),
            columns={field.name: str(field.type) for field in schema},
            files=files,
            blocks=[*blocks],
        )

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield all rows in order."""
        for file in self.manifest.files:
            yield from self.read_part(self.folder / file.name, columns)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return all rows, or the named columns of them, in memory."""
        batches = list(self.batches(columns))
        if batches:
            return pa.Table.from_batches(batches)
        names = columns or list(self.manifest.columns)
        return pa.table({name: pa.array([], pa.null()) for name in names})


class PartWriter:
    """Writes rows into one parquet file; the file exists only after `close`, synced."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self.rows, self._schema = path, 0, schema
        self._required = [field.name for field in schema if not field.nullable]
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True, store_schema=True)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows; a null in a column that may not hold one is a bug and raises ValueError."""
        for name in self._required:
            if batch.column(name).null_count:
                raise ValueError(f"column {name} holds nulls, {self.path.name}")
        self._writer.write_batch(batch.cast(self._schema), row_group_size=PART_ROWS)
        self.rows += batch.num_rows

    def close(self) -> PartFile:
        """Finish the file, sync it to disk, and return its entry."""
        self._writer.close()
        sync(self.path)
        return PartFile(
            name=self.path.name,
            rows=self.rows,
            bytes=self.path.stat().st_size,
            digest=file_digest(self.path),
            footer=footer_digest(self.path),
        )


def footer_digest(path: Path) -> str:
    """Return the BLAKE2b-128 of a parquet file's footer with its length, or of the whole if it has none."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8))
        length = int.from_bytes(file.read(4), "little")
        file.seek(max(0, size - 8 - length))
        return blake2b(file.read(), digest_size=16).hexdigest()


def _check_footer(path: Path) -> None:
    """Raise ArrowInvalid if the manifest beside a file names another footer, or a dropped part is not its name."""
    if path.parent.name == "dropped":
        if not file_digest(path).startswith(path.stem):
            raise pa.ArrowInvalid("its bytes are not those it is named after")
        return
    manifest = path.with_name(MANIFEST)
    if not manifest.is_file():
        return
    try:
        told = manifest.stat()
        wanted = _footers(manifest, told.st_ino, told.st_mtime_ns).get(path.name)
    except ValueError as error:
        raise pa.ArrowInvalid(f"{MANIFEST}: {error}") from error
    if wanted and footer_digest(path) != wanted:
        raise pa.ArrowInvalid("its footer has changed")


@lru_cache(maxsize=16)
def _footers(manifest: Path, inode: int, changed: int) -> dict[str, str]:
    """Return file to footer. A version has as many parts as reads: its manifest is not parsed for each of them."""
    del inode, changed
    data = manifest.read_bytes()
    # Beside the scores of a training run lies a manifest of another kind, which names no stage and no footers.
    if isinstance(found := json.loads(data), dict) and "stage" not in found:
        return {}
    return {file.name: file.footer for file in unseal(data, Manifest).files}


def sync(path: Path) -> None:
    """Return once a file or folder is on the disk, with group-writable mode."""
    _open_to_group(path)
    _flush(path)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, text: str) -> None:
    """Put the whole text in place by one rename, synced."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    # newline: Windows would turn the end of each line into two characters.
    draft.write_text(text, encoding="utf-8", newline="\n")
    sync(draft)
    draft.replace(path)
    sync(path.parent)


def make_folder(path: Path) -> Path:
    """Return the folder, made with its missing parents, writable by the group.

    Raises:
        SnapshotError: It cannot be made; the message says why.
    """
    if not path.is_dir():
        make_folder(path.parent)
        try:
            path.mkdir(exist_ok=True)
        except OSError as error:
            raise SnapshotError(
                f"the store cannot make a folder here: {error.strerror}",
                where=str(path),
                fix="give `--data-root` a folder that you may write to",
            ) from error
        _open_to_group(path)
        # A power loss would take the folder with all that was synced in it. A parent that is not ours may refuse.
        with suppress(PermissionError):
            _flush(path.parent)
    return path


def _open_to_group(path: Path) -> None:
    """Let the whole group write, whatever the umask; what another member owns is theirs to open."""
    mode = 0o2775 if path.is_dir() else 0o664
    with suppress(PermissionError):
        if stat.S_IMODE(path.stat().st_mode) != mode:
            path.chmod(mode)


def commit(stage_folder: Path, draft: Snapshot, documents: Mapping[str, str] | None = None) -> Snapshot:
    """Publish a draft folder as a version, or find that it is there already; return what stands.

    Args:
        stage_folder: Where versions of the stage lie.
        draft: Synced parts in a folder of their own, on the same disk.
        documents: Texts to lie beside the parquet, by file name.

    The order makes a crash harmless at every point: parts are synced when closed, then the manifest,
    then the folder, then one rename, then the parent folder.
    """
    version = draft.manifest.version
    final = stage_folder / version
    if final.exists():
        try:
            return Snapshot.open(stage_folder, version)
        except SnapshotError:
            # A damaged version of the same content: ours takes its place.
            set_aside(stage_folder, final)
    for name, text in (documents or {}).items():
        (draft.folder / name).write_text(text, encoding="utf-8")
    for path in draft.folder.iterdir():
        sync(path)
    digests = {name: file_digest(draft.folder / name) for name in documents or {}}
    manifest = draft.manifest.model_copy(update={"documents": digests})
    (draft.folder / MANIFEST).write_text(sealed(manifest), encoding="utf-8")
    sync(draft.folder / MANIFEST)
    sync(draft.folder)
    draft.folder.rename(final)
    sync(stage_folder)
    return Snapshot(final, manifest)


def versions_in(stage_folder: Path) -> list[Path]:
    """Return the folders of a stage's versions, sorted; one whose manifest is gone is among them."""
    return sorted(path for path in stage_folder.glob("*") if _VERSION.fullmatch(path.name) and not path.is_symlink())


def set_aside(stage_folder: Path, path: Path) -> Path:
    """Move something damaged to `<stage>/damaged/`, where people can look at it; return where it is."""
    place = make_folder(stage_folder / "damaged") / path.name
    number = 1
    while place.exists():
        number += 1
        place = place.with_name(f"{path.name}-{number}")
    path.rename(place)
    return place
