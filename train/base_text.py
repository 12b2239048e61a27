"""The text the embedded base is made from, which part of it is held back, and the key of that base.

Documents are parted by blank lines. One in twenty is never learnt by the base: what training does to these is
what it makes a model forget.
"""

from pathlib import Path

from pydantic import JsonValue

from pipeline.digest import file_digest, value_digest
from schemas import ConfigError, Strict
from schemas.training import Train

# Every 20th document is kept from the base and measures what training makes it forget.
HELD_EVERY = 20


class Tiny(Strict):
    """How tiny is made; part of its key."""

    hidden_size: int = 128
    intermediate_size: int = 384
    layers: int = 2
    heads: int = 4
    init: float = 0.05
    rope_theta: float = 1e6
    context: int = 512
    steps: int = 1500
    batch_size: int = 18
    learning_rate: float = 4e-3
    seed: int = 1


def documents(path: Path) -> tuple[list[str], list[str]]:
    """Return the documents of a text file, parted by blank lines: those to learn from, and those that are held.

    Raises:
        ConfigError: The file cannot be read or holds too few documents.
    """
    where = f"[train] base_text = {str(path)!r}"
    found = parted(path, where)
    if len(found) < 2 * HELD_EVERY:
        raise ConfigError(
            f"{len(found)} documents are too few to learn from and hold one in {HELD_EVERY} back",
            where=where,
            fix=f"give at least {2 * HELD_EVERY} documents with a blank line between",
        )
    held = found[::HELD_EVERY]
    return [document for place, document in enumerate(found) if place % HELD_EVERY], held


def parted(path: Path, where: str) -> list[str]:
    """Return the documents of a text file; blank lines stand between them.

    Raises:
        ConfigError: The file cannot be read or holds none.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=where, fix="name a text file in UTF-8") from error
    found = [document.strip() for document in text.split("\n\n") if document.strip()]
    if not found:
        raise ConfigError(
            "the file holds no text", where=where, fix="name a text file with blank lines between documents"
        )
    return found


def tiny_key(settings: Train, tiny: Tiny) -> str:
    """Return the digest of all that tiny depends on; the text is one that `documents` has accepted."""
    text, tokenizer = Path(settings.base_text), Path(settings.base_tokenizer) / "tokenizer.json"
    if not tokenizer.is_file():
        raise ConfigError(
            f"there is no tokenizer.json in {tokenizer.parent.resolve()}",
            where="[train] base_tokenizer",
            fix="name a folder with tokenizer.json and tokenizer_config.json",
        )
    named = sorted(path for pattern in ("*.json", "*.jinja") for path in tokenizer.parent.glob(pattern))
    files: list[JsonValue] = [file_digest(path) for path in named]
    return value_digest([file_digest(text), files, tiny.model_dump(mode="json")])
