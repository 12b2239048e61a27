"""Bringing a published revision here: every file checked by its digest, what is here already not asked for again.

A manifest comes from outside, so its names are looked at first: none may lead out of the folder.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.croissant import sha256
from pipeline.hub import hub_place
from pipeline.place import HUB, Place, open_place, told
from pipeline.publishing import MANIFEST, read_index, read_manifest
from schemas import ConfigError, ServiceError, SnapshotError, nearest
from schemas.publish import PublishedFile, PublishManifest

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


@dataclass(frozen=True)
class Fetched:
    """What was done.

    Attributes:
        manifest: Of the revision.
        n_new: Files that were brought.
        bytes: Brought.
    """

    manifest: PublishManifest
    n_new: int
    bytes: int


def find_revision(source: str, revision: str | None, endpoint: str | None = None) -> tuple[Place, PublishManifest]:
    """Return where a revision is, and its manifest.

    Args:
        source: A folder, s3://bucket/prefix or hf://owner/name; also the folder of one revision itself.
        revision: A tag or version; the newest if None.
        endpoint: Of an S3 service or hub.

    Raises:
        ConfigError: There is no such revision.
        ServiceError: The place refuses.
    """
    if source.startswith(HUB):
        place = hub_place(source, revision, endpoint)
        manifest = read_manifest(place)
        if manifest is None:
            raise _nothing(place, revision, [])
        return place, manifest
    place = open_place(source, endpoint)
    index = read_index(place)
    wanted = revision or (index.latest if index else None)
    found = place.under(wanted) if wanted else place
    manifest = read_manifest(found)
    if manifest is None:
        raise _nothing(place, revision, list(index.revisions) if index else [])
    return found, manifest


def fetch(place: Place, manifest: PublishManifest, to: Path) -> Fetched:
    """Bring a revision into a folder; it is whole, manifest last, when this returns.

    Raises:
        ServiceError: The manifest names files outside the folder, or a file is not what the manifest says.
        SnapshotError: A file of another content stands in the way, or the folder cannot be written.
    """
    _check_names(manifest.files, place)
    todo = [file for file in manifest.files if not _is_here(to, file)]
    for file in todo:
        _bring(place, file, to)
    try:
        to.mkdir(parents=True, exist_ok=True)
        draft = to / f".{MANIFEST}.part"
        draft.write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8", newline="\n")
        draft.replace(to / MANIFEST)
    except OSError as error:
        raise _unwritable(to, error) from error
    return Fetched(manifest, len(todo), sum(file.bytes for file in todo))


def _check_names(files: Sequence[PublishedFile], place: Place) -> None:
    """Raise ServiceError for names that are no plain path below a folder, stand twice, or are the manifest's own."""
    seen: set[str] = {MANIFEST}
    bad = []
    for file in files:
        # Some disks take names that differ in case for one.
        if not _NAME.fullmatch(file.name) or file.name.lower() in seen:
            bad.append(file.name)
        seen.add(file.name.lower())
    if problem := ServiceError.of(
        ServiceError(
            f"the manifest names a file {name!r}, which no revision may hold",
            where=f"{place.shown}/{MANIFEST}",
            fix="nothing was written: do not trust this place, and ask who published there",
        )
        for name in bad
    ):
        raise problem


def _is_here(to: Path, file: PublishedFile) -> bool:
    """Return whether a file is here with the right content.

    Raises:
        SnapshotError: Another file stands there, or the way leads out of the folder.
    """
    path = to / file.name
    if not path.resolve().is_relative_to(to.resolve()):
        raise SnapshotError(
            f"{file.name} would be written outside the folder, through a link",
            where=str(path),
            fix="remove the link, or fetch into another folder",
        )
    if not path.exists():
        return False
    if path.is_file() and path.stat().st_size == file.bytes and sha256(path) == file.sha256:
        return True
    raise SnapshotError(
        f"another file stands at {file.name}, and nothing is ever overwritten",
        where=str(path),
        fix="fetch into another folder, or move that file away",
    )


def _bring(place: Place, file: PublishedFile, to: Path) -> None:
    path = to / file.name
    draft = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(to, error) from error
    with told(place):
        place.fs.get_file(place.path(file.name), str(draft))
    if draft.stat().st_size != file.bytes or sha256(draft) != file.sha256:
        draft.unlink()
        raise ServiceError(
            f"{file.name} is not what the manifest says",
            where=place.shown,
            fix="fetch again; if it stays so, the revision is damaged and must be published anew elsewhere",
        )
    draft.replace(path)


def _nothing(place: Place, revision: str | None, known: Sequence[str]) -> ConfigError:
    what = f"there is no revision {revision}" if revision else "no whole revision is published here"
    fix = nearest(revision, known) if revision and known else "`tuneloop publish` makes one; look at the address"
    return ConfigError(what, where=place.shown, fix=fix)


def _unwritable(to: Path, error: OSError) -> SnapshotError:
    return SnapshotError(
        f"the folder cannot be written: {error.strerror}", where=str(to), fix="name a folder you may write by --to"
    )
