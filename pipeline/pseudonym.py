"""Names for people in what is published: the same person has the same one in every version, and nobody finds out whose.

    HMAC-SHA256(salt, "ann@example.org")  ->  "p3f09a1b2c4d5"

The salt is a secret: whoever has it can try names. It lies in `data/publish/salt`, for its owner's eyes
alone, or in the environment variable TUNELOOP_PUBLISH_SALT, or the file that TUNELOOP_PUBLISH_SALT_FILE names, where
several people publish. It is never published; with another salt everybody has another name.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from pipeline.secret import read_secret
from pipeline.snapshot import make_folder
from schemas import ConfigError

VARIABLE = "TUNELOOP_PUBLISH_SALT"
_LEAST_LENGTH = 16


def read_salt(data_root: Path) -> bytes:
    """Return the salt; the first call makes it, readable by its owner alone.

    Raises:
        ConfigError: The salt is too short to be a secret, or belongs to somebody else.
    """
    path = data_root / "publish" / "salt"
    where = f"${VARIABLE}"
    salt = read_secret(VARIABLE)
    if not salt:
        where = str(path)
        make_folder(path.parent)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(secrets.token_hex(32) + "\n")
        try:
            salt = path.read_text("utf-8").strip()
        except OSError as error:
            raise ConfigError(
                f"the salt of the pseudonyms cannot be read: {error.strerror}",
                where=where,
                fix=f"it belongs to whoever published first; let them publish, or share it as ${VARIABLE}",
            ) from error
    if len(salt) < _LEAST_LENGTH:
        raise ConfigError(
            f"the salt of the pseudonyms has {len(salt)} signs, too few for a secret",
            where=where,
            fix=f"give at least {_LEAST_LENGTH}, such as the output of `openssl rand -hex 32`",
        )
    return salt.encode()


def public_names(salt: bytes, people: Iterable[str]) -> dict[str, str]:
    """Return person to public pseudonym."""
    return {who: f"p{hmac.new(salt, who.encode(), hashlib.sha256).hexdigest()[:12]}" for who in people}
