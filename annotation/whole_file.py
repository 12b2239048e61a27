"""A file that a user names, written whole or not at all.

with whole_file(Path("answers.csv")) as file: ...   an error or a stop half way leaves what stood there before
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from schemas import ConfigError


@contextmanager
def whole_file(path: Path, newline: str = "\n") -> Iterator[TextIO]:
    """Yield a draft in UTF-8 that takes the file's place at the end.

    Args:
        path: The file.
        newline: As for `open`.

    Raises:
        ConfigError: The file cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8", newline=newline) as file:
            yield file
        draft.replace(path)
    except OSError as error:
        raise ConfigError(
            f"cannot be written: {error.strerror}", where=str(path), fix="name a file in a folder that is there"
        ) from error
    finally:
        draft.unlink(missing_ok=True)
