"""Answers that were given once: a model that is asked the same again, in the same way, is not asked.

    key     digest of the model's weights and config, of how it is asked, and of one prompt's ids
    value   the text of its answer, and whether it ended by the stop token

They lie in `data/cache/answers.sqlite`, shared by all runs, so that the base answers once for all models made of it.
The file may be deleted at any time. It is bounded: beyond `MOST_BYTES` the answers unused for longest go.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from pydantic import JsonValue
from transformers import PreTrainedModel

from pipeline.code import code_of
from pipeline.digest import value_digest
from train.encoded import Encoded
from train.generate import Said

FILE = Path("cache") / "answers.sqlite"
MOST_BYTES = 256 << 20
_WAIT_SECONDS = 30.0
_AT_ONCE = 500  # keys a query
Answer = tuple[str, bool]
_PACKAGES = ("torch", "transformers", "peft", "tokenizers")


@dataclass(frozen=True)
class AnswerCache:
    """The answers that are known.

    Attributes:
        path: The file; made when the first answer is kept.
        tell: Called with a sentence when the file cannot be used: then nothing is known, and all goes on.
        most_bytes: Beyond so many, answers go.
    """

    path: Path
    tell: Callable[[str], None]
    most_bytes: int = MOST_BYTES

    @classmethod
    def of(cls, data_root: Path, tell: Callable[[str], None]) -> "AnswerCache":
        """Return the cache of a store."""
        return cls(data_root / FILE, tell)

    def answers(self, who: str, encoded: Encoded, ask: Callable[[Encoded], Said]) -> Said:
        """Return the answer to each prompt; only what is not known is asked, each prompt once.

        Args:
            who: Digest of the model and of how it is asked.
            encoded: Its prompts are asked.
            ask: Answers the prompts it is given.
        """
        prompts = [encoded.prompt(i) for i in range(len(encoded))]
        keys = [key_of(who, np.ascontiguousarray(prompt, np.int32).tobytes()) for prompt in prompts]
        known = self.find(keys)
        # The first place of each prompt that is not known.
        new = {key: place for place, key in reversed(list(enumerate(keys))) if key not in known}
        places = sorted(new.values())
        if places:
            some = encoded if len(places) == len(keys) else encoded.some(np.array(places))
            said = dict(zip((keys[place] for place in places), zip(*ask(some), strict=True), strict=True))
            self.keep(said)
            known |= said
        return Said([known[key][0] for key in keys], [known[key][1] for key in keys])

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Answer]:
        """Return what is known of some keys, and note that it was of use."""
        found: dict[bytes, Answer] = {}
        if not self.path.is_file():
            return found
        now = int(time.time())
        try:
            with closing(self._open()) as file, file:
                for start in range(0, len(keys), _AT_ONCE):
                    some = keys[start : start + _AT_ONCE]
                    marks = ",".join("?" * len(some))
                    rows = file.execute(f"SELECT key, answer, stopped FROM answers WHERE key IN ({marks})", some)  # noqa: S608
                    found |= {key: (answer, bool(stopped)) for key, answer, stopped in rows}
                    file.execute(f"UPDATE answers SET used = {now} WHERE key IN ({marks})", some)  # noqa: S608
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
        return found

    def keep(self, said: dict[bytes, Answer]) -> None:
        """Note answers; where there is no room or the file is damaged, say so and go on."""
        now = int(time.time())
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as file:
                with file:
                    file.executemany(
                        "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)",
                        [(key, text, stopped, now) for key, (text, stopped) in said.items()],
                    )
                self._shrink(file)
        except (sqlite3.Error, OSError, UnicodeEncodeError) as error:
            self._give_up(error)

    def _shrink(self, file: sqlite3.Connection) -> None:
        """Let the answers unused for longest go, a quarter at a time, until there is room again."""
        while self.path.stat().st_size > self.most_bytes:
            with file:
                n = file.execute("SELECT count(*) FROM answers").fetchone()[0]
                if not n:
                    return
                file.execute(
                    "DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY used, key LIMIT ?)",
                    (n // 4 + 1,),
                )
            file.execute("VACUUM")

    def _open(self) -> sqlite3.Connection:
        file = sqlite3.connect(self.path, timeout=_WAIT_SECONDS)
        file.execute(
            "CREATE TABLE IF NOT EXISTS answers "
            "(key BLOB PRIMARY KEY, answer TEXT, stopped INTEGER, used INTEGER) WITHOUT ROWID"
        )
        return file

    def _give_up(self, error: Exception) -> None:
        self.tell(
            f"evaluate  known answers cannot be used ({error}); everything is asked. To mend it, delete {self.path}"
        )


def key_of(who: str, asked: bytes) -> bytes:
    """Return the key of one prompt asked of one model."""
    return blake2b(who.encode() + b"\0" + asked, digest_size=16).digest()


def identity_of(model: PreTrainedModel, how: dict[str, JsonValue]) -> str:
    """Return a digest of a model and of how it is asked: its weights, byte for byte, and all that turns them to text.

    A gigabyte of weights takes about a second. Adapters count with their settings, since a scale is no weight.
    """
    whole = blake2b(digest_size=16)
    tensors: Iterable[tuple[str, torch.Tensor]] = (*model.named_parameters(), *model.named_buffers())
    for name, tensor in tensors:
        whole.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8) if tensor.numel() else tensor.new_empty(0)
        whole.update(flat.cpu().numpy().data)
    adapters = getattr(model, "peft_config", {})
    return value_digest(
        [
            whole.hexdigest(),
            model.config.to_json_string(use_diff=False),
            {name: repr(sorted(one.to_dict().items(), key=str)) for name, one in adapters.items()},
            how,
            code_of("train.generate").digest,
            {name: _version(name) for name in _PACKAGES},
            model.device.type,
        ]
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
