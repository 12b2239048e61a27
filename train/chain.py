"""Examples of several origins as one list, none of them copied: what is mapped from a file stays there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import overload

import numpy as np

from train.encoded import Encoded


@dataclass(frozen=True)
class Chain(Encoded):
    """The examples of `parts`, one after the other; to be read one at a time.

    `starts` and `n_prompt` are those of the whole; `ids` and `weights` are empty, since the parts hold them.
    """

    parts: tuple[Encoded, ...] = field(default=())

    @staticmethod
    def linked(parts: Sequence[Encoded]) -> "Encoded":
        """Return the examples of the parts, the first part's first."""
        if len(parts) == 1:
            return parts[0]
        sizes = np.concatenate([np.empty(0, np.int64), *(part.lengths for part in parts)])
        return Chain(
            ids=np.empty(0, np.int32),
            starts=np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))),
            n_prompt=np.concatenate([np.empty(0, np.int64), *(part.n_prompt for part in parts)]),
            weights=np.empty(0, np.float32),
            names=_Names(tuple(part.names for part in parts)),
            parts=tuple(parts),
        )

    @cached_property
    def n_supervised(self) -> np.ndarray:
        """Tokens of each example that carry loss."""
        return np.concatenate([np.empty(0, np.int64), *(part.n_supervised for part in self.parts)])

    @cached_property
    def total_weights(self) -> np.ndarray:
        """Summed weights of each example, float64."""
        return np.concatenate([np.empty(0, np.float64), *(part.total_weights for part in self.parts)])

    def example(self, i: int) -> np.ndarray:
        """The ids of one example."""
        part, at = self._place(i)
        return part.example(at)

    def weights_of(self, i: int) -> np.ndarray:
        """How much each token of one example counts in the loss."""
        part, at = self._place(i)
        return part.weights_of(at)

    def _place(self, i: int) -> tuple[Encoded, int]:
        for part in self.parts:
            if i < len(part):
                return part, i
            i -= len(part)
        raise IndexError(i)


class _Names(Sequence[str]):
    """Names of several parts."""

    def __init__(self, parts: tuple[Sequence[str], ...]) -> None:
        self._parts, self._ends = parts, tuple(accumulate(len(part) for part in parts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> list[str]: ...
    def __getitem__(self, i: int | slice) -> str | list[str]:
        if isinstance(i, slice):
            return [self[at] for at in range(*i.indices(len(self)))]
        for part, end in zip(self._parts, self._ends, strict=True):
            if i < end:
                return part[i - end + len(part)]
        raise IndexError(i)
