"""The working copy of a store in a bucket: made and brought up to date when a command begins, filled as it reads.

    s3://team/data  ->  ~/.cache/tuneloop/s3-team-data-1f0c9a27, or below $TUNELOOP_CACHE

What says which versions there are (records, manifests, tags) and people's answers is always what the bucket holds.
Rows are brought when a version is opened. Training runs, pages and caches lie beside them and belong to this machine.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from pipeline import refs
from pipeline.digest import value_digest
from pipeline.ledger import point, point_latest
from pipeline.lock import locked
from pipeline.remote import File, OtherBytesError, Remote, open_remote
from pipeline.snapshot import MANIFEST, make_folder, write_whole
from pipeline.working_copy import BUCKET, OBJECTS, SHARED, URL, objects
from schemas import Manifest, SnapshotError

Found = tuple[int, str]
# A name from outside: no part of it may lead elsewhere, or be a draft of ours.
_NAME = re.compile(r"[A-Za-z0-9_][^/\\\0]*(/[A-Za-z0-9_][^/\\\0]*)*")
_VERSION = re.compile(r"[0-9a-f]{32}")
_WAIT = 600.0  # seconds; another command on this machine is bringing the same files


def open_copy(url: str) -> Path:
    """Return the folder of the working copy of a store, up to date with the bucket.

    Raises:
        ConfigError: The address is none.
        ServiceError: The bucket is not there, does not answer or refuses us.
        SnapshotError: The working copy cannot be written.
    """
    remote = open_remote(url)
    root = _folder(remote)
    own = make_folder(root / BUCKET)
    with locked(own, f"the working copy of {remote.url}", wait=_WAIT):
        write_whole(own / URL, f"{remote.url}\n")
        known = objects(root)
        there = {name: found for name, found in remote.listing().items() if _NAME.fullmatch(name)}
        mirrored = {name: found for name, found in there.items() if _is_mirrored(name)}
        changed = [name for name, found in mirrored.items() if known.get(name) != found or not (root / name).exists()]
        remote.bring(File(root / name, name, "") for name in changed)
        for name in _mirrored_here(root):
            # What the bucket no longer has was removed there: no machine may go on with it.
            if name not in mirrored:
                (root / name).unlink()
        _write_objects(root, there)
    _point(root)
    return root


def remote_of(root: Path) -> Remote:
    """Return the store in a bucket that a folder is the working copy of."""
    return open_remote((root / BUCKET / URL).read_text("utf-8").strip())


def remember(root: Path, new: Mapping[str, int]) -> None:
    """Note objects that we have written, name to size; their tags are learnt at the next start."""
    _write_objects(root, {**objects(root), **{name: (size, "") for name, size in new.items()}})


def bring(root: Path, paths: Iterable[Path]) -> None:
    """Bring rows into the working copy; what the bucket does not have is left to who opens it.

    Raises:
        SnapshotError: An object is not what the manifest, or its own name, says; nothing of it is kept.
    """
    known, remote = objects(root), remote_of(root)
    names = {path: path.relative_to(root).as_posix() for path in paths}
    files = [File(path, name, digest_of(path)) for path, name in names.items() if name in known]
    try:
        remote.bring(files)
    except OtherBytesError as error:
        raise SnapshotError(
            f"{error} is damaged in the bucket: its bytes are not those it was written with",
            where=remote.url,
            fix=f"`tuneloop fsck --repair --data-root {remote.url}` sets it aside; `tuneloop data` then makes it again",
        ) from None


def digest_of(path: Path) -> str:
    """Return the digest of a file of a version, or the beginning of that of a dropped part."""
    if path.parent.name == "dropped":
        return path.stem
    try:
        manifest = Manifest.model_validate_json((path.parent / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise SnapshotError(
            f"the manifest of version {path.parent.name} cannot be read",
            where=str(path.parent),
            fix="run `tuneloop fsck`; `tuneloop data` makes the version again from its sources",
        ) from error
    # A file that no manifest names has no digest, and nothing begins with this.
    return next((file.digest for file in manifest.files if file.name == path.name), "unnamed")


def _folder(remote: Remote) -> Path:
    """Return where the working copy lies: one folder for each address and service."""
    cache = os.environ.get("TUNELOOP_CACHE")
    base = Path(cache) if cache else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tuneloop"
    service = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", remote.url).strip("-")[:60]
    return base.expanduser().absolute() / f"{plain}-{value_digest([remote.url, service])[:8]}"


def _is_mirrored(name: str) -> bool:
    top, *rest = name.split("/")
    if top in SHARED:
        is_record = len(rest) == 3 and rest[0] == "refs" and rest[2].endswith(".json")
        return is_record or (
            len(rest) == 2 and _VERSION.fullmatch(rest[0]) is not None and not rest[1].endswith(".parquet")
        )
    return name == "removed.jsonl" or (top in ("tags", "annotations", "drafts", "removals") and bool(rest))


def _mirrored_here(root: Path) -> list[str]:
    """Return the files here that the bucket alone decides about; a version that nobody sees yet is none."""
    folders = [*(root / stage / "refs" for stage in SHARED), *(root / top for top in ("tags", "annotations", "drafts"))]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    names = [path.relative_to(root).as_posix() for path in [*files, root / "removed.jsonl"] if path.exists()]
    return [name for name in names if _NAME.fullmatch(name) and _is_mirrored(name)]


def _write_objects(root: Path, there: Mapping[str, Found]) -> None:
    write_whole(root / BUCKET / OBJECTS, json.dumps({name: list(found) for name, found in sorted(there.items())}))


def _point(root: Path) -> None:
    """Make the links that other tools' configs name, since a bucket has none; what is damaged is left to fsck."""
    for recipe in refs.recipes_with(root, "split"):
        with suppress(SnapshotError):
            if record := refs.newest(root, "split", recipe):
                point_latest(root, recipe, record.version)
    for path in (root / "tags").glob("*.json"):
        with suppress(ValueError, LookupError, TypeError):
            point(make_folder(root / "split") / path.stem, json.loads(path.read_text("utf-8"))["versions"]["split"])
