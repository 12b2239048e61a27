"""A store in a bucket: what lies there, and how a file gets there and back whole.

    s3://team/data/split/60de.../train-00000-of-00001.parquet   an object; its digest stands in its metadata
    s3://team/data/split/refs/sample/000007.json                written only if no object of that name is there

Keys come from the environment alone, as `pipeline.place` says, and no message shows one.
"""

import getpass
import os
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import fsspec  # type: ignore[import-untyped]

from pipeline.digest import file_digest
from pipeline.place import S3, Place, open_place, told
from pipeline.snapshot import make_folder
from schemas import ConfigError

GS = "gs://"
_AT_ONCE = 8
_DIGEST, _BY = "blake2b", "by"


@dataclass(frozen=True)
class File:
    """A file here and its object there.

    Attributes:
        path: Of the file.
        name: Of the object, within the store.
        digest: Of the bytes, in hex; the first digits will do.
    """

    path: Path
    name: str
    digest: str


class OtherBytesError(Exception):
    """An object is not what its digest says."""


@dataclass(frozen=True)
class Remote:
    """A store in a bucket."""

    place: Place

    @property
    def url(self) -> str:
        """Its address, for people."""
        return self.place.shown

    def listing(self, under: str = "") -> dict[str, tuple[int, str]]:
        """Return every object below a name: its size in bytes, and the tag that changes with its bytes.

        Raises:
            ServiceError: The bucket is not there, does not answer or refuses us.
        """
        top = self.place.path(under) if under else self.place.root
        with told(self.place):
            found = self.place.fs.find(top, detail=True)
        start = len(self.place.root) + 1
        return {
            path[start:]: (int(info["size"]), str(info.get("ETag") or info.get("etag") or info.get("mtime") or ""))
            for path, info in found.items()
            if not path.endswith("/")
        }

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a small object, or None if there is none."""
        return self.place.read(name)

    def create(self, name: str, data: bytes) -> bytes | None:
        """Write a small object if there is none of that name; return what stands there instead, or None if ours does.

        A service that takes no conditions is found out by reading back.
        """
        named = {"Metadata": {_BY: _myself()}} if self._is_s3 else {}
        with told(self.place), suppress(FileExistsError):
            # An answer that was lost on its way is asked for again: what we then find may be our own.
            self.place.fs.pipe_file(self.place.path(name), data, mode="create", **named)
        there = self.read(name)
        return None if there == data else there or b""

    def writer(self, name: str) -> str:
        """Return who wrote an object, as far as it says."""
        if self._is_s3:
            with told(self.place):
                return str(self.place.fs.metadata(self.place.path(name)).get(_BY) or "somebody else")
        return "somebody else"

    def send(self, files: Iterable[File]) -> int:
        """Send files that are not there yet with the same bytes; return how many were sent."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return sum(pool.map(self._send, files))

    def bring(self, files: Iterable[File]) -> None:
        """Bring objects here; each file appears whole.

        Raises:
            OtherBytesError: An object is not what its digest says; nothing of it is kept.
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._bring, files))

    def write(self, file: File) -> None:
        """Send a file over whatever stands there."""
        named = {"Metadata": {_DIGEST: file.digest}} if self._is_s3 else {}
        with told(self.place):
            self.place.fs.put_file(str(file.path), self.place.path(file.name), **named)

    def move(self, name: str, to: str) -> None:
        """Give an object another name."""
        with told(self.place):
            self.place.fs.mv(self.place.path(name), self.place.path(to))

    @property
    def _is_s3(self) -> bool:
        return self.url.startswith(S3)

    def _send(self, file: File) -> bool:
        if self._has(file):
            return False
        self.write(file)
        return True

    def _has(self, file: File) -> bool:
        path = self.place.path(file.name)
        with told(self.place):
            try:
                if self.place.fs.info(path)["size"] != file.path.stat().st_size:
                    return False
            except FileNotFoundError:
                return False
            # The digest was written with the object, which no service changes in part.
            return self._is_s3 and str(self.place.fs.metadata(path).get(_DIGEST)) == file.digest

    def _bring(self, file: File) -> None:
        draft = make_folder(file.path.parent) / f".{file.path.name}.{os.getpid()}"
        try:
            with told(self.place):
                self.place.fs.get_file(self.place.path(file.name), str(draft))
            if not file_digest(draft).startswith(file.digest):
                raise OtherBytesError(file.name)
            draft.replace(file.path)
        finally:
            draft.unlink(missing_ok=True)


def open_remote(url: str) -> Remote:
    """Return a store by its address; nothing is asked of it yet.

    Raises:
        ConfigError: The address is of no kind that is known, holds a secret, or needs a package that is absent.
    """
    kind = url.partition("://")[0]
    if url.startswith(S3):
        return Remote(open_place(url, where="--data-root"))
    if not url.startswith(GS):
        raise ConfigError(
            f"{kind}:// is no kind of store that is known",
            where="--data-root",
            fix="name a folder, s3://bucket/prefix, or gs://bucket/prefix (with the package gcsfs)",
        )
    root = url.removeprefix(GS).strip("/")
    try:
        fs = fsspec.filesystem("gs", use_listings_cache=False)
    except ImportError as error:
        raise ConfigError(
            "gs:// needs the package gcsfs", where="--data-root", fix=".venv/bin/pip install gcsfs"
        ) from error
    return Remote(Place(fs, root, f"{GS}{root}"))


def _myself() -> str:
    try:
        return f"{getpass.getuser()} on {socket.gethostname()}"
    except (KeyError, OSError):
        return f"uid {os.getuid()} on {socket.gethostname()}"
