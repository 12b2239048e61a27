"""Secrets, from the environment or from a file that it names: nowhere else are they looked for.

    TUNELOOP_ENDPOINT_KEY=sk-123                         ->  "sk-123"
    TUNELOOP_ENDPOINT_KEY_FILE=/run/secrets/endpoint     ->  what stands in that file, without space around it

Containers and schedulers hand secrets over as files, since the environment of a process is shown by `docker inspect`
and inherited by every child. No message here holds the secret.
"""

import os
import stat
import sys
from functools import cache
from pathlib import Path

from schemas import ConfigError

_LONGEST = 1 << 16  # bytes; a secret is a line


def read_secret(name: str) -> str:
    """Return the secret called `name`, or "" if neither the variable nor the one with _FILE after it is set.

    A file that other users of the machine can read is used, and said so once.

    Raises:
        ConfigError: Both are set, or the file is missing, unreadable, empty or no text.
    """
    value, file = os.environ.get(name, "").strip(), os.environ.get(f"{name}_FILE", "").strip()
    if value and file:
        raise ConfigError(
            f"{name} and {name}_FILE are both set", where="environment", fix=f"unset one of them: env -u {name} ..."
        )
    return _from_file(name, Path(file)) if file else value


def is_given(name: str) -> bool:
    """Return whether a secret is set, in whichever way, good or not."""
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def _from_file(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            held = file.read(_LONGEST)
        secret = held.decode("utf-8-sig").strip()
    except OSError as error:
        raise _unusable(
            name, path, f"cannot be read: {error.strerror}", "name a file that this user may read"
        ) from None
    except UnicodeDecodeError:
        # The error itself would show what is in the file.
        raise _unusable(name, path, "is no text", "write the secret alone into it, in UTF-8") from None
    if not secret:
        raise _unusable(name, path, "is empty", "write the secret alone into it")
    if mode & stat.S_IROTH:
        _warn(name, str(path))
    return secret


def _unusable(name: str, path: Path, what: str, fix: str) -> ConfigError:
    return ConfigError(f"the file of {name} {what}", where=f"{name}_FILE = {path}", fix=fix)


@cache
def _warn(name: str, path: str) -> None:
    sys.stderr.write(f"warning: everybody on this machine can read {path}, the file of {name}: chmod 600 {path}\n")
