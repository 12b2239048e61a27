"""Committing a run to a bucket: rows first, then the manifest, then the record, each only if nothing stands there.

    s3://team/data/split/60de.../train-00000-of-00001.parquet    sent, unless the same bytes are there
    s3://team/data/split/60de.../manifest.json                   a version
    s3://team/data/split/refs/sample/000007.json                 seen by others from here on

A kill at any point leaves others with the run before. What was sent stays, and the next run sends only the rest.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from pipeline.digest import file_digest
from pipeline.lock import locked
from pipeline.remote import File, Remote
from pipeline.remote_copy import remember, remote_of
from pipeline.snapshot import MANIFEST, make_folder, write_whole
from pipeline.working_copy import BUCKET
from schemas import Manifest, PartFile, RunRecord, SnapshotError

_WAIT = 600.0  # seconds


def commit(root: Path, record: RunRecord, text: str) -> None:
    """Send a version, the rows its run dropped, and the record; others see the run when this returns.

    Raises:
        ServiceError: The bucket does not answer.
        SnapshotError: Another run has this number there, or the bucket's version of these rows is damaged.
    """
    remote = remote_of(root)
    place = f"{record.stage}/{record.version}"
    manifest = _send_version(remote, root, place)
    dropped = f"{record.stage}/dropped"
    remote.send(_files(root / dropped, dropped, record.dropped))
    sizes = {f"{place}/{file.name}": file.bytes for file in manifest.files}
    sizes |= {f"{dropped}/{file.name}": file.bytes for file in record.dropped}
    _check(remote, sizes, [place, dropped])
    name = f"{record.stage}/refs/{record.recipe}/{record.number:06d}.json"
    with locked(root / BUCKET, f"the working copy of {remote.url}", wait=_WAIT):
        if remote.create(name, text.encode()) is not None:
            raise SnapshotError(
                f"run {record.number} of {record.stage}, recipe {record.recipe}, was committed in the meantime "
                f"by {remote.writer(name)}",
                where=f"{remote.url}/{name}",
                fix="run the same command again: it takes up what is there, and goes on from it",
            )
        size = len((root / place / MANIFEST).read_bytes())
        remember(root, {**sizes, f"{place}/{MANIFEST}": size, name: len(text.encode())})


def commit_tag(root: Path, name: str, text: str) -> None:
    """Send a tag.

    Raises:
        ServiceError: The bucket does not answer.
        SnapshotError: Somebody else has given this tag in the meantime.
    """
    remote, there = remote_of(root), f"tags/{name}.json"
    with locked(root / BUCKET, f"the working copy of {remote.url}", wait=_WAIT):
        if remote.create(there, text.encode()) is not None:
            raise SnapshotError(
                f"tag {name} was given in the meantime by {remote.writer(there)}",
                where=f"{remote.url}/{there}",
                fix="choose another name, or run the same command again to see whether it names the same version",
            )
        remember(root, {there: len(text.encode())})


def _send_version(remote: Remote, root: Path, place: str) -> Manifest:
    """Send a version that lies here, and return the manifest that stands in the bucket."""
    folder = root / place
    ours = (folder / MANIFEST).read_bytes()
    theirs = remote.read(f"{place}/{MANIFEST}")
    if theirs is None or _manifest(theirs).files == _manifest(ours).files:
        files = _manifest(ours).files
        papers = [path for path in sorted(folder.iterdir()) if path.name not in {MANIFEST, *(f.name for f in files)}]
        remote.send(_files(folder, place, files))
        remote.send(File(path, f"{place}/{path.name}", file_digest(path)) for path in papers if path.is_file())
        theirs = remote.create(f"{place}/{MANIFEST}", ours)
    if theirs is None or _manifest(theirs).files == _manifest(ours).files:
        return _manifest(ours)
    # The same rows, written there with other bytes by another release of parquet's writer: theirs stand.
    _check(remote, {f"{place}/{file.name}": file.bytes for file in _manifest(theirs).files}, [place])
    shutil.rmtree(folder)
    write_whole(make_folder(folder) / MANIFEST, theirs.decode())
    sizes = {f"{place}/{file.name}": file.bytes for file in _manifest(theirs).files}
    remember(root, {**sizes, f"{place}/{MANIFEST}": len(theirs)})
    return _manifest(theirs)


def _files(folder: Path, place: str, files: list[PartFile]) -> Iterator[File]:
    """Yield those of some files that lie here; others were brought from nowhere, so they are there."""
    for file in files:
        if (folder / file.name).is_file():
            yield File(folder / file.name, f"{place}/{file.name}", file.digest)


def _check(remote: Remote, sizes: dict[str, int], places: list[str]) -> None:
    """Raise SnapshotError if an object is not there with its size."""
    there = {name: size for place in places for name, (size, _) in remote.listing(place).items()}
    if problem := SnapshotError.of(
        SnapshotError(
            f"{name} is missing in the bucket or not {size} bytes long",
            where=remote.url,
            fix=f"run `tuneloop fsck --repair --data-root {remote.url}`, then the same command again",
        )
        for name, size in sizes.items()
        if there.get(name) != size
    ):
        raise problem


def _manifest(data: bytes) -> Manifest:
    return Manifest.model_validate_json(data)
