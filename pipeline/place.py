"""Places outside the store: a folder, a bucket, or a repository of a hub, and what they say when they refuse.

    data/out                 ->  Place(files of this machine, "/home/ann/data/out")
    s3://team/tuneloop       ->  Place(S3, "team/tuneloop")

Keys come from the environment alone (AWS_ACCESS_KEY_ID and its like, AWS_PROFILE, HF_TOKEN), and no message shows one.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    NoCredentialsError,
)

# The hub's library has changed what it speaks HTTP with more than once; this is the error of whatever it uses now.
from huggingface_hub.errors import HTTPError as HTTPError  # type: ignore[attr-defined]

from schemas import ConfigError, ServiceError, SnapshotError

S3, HUB = "s3://", "hf://"
_KEYS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and for another service AWS_ENDPOINT_URL"


@dataclass(frozen=True)
class Place:
    """A folder somewhere.

    Attributes:
        fs: The file system.
        root: The folder in it, without a slash at the end.
        shown: For people.
    """

    fs: Any
    root: str
    shown: str

    @property
    def is_here(self) -> bool:
        """Whether it is a folder of this machine."""
        return "://" not in self.shown

    def path(self, *names: str) -> str:
        """Return the path of a file or folder in it."""
        return "/".join([self.root, *names])

    def under(self, name: str) -> "Place":
        """Return a folder in it."""
        return Place(self.fs, self.path(name), f"{self.shown}/{name}")

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a small file, or None if there is none."""
        with told(self):
            try:
                return bytes(self.fs.cat_file(self.path(name)))
            except FileNotFoundError as error:
                # A missing bucket is told apart from a missing file where one is written or listed.
                if "bucket" in str(error).lower():
                    raise
                return None

    def names(self) -> list[str]:
        """Return the names of what lies in it; none if it is not there."""
        with told(self):
            try:
                return sorted(str(path).rstrip("/").rpartition("/")[2] for path in self.fs.ls(self.root, detail=False))
            except FileNotFoundError as error:
                if "bucket" in str(error).lower():
                    raise
                return []

    def write(self, name: str, text: str) -> None:
        """Put a small file in place, whole or not at all."""
        with told(self):
            if not self.is_here:
                self.fs.pipe_file(self.path(name), text.encode())
                return
            path = Path(self.path(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.{os.getpid()}")
            draft.write_text(text, encoding="utf-8", newline="\n")
            draft.replace(path)

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        with told(self):
            if self.fs.exists(self.path(name)):
                self.fs.rm_file(self.path(name))


def open_place(to: str, endpoint: str | None = None, *, where: str = "--to") -> Place:
    """Return a folder or a bucket by its address; nothing is asked of it yet.

    Args:
        to: A folder or s3://bucket/prefix.
        endpoint: Address of the S3 service; what the environment or the AWS profile names, else Amazon's, if None.
        where: Is the address written, for the message.

    Raises:
        ConfigError: The address is of no kind that is known, or holds a secret.
    """
    if to.startswith(S3):
        root = to.removeprefix(S3).strip("/")
        if "@" in root.partition("/")[0]:
            raise ConfigError("the address holds a key", where=where, fix=f"write s3://bucket/prefix, and {_KEYS}")
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?", root):
            raise ConfigError(f"{to!r} names no bucket", where=where, fix="write s3://bucket/prefix")
        fs = fsspec.filesystem(
            "s3",
            # Named here too, so that a connection made for one address is not taken for another.
            endpoint_url=endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
            use_listings_cache=False,
        )
        return Place(fs, root, f"{S3}{root}")
    if "://" in to:
        raise ConfigError(
            f"{to.partition('://')[0]}:// is no kind of place that is known",
            where=where,
            fix="name a folder, s3://bucket/prefix or hf://owner/name",
        )
    folder = Path(to).expanduser().absolute()
    return Place(fsspec.filesystem("file"), folder.as_posix(), str(folder))


@contextmanager
def told(place: Place) -> Iterator[None]:
    """Turn what a place says when it refuses into an error with a cure.

    Raises:
        ServiceError: The place does not answer, is not there, or refuses us.
        SnapshotError: A folder of this machine cannot be read or written.
    """
    try:
        yield
    except NoCredentialsError as error:
        raise ServiceError("there are no keys for this place", where=place.shown, fix=_KEYS) from error
    except (BotoCoreError, ClientError, HTTPError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise _refused(PermissionError(), place) from None
        # The text of the error may name a key: its kind says enough.
        raise ServiceError(
            f"the place does not answer as it should: {type(error).__name__}",
            where=place.shown,
            fix=f"look whether the address and {_address(place)} are right and the service runs, then start again",
        ) from None
    except OSError as error:
        if place.is_here:
            raise SnapshotError(
                f"the folder cannot be used: {error.strerror or type(error).__name__}",
                where=place.shown,
                fix="name a folder that you may read and write, on a disk with room",
            ) from error
        raise _refused(error, place) from None


def _address(place: Place) -> str:
    return "HF_ENDPOINT" if place.shown.startswith(HUB) else "AWS_ENDPOINT_URL"


def _refused(error: OSError, place: Place) -> ServiceError:
    if isinstance(error, PermissionError):
        keys = "set HF_TOKEN" if place.shown.startswith(HUB) else _KEYS
        return ServiceError(
            "the place refuses us (403): the keys are wrong or may not do this",
            where=place.shown,
            fix=f"{keys}; they must be allowed to list, read and, for publishing, write there",
        )
    if isinstance(error, FileNotFoundError):
        return ServiceError(
            "there is no such bucket, repository or folder",
            where=place.shown,
            fix="mend the name, or make the bucket first: tuneloop makes none",
        )
    return ServiceError(
        f"the place does not answer as it should: {type(error).__name__}",
        where=place.shown,
        fix="what was sent is kept: start again, and it goes on where it stopped",
    )
