"""Examples in mapped files: what the loop reads, made once from the parquet beside it.

    data/encode/9f3c.../train-00000-of-00001.parquet    one example a row
    data/encode/9f3c.../train.arrays, train.head        the same flat: all tokens one after the other

Nothing but what a batch touches is read into memory, whatever the number of tokens.
"""

import tempfile
from collections.abc import Iterator, Sequence
from itertools import compress
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as pa

from pipeline.array_file import ArrayFile, open_arrays, write_arrays
from pipeline.snapshot import Snapshot
from schemas import SnapshotError
from train.encoded import Encoded

_READ = ["origin", "template", "input_ids", "loss_weights", "n_prompt", "completion_at"]


class Names(Sequence[str]):
    """Many short texts that lie in one run of bytes."""

    def __init__(self, text: np.ndarray, starts: np.ndarray) -> None:
        """Take bytes in UTF-8, and n + 1 places in them."""
        self._text, self._starts = text, starts

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> list[str]: ...

    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        at = range(len(self))[place]
        return bytes(self._text[self._starts[at] : self._starts[at + 1]]).decode()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def write_flat(parts: Sequence[Path], stem: Path, version: str, *, with_loss: bool = False) -> None:
    """Write the examples of some parquet files as flat arrays; memory holds what grows with examples, not tokens.

    Args:
        parts: In order, with the columns of `train.encoding.SCHEMA`.
        stem: Path without ending.
        version: Of the snapshot, so that the arrays are known to be its own.
        with_loss: Leave out examples that carry no loss.
    """
    sizes, n_prompt, completion_at, name_sizes, template = [], [], [], [], []
    numbers: dict[str, int] = {}
    is_plain = True
    for one, names, templates, at in _batches(parts, with_loss=with_loss):
        sizes.append(one.lengths)
        n_prompt.append(one.n_prompt)
        completion_at.append(at)
        name_sizes.append(np.asarray([len(name) for name in names], np.int64))
        template.append(np.asarray([numbers.setdefault(name, len(numbers)) for name in templates], np.int32))
        # Plain: every example is the completion of its row, and each of its tokens counts 1.
        is_plain &= bool((at == one.n_prompt).all()) and np.array_equal(one.weights, one.of_completions(at).weights)
    starts, name_starts = _places(sizes), _places(name_sizes)
    with tempfile.TemporaryDirectory(prefix=f".{stem.name}-", dir=stem.parent) as folder:
        n_tokens, n_bytes = int(starts[-1]), int(name_starts[-1])
        flat = {
            "ids": _mapped(Path(folder) / "ids", np.int32, n_tokens),
            "weights": _mapped(Path(folder) / "weights", np.float32, n_tokens),
            "names": _mapped(Path(folder) / "names", np.uint8, n_bytes),
        }
        token = byte = 0
        for one, names, _, _ in _batches(parts, with_loss=with_loss):
            text = np.frombuffer(b"".join(names), np.uint8)
            flat["ids"][token : token + len(one.ids)] = one.ids
            flat["weights"][token : token + len(one.ids)] = one.weights
            flat["names"][byte : byte + len(text)] = text
            token, byte = token + len(one.ids), byte + len(text)
        arrays = {
            **flat,
            "starts": starts,
            "n_prompt": np.concatenate([np.empty(0, np.int64), *n_prompt]),
            "completion_at": np.concatenate([np.empty(0, np.int64), *completion_at]),
            "name_starts": name_starts,
            "template": np.concatenate([np.empty(0, np.int32), *template]),
        }
        write_arrays(stem, arrays, version, {"plain": is_plain, "templates": list(numbers)})


def read_flat(parts: Sequence[Path], stem: Path, version: str, *, with_loss: bool = False) -> ArrayFile:
    """Return the arrays, every byte checked; made again from the parquet where they are missing or damaged.

    Raises:
        SnapshotError: They cannot be made.
    """
    found = open_arrays(stem, version)
    if isinstance(found, ArrayFile):
        return found
    try:
        write_flat(parts, stem, version, with_loss=with_loss)
    except OSError as error:
        raise SnapshotError(
            f"the examples cannot be written flat: {error.strerror or error}",
            where=str(stem.parent),
            fix="free space or mend the permissions, then run the same command again",
        ) from error
    again = open_arrays(stem, version)
    if isinstance(again, str):
        raise SnapshotError(f"the flat examples cannot be read: {again}", where=str(stem.parent), fix="check the disk")
    return again


def examples(file: ArrayFile) -> Encoded:
    """Return the examples of an opened file, in mapped memory."""
    arrays = file.arrays
    names = Names(arrays["names"], arrays["name_starts"])
    return Encoded(arrays["ids"], arrays["starts"], arrays["n_prompt"], arrays["weights"], names)


def completions(file: ArrayFile) -> Encoded:
    """Return one example a row: its completion alone, each token with weight 1."""
    whole = examples(file)
    return whole if file.facts["plain"] else whole.of_completions(file.arrays["completion_at"])


def encoded_of(batch: pa.RecordBatch) -> Encoded:
    """Return the examples of a batch of the snapshot."""
    ids, weights = batch.column("input_ids"), batch.column("loss_weights")
    sizes = ids.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
    return Encoded(
        ids.flatten().to_numpy(),
        _places([sizes]),
        batch.column("n_prompt").to_numpy(),
        weights.flatten().to_numpy(),
        batch.column("origin").to_pylist(),
    )


def _batches(parts: Sequence[Path], *, with_loss: bool) -> Iterator[tuple[Encoded, list[bytes], list[str], np.ndarray]]:
    """Yield examples, their names in UTF-8, their templates, and where the completion of their row begins, or -1."""
    for path in parts:
        for batch in Snapshot.read_part(path, _READ):
            one = encoded_of(batch)
            at = batch.column("completion_at").fill_null(-1).to_numpy()
            templates = batch.column("template").to_pylist()
            if with_loss:
                at, templates = at[one.n_supervised > 0], list(compress(templates, one.n_supervised > 0))
                one = one.with_loss()
            yield one, [name.encode() for name in one.names], templates, at


def _places(sizes: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(([0], np.cumsum(np.concatenate([np.empty(0, np.int64), *sizes]), dtype=np.int64)))


def _mapped(path: Path, kind: type[np.generic], size: int) -> np.ndarray:
    # A file of no bytes cannot be mapped.
    return np.lib.format.open_memmap(path, "w+", kind, (size,)) if size else np.empty(0, kind)
