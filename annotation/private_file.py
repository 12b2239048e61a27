"""Files that name people or let somebody in: for their owner's eyes alone, whole or not at all."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Put a text in place by one rename, readable and writable by its owner alone from the first byte on."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
    draft.replace(path)
