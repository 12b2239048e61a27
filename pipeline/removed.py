"""What was removed for good: `data/removed.jsonl`, a line for each request; no text of the removed rows is in it.

    {"request": "41c7...", "date": "2026-11-28", "reason": "erasure request 17", "ids": ["9f3c..."],
     "raws": ["be01..."], "seen": ["51aa..."], "values": [["customer_id", "77d0..."]], "versions": ["split/60de..."],
     "salt": "..."}

Ingest refuses rows by id, by the digest of their raw text, and by the digest of a value that a request named; pull and
import refuse answers by id and by what was seen. Lines are only ever added, and nothing takes a removal back.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from pipeline.reading import ABSENT, as_text, lookup
from pipeline.screen import seen_digest
from pipeline.snapshot import make_folder, write_whole
from schemas import Annotation, SnapshotError, Strict

FILE = "removed.jsonl"
REASON = "removed"
SOURCE = "source"


class Request(Strict):
    """One request to remove rows."""

    request: str = Field(title="names the request: 12 hex digits")
    date: str = Field(title="day, ISO 8601, UTC")
    reason: str = Field(title="as it was given; empty without one")
    salt: str = Field(title="of the digests of raws and values; the same in all lines of a store")
    ids: list[str] = Field(title="of examples")
    raws: list[str] = Field(title="salted digests of rows as they stand in their source")
    seen: list[str] = Field(title="digests of what reviewers were shown of them")
    values: list[tuple[str, str]] = Field(title="a column, or `source`, and the salted digest of a value")
    versions: list[str] = Field(title="stage/version of what held the rows when they were removed")


@dataclass(frozen=True)
class Removed:
    """All requests of a store together, ready to be asked.

    Attributes:
        salt: Of the digests; empty while there is no request.
        versions: stage/version of all that has held removed rows.
    """

    salt: str = ""
    ids: frozenset[str] = frozenset()
    raws: frozenset[str] = frozenset()
    seen: frozenset[str] = frozenset()
    values: frozenset[tuple[str, str]] = frozenset()
    versions: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.salt)

    def hides(self, column: str, value: object) -> bool:
        """Return whether a row goes for what it has in a column, or for its source."""
        if column not in self.columns or value is ABSENT or value is None:
            return False
        return (column, hidden(self.salt, column, as_text(value))) in self.values

    def refuses_raw(self, source: str, raw: str) -> bool:
        """Return whether a row is refused as it stands in its source, before it is read."""
        return hidden(self.salt, "raw", raw) in self.raws or self.hides(SOURCE, source)

    def refuses_row(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row is refused for a value in it."""
        return any(self.hides(column, lookup(row, column)) for column in self.columns if column != SOURCE)

    def refuses_answer(self, answer: Annotation) -> bool:
        """Return whether an answer is about a removed row, by its id or by what was seen."""
        return answer.example in self.ids or (bool(self.seen) and seen_digest(answer.seen) in self.seen)


def hidden(salt: str, name: str, text: str) -> str:
    """Return 32 hex digits of a text that cannot be guessed without the salt."""
    whole = f"{len(name)}:{name}{text}".encode("utf-8", "surrogatepass")
    return blake2b(whole, key=bytes.fromhex(salt), digest_size=16).hexdigest()


def removed_file(data_root: Path) -> Path | None:
    """Return the file of a store that has removed something, else None."""
    path = data_root / FILE
    return path if path.is_file() else None


def removed_in(data_root: Path) -> Removed:
    """Return what was removed from a store.

    Raises:
        SnapshotError: The file is damaged.
    """
    return together(read_requests(data_root / FILE))


@lru_cache(maxsize=4)
def removed_by(path: Path, digest: str) -> Removed:
    """Return what a file says whose bytes have a digest; it is read once a process."""
    del digest
    return together(read_requests(path))


def together(requests: Iterable[Request]) -> Removed:
    """Return several requests as one."""
    all_of = list(requests)
    values = frozenset(pair for one in all_of for pair in one.values)
    return Removed(
        salt=all_of[0].salt if all_of else "",
        ids=frozenset(name for one in all_of for name in one.ids),
        raws=frozenset(raw for one in all_of for raw in one.raws),
        seen=frozenset(seen for one in all_of for seen in one.seen),
        values=values,
        versions=frozenset(version for one in all_of for version in one.versions),
        columns=frozenset(column for column, _ in values),
    )


def read_requests(path: Path) -> list[Request]:
    """Return the requests in a file, the oldest first; none where there is no file.

    Raises:
        SnapshotError: A line is damaged.
    """
    if not path.is_file():
        return []
    try:
        return [Request.model_validate_json(line) for line in path.read_text("utf-8").split("\n") if line]
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        raise SnapshotError(
            f"the list of removed rows cannot be read: {str(error).splitlines()[0]}",
            where=str(path),
            fix="restore the file from a backup: without it removed rows would come back",
        ) from error


def new_salt() -> str:
    """Return 32 hex digits of chance."""
    return secrets.token_hex(16)


def add_request(data_root: Path, request: Request) -> None:
    """Add a line to the list, whole or not at all, on the disk when this returns."""
    path = make_folder(data_root) / FILE
    before = path.read_text("utf-8") if path.is_file() else ""
    write_whole(path, before + request.model_dump_json() + "\n")
