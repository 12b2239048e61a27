"""A folder that is the working copy of a store in a bucket: what is not here yet is brought when it is read.

    ~/.cache/tuneloop/s3-team-data-1f0c9a/        what commands work on, laid out as any store
    ~/.cache/tuneloop/s3-team-data-1f0c9a/.bucket/url            s3://team/data
    ~/.cache/tuneloop/s3-team-data-1f0c9a/.bucket/objects.json   what lay in the bucket when the command began

Of an ordinary folder nothing here does anything. What speaks to the bucket is loaded only where there is one.
"""

import importlib
import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

from schemas import ConfigError, RunRecord

BUCKET = ".bucket"
URL, OBJECTS = "url", "objects.json"
# The stages whose versions a bucket shares; what training makes of a split stays on the machine that made it.
SHARED = ("ingest", "dedupe", "format", "annotate", "split", "ledger")
_FLAG = "--data-root"
# They write what no two machines may write at once, or speak to a Label Studio whose files lie in the store.
_FOLDER_ONLY = {
    "annotate": "people's work lies in one folder: use a store in a folder, keep it by `tuneloop annotate backup`, "
    "and copy its folder annotations/ into the bucket: every run takes it up from there",
    "feedback": "it speaks to Label Studio, whose files lie in one folder: use a store in a folder",
    "remove": "remove the rows in a folder that is a copy of the whole bucket, then send that copy back",
    "draft": "write drafts in a store in a folder and copy its folder drafts/ into the bucket",
    "gc": "a bucket has no locks that would keep a run of another machine from losing a parent; start a bucket anew "
    "under another prefix, or collect in a folder that is a copy of it while nobody works, and send that back",
}


def is_working_copy(data_root: Path) -> bool:
    """Return whether a store is the working copy of one in a bucket."""
    return (data_root / BUCKET).is_dir()


def objects(data_root: Path) -> dict[str, tuple[int, str]]:
    """Return what lay in the bucket when the command began: name to size in bytes and the service's own tag."""
    path = data_root / BUCKET / OBJECTS
    return _read_objects(path, path.stat().st_mtime_ns) if path.exists() else {}


def is_there(path: Path, size: int) -> bool:
    """Return whether a file of a store is there with this size: here, or for a working copy in the bucket."""
    root = _root_of(path)
    if root is None:
        return path.is_file() and path.stat().st_size == size
    known = objects(root).get(path.relative_to(root).as_posix())
    return known is not None and known[0] == size


def bring(paths: Iterable[Path]) -> None:
    """Bring those of some files of a store that are not here and lie in its bucket, checked by their digests.

    Raises:
        ServiceError: The bucket does not answer.
        SnapshotError: What came is not what the manifest says.
    """
    wanted: dict[Path, list[Path]] = {}
    for path in paths:
        if not path.exists() and (root := _root_of(path)) is not None:
            wanted.setdefault(root, []).append(path)
    for root, absent in wanted.items():
        importlib.import_module("pipeline.remote_copy").bring(root, absent)


def share(data_root: Path, record: RunRecord, text: str) -> None:
    """Send a run's rows and then its record to the bucket; when this returns, others see the run.

    Raises:
        ServiceError: The bucket does not answer; what was sent is kept, and nobody sees the run yet.
        SnapshotError: Somebody else has committed a run of this number.
    """
    if is_working_copy(data_root) and record.stage in SHARED:
        importlib.import_module("pipeline.remote_commit").commit(data_root, record, text)


def share_tag(data_root: Path, name: str, text: str) -> None:
    """Send a tag to the bucket.

    Raises:
        ServiceError: The bucket does not answer.
        SnapshotError: Somebody else has given this tag to another version.
    """
    if is_working_copy(data_root):
        importlib.import_module("pipeline.remote_commit").commit_tag(data_root, name, text)


def with_folder(words: list[str], say: Callable[[str], object]) -> list[str]:
    """Return the words of a command with the address of a store replaced by the folder of its working copy.

    Raises:
        ConfigError: The address is none, or the command works on folders alone.
        ServiceError: The bucket does not answer or refuses us.
    """
    found = list(words)
    for n, word in enumerate(words):
        url = word.removeprefix(f"{_FLAG}=") if word.startswith(f"{_FLAG}=") else word
        if "://" not in url or (url == word and (n == 0 or words[n - 1] != _FLAG)):
            continue
        if words[0] in _FOLDER_ONLY:
            raise ConfigError(
                f"`tuneloop {words[0]}` works on a store in a folder, not in a bucket",
                where=_FLAG,
                fix=_FOLDER_ONLY[words[0]],
            )
        folder: Path = importlib.import_module("pipeline.remote_copy").open_copy(url)
        found[n] = f"{_FLAG}={folder}" if url != word else str(folder)
        say(f"the working copy of {url} is {folder}\n")
    return found


def _root_of(path: Path) -> Path | None:
    """Return the working copy in which a file of a version, or a dropped part, lies."""
    parents = path.parents
    return parents[2] if len(parents) > 3 and is_working_copy(parents[2]) else None


@lru_cache(maxsize=4)
def _read_objects(path: Path, changed: int) -> dict[str, tuple[int, str]]:
    del changed
    return {name: (size, tag) for name, (size, tag) in json.loads(path.read_text("utf-8")).items()}
