"""Sending a revision to a folder or a bucket: what is there already is not sent again, and the manifest goes last.

    <place>/index.json            the revisions, and which is the newest
    <place>/v1/unfinished.json    there while files are on their way
    <place>/v1/data/train-00000-of-00001.parquet, README.md, ...
    <place>/v1/manifest.json      last: a revision without it is not whole

A revision that is whole never changes, so a kill at any point leaves the old ones as they were, and the new one whole
or not to be found in the index.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from pipeline.croissant import sha256
from pipeline.place import Place, told
from schemas import ConfigError, ServiceError
from schemas.publish import PublishedFile, PublishManifest, RevisionIndex

MANIFEST, INDEX, UNFINISHED = "manifest.json", "index.json", "unfinished.json"
_DIGEST = "sha256"


@dataclass(frozen=True)
class Sent:
    """What was done.

    Attributes:
        place: Where the revision is.
        n_sent: Files sent.
        n_kept: Files that were there already.
        bytes: Sent.
    """

    place: str
    n_sent: int
    n_kept: int
    bytes: int


def files_of(folder: Path) -> list[PublishedFile]:
    """Return the files of a folder with their digests, in order of name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        PublishedFile(name=path.relative_to(folder).as_posix(), bytes=path.stat().st_size, sha256=sha256(path))
        for path in paths
    ]


def send(folder: Path, manifest: PublishManifest, place: Place) -> Sent:
    """Make the files of a folder a revision of a place, whole when this returns.

    Raises:
        ConfigError: The revision is there with other content, or its folder holds files of somebody else.
        ServiceError: The place refuses.
        SnapshotError: A folder of this machine cannot be written.
    """
    revision = place.under(manifest.revision)
    # Read first: a place we may not use, or an index that is not ours, is told before anything is sent.
    index = read_index(place)
    there = read_manifest(revision)
    if there is not None:
        if there.files != manifest.files:
            raise _taken(there, manifest, revision)
        _list(place, index, manifest)
        revision.remove(UNFINISHED)
        return Sent(revision.shown, 0, len(manifest.files), 0)
    # A kill may have left the draft of a small file, whose name begins with a dot.
    names = [name for name in revision.names() if not name.startswith(".")]
    if names and UNFINISHED not in names:
        raise ConfigError(
            f"the folder holds other files already, such as {names[0]}",
            where=revision.shown,
            fix="choose another place with --to, or another tag",
        )
    text = manifest.model_dump_json(indent=1) + "\n"
    revision.write(UNFINISHED, text)
    new = [file for file in manifest.files if not _is_there(revision, file)]
    for file in new:
        _put(revision, folder / file.name, file)
    revision.write(MANIFEST, text)
    revision.remove(UNFINISHED)
    _list(place, index, manifest)
    return Sent(revision.shown, len(new), len(manifest.files) - len(new), sum(file.bytes for file in new))


def read_manifest(revision: Place) -> PublishManifest | None:
    """Return the manifest of a revision, or None if it is not there or not whole.

    Raises:
        ServiceError: The place refuses, or what is there is no manifest of a revision.
    """
    data = revision.read(MANIFEST)
    try:
        return None if data is None else PublishManifest.model_validate_json(data)
    except ValidationError as error:
        raise _strange(revision, MANIFEST, error) from error


def read_index(place: Place) -> RevisionIndex | None:
    """Return the list of revisions of a place, or None if there is none.

    Raises:
        ServiceError: The place refuses, or what is there is no such list.
    """
    data = place.read(INDEX)
    try:
        return None if data is None else RevisionIndex.model_validate_json(data)
    except ValidationError as error:
        raise _strange(place, INDEX, error) from error


def _list(place: Place, index: RevisionIndex | None, manifest: PublishManifest) -> None:
    known = dict(index.revisions) if index else {}
    if index and known.get(manifest.revision) == manifest.version:
        return
    known[manifest.revision] = manifest.version
    new = RevisionIndex(latest=manifest.revision, revisions=known)
    place.write(INDEX, new.model_dump_json(indent=1) + "\n")


def _is_there(revision: Place, file: PublishedFile) -> bool:
    path = revision.path(file.name)
    with told(revision):
        try:
            info = revision.fs.info(path)
        except FileNotFoundError:
            return False
        if info["size"] != file.bytes:
            return False
        if revision.is_here:
            return sha256(Path(path)) == file.sha256
        return bool(revision.fs.metadata(path).get(_DIGEST) == file.sha256)


def _put(revision: Place, path: Path, file: PublishedFile) -> None:
    to = revision.path(file.name)
    with told(revision):
        if not revision.is_here:
            # The service checks what arrives, and the digest it keeps says later what is there.
            revision.fs.put_file(str(path), to, Metadata={_DIGEST: file.sha256})
            return
        Path(to).parent.mkdir(parents=True, exist_ok=True)
        draft = Path(f"{to}.part")
        shutil.copyfile(path, draft)
        draft.replace(to)


def _taken(there: PublishManifest, manifest: PublishManifest, revision: Place) -> ConfigError:
    names = _differing(there.files, manifest.files)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ConfigError(
        f"revision {manifest.revision} is published with other content: {', '.join(names[:3])}{more} differ",
        where=revision.shown,
        fix="a published revision never changes: `tuneloop tag NAME` gives the split another name to publish under",
    )


def _differing(left: Iterable[PublishedFile], right: Iterable[PublishedFile]) -> list[str]:
    return sorted({file.name for file in {*left} ^ {*right}})


def _strange(place: Place, name: str, error: ValidationError) -> ServiceError:
    return ServiceError(
        f"{name} is none that tuneloop wrote: {error.errors()[0]['msg']}",
        where=place.shown,
        fix="choose another place, or look what wrote it",
    )
