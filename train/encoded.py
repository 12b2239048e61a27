"""Examples as token ids: what the model is given, and which of its tokens it must learn to say.

    ids      <bos><user>2 + 2?<assistant>  4<eos>
    n_prompt 5 tokens, which generation is given; the two after them are the target
    weights  0 0 0 0 0                     1 1     how much each token counts in the loss

A target of several turns holds tokens of weight 0 too: what the user says between.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

_BLOCK = 1 << 14
_NO_YES = np.asarray([0, 1], np.float32)


@dataclass(frozen=True)
class Encoded:
    """Token ids of many examples, one after the other; the arrays may lie in mapped files.

    For an encoder-decoder the prompt is what the encoder reads and the target what the decoder says; for a
    classifier the target is one number, the class.

    Attributes:
        ids: int32, all tokens of all examples.
        starts: int64, n + 1 places in `ids`; example i is ids[starts[i]:starts[i + 1]].
        n_prompt: int64, tokens of each example that stand before its target; at least 1.
        weights: float32 beside `ids`: how much predicting this token counts in the loss; 0 before the target.
        names: What to call each example in a message.
    """

    ids: np.ndarray
    starts: np.ndarray
    n_prompt: np.ndarray
    weights: np.ndarray
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.n_prompt)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each example."""
        lengths: np.ndarray = np.diff(self.starts)
        return lengths

    @cached_property
    def n_supervised(self) -> np.ndarray:
        """Tokens of each example that carry loss."""
        return self._summed(lambda weights: weights > 0, np.int64)

    @cached_property
    def total_weights(self) -> np.ndarray:
        """Summed weights of each example, float64."""
        return self._summed(lambda weights: weights, np.float64)

    def example(self, i: int) -> np.ndarray:
        """The ids of one example."""
        return self.ids[self.starts[i] : self.starts[i + 1]]

    def prompt(self, i: int) -> np.ndarray:
        """The ids of one prompt, as generation is given them."""
        return self.example(i)[: self.n_prompt[i]]

    def target(self, i: int) -> np.ndarray:
        """The ids after the prompt, the stop token last."""
        return self.example(i)[self.n_prompt[i] :]

    def weights_of(self, i: int) -> np.ndarray:
        """How much each token of one example counts in the loss."""
        return self.weights[self.starts[i] : self.starts[i + 1]]

    def times(self, factors: np.ndarray) -> "Encoded":
        """Return the same examples, the weights of each multiplied by its factor."""
        beside = np.repeat(factors.astype(np.float32), self.lengths)
        return replace(self, weights=self.weights * beside)

    def of_completions(self, starts_at: np.ndarray) -> "Encoded":
        """Return the examples that hold the completion of their row, its tokens alone with loss, each with weight 1.

        Args:
            starts_at: Tokens of each example before the completion of its row; -1 for one that ends before it.
        """
        chosen = starts_at >= 0
        whole = bool(chosen.all())
        lengths, n_prompt = self.lengths[chosen], starts_at[chosen]
        both = np.stack([n_prompt, lengths - n_prompt], axis=1).reshape(-1)
        return Encoded(
            self.ids if whole else self.ids[np.repeat(chosen, self.lengths)],
            np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))),
            n_prompt,
            np.repeat(np.tile(_NO_YES, len(lengths)), both),
            self.names if whole else [self.names[i] for i in np.flatnonzero(chosen).tolist()],
        )

    def with_loss(self) -> "Encoded":
        """Return the examples that carry any loss."""
        chosen = self.n_supervised > 0
        return self if chosen.all() else self.some(np.flatnonzero(chosen))

    def some(self, places: np.ndarray) -> "Encoded":
        """Return the examples at some places, ascending, in memory."""
        chosen = np.zeros(len(self), bool)
        chosen[places] = True
        beside = np.repeat(chosen, self.lengths)
        return Encoded(
            self.ids[beside],
            np.concatenate(([0], np.cumsum(self.lengths[chosen], dtype=np.int64))),
            self.n_prompt[chosen],
            self.weights[beside],
            [self.names[i] for i in np.flatnonzero(chosen).tolist()],
        )

    def _summed(self, change: Callable[[np.ndarray], np.ndarray], kind: type[np.generic]) -> np.ndarray:
        """Return the sum of each example's changed weights; a block at a time, since they may not fit in memory."""
        found = np.zeros(len(self), kind)
        for start in range(0, len(self), _BLOCK):
            starts = self.starts[start : start + _BLOCK + 1]
            some = change(self.weights[starts[0] : starts[-1]]).astype(kind)
            before = np.concatenate((np.zeros(1, kind), np.cumsum(some, dtype=kind)))
            places = starts - starts[0]
            found[start : start + _BLOCK] = before[places[1:]] - before[places[:-1]]
        return found

    @staticmethod
    def of(
        pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
        names: Sequence[str],
        weights: Sequence[Sequence[float]] | None = None,
    ) -> "Encoded":
        """Return examples given as (prompt ids, target ids), and how much each token of the targets counts: 1."""
        flat = [np.asarray(side, np.int32) for pair in pairs for side in pair]
        sizes = np.asarray([len(side) for side in flat], np.int64).reshape(-1, 2)
        ids = np.concatenate([np.empty(0, np.int32), *flat])
        starts = np.concatenate(([0], np.cumsum(sizes.sum(axis=1), dtype=np.int64)))
        if weights is None:
            counts = np.repeat(np.tile(_NO_YES, len(pairs)), sizes.reshape(-1))
        else:
            both = [
                side for (prompt, _), some in zip(pairs, weights, strict=True) for side in ([0.0] * len(prompt), some)
            ]
            counts = np.concatenate([np.empty(0, np.float32), *(np.asarray(side, np.float32) for side in both)])
        return Encoded(ids, starts, sizes[:, 0].copy(), counts, names)

    @staticmethod
    def joined(parts: Sequence["Encoded"]) -> "Encoded":
        """Return the examples of several, one after the other, in memory."""
        sizes = np.concatenate([np.empty(0, np.int64), *(part.lengths for part in parts)])
        return Encoded(
            np.concatenate([np.empty(0, np.int32), *(part.ids for part in parts)]),
            np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))),
            np.concatenate([np.empty(0, np.int64), *(part.n_prompt for part in parts)]),
            np.concatenate([np.empty(0, np.float32), *(part.weights for part in parts)]),
            [name for part in parts for name in part.names],
        )
