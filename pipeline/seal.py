"""JSON files of the store that tell by themselves whether any byte of them has changed.

    {
     "format": 1,
     "rows": 11,
     "checksum": "41c7..."      digest of the file's bytes without this line
    }

Files from before there were checksums have none and are taken as they are.
"""

import json
import re
from hashlib import blake2b
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from schemas import SnapshotError
from schemas.manifest import FORMAT

Model = TypeVar("Model", bound=BaseModel)
_CHECKSUM = "checksum"
_LAST_LINE = re.compile(rb',\n "checksum": "([0-9a-f]{32})"\n}\n\Z')


class NewerFormatError(SnapshotError):
    """A later tuneloop has written this: it is not damaged, and must not be set aside."""


def sealed(model: BaseModel) -> str:
    """Return the text of a model's file; the model has a field `checksum`."""
    body = model.model_dump_json(indent=1, exclude={_CHECKSUM}).removesuffix("\n}")
    return f'{body},\n "{_CHECKSUM}": "{_digest(body.encode())}"\n}}\n'


def unseal(raw: bytes, model: type[Model]) -> Model:
    """Return what a file holds, its checksum checked and taken off.

    Raises:
        NewerFormatError: A later tuneloop has written it.
        ValueError: It is not JSON of this model, or a byte of it has changed.
    """
    try:
        read = model.model_validate_json(raw)
    except ValidationError:
        _refuse_newer(raw)
        raise
    _refuse_newer(read)
    if not _is_whole(raw, getattr(read, _CHECKSUM)):
        raise ValueError("it was changed after it was written: its checksum is another")
    return read.model_copy(update={_CHECKSUM: ""})


def _is_whole(raw: bytes, checksum: str) -> bool:
    found = _LAST_LINE.search(raw)
    return _digest(raw[: found.start()]) == checksum if found else not checksum


def _refuse_newer(what: bytes | BaseModel) -> None:
    try:
        written = json.loads(what)["format"] if isinstance(what, bytes) else getattr(what, "format", FORMAT)
    except (ValueError, TypeError, KeyError):
        return
    if isinstance(written, int) and written > FORMAT:
        raise NewerFormatError(
            f"a later tuneloop wrote this store: its format is {written}, and this one reads up to {FORMAT}",
            where="the store",
            fix="use the tuneloop that wrote it: `git pull`, then `make setup`; nothing was changed",
        )


def _digest(body: bytes) -> str:
    return blake2b(body, digest_size=16).hexdigest()
