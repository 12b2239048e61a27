"""Examples as token ids: what the model is given, and which of its tokens it must learn to say.

    ids      <bos><user>2 + 2?<assistant>  4<eos>
    n_prompt 5 tokens, which generation is given; the two after them are the target
    weights  0 0 0 0 0                     1 1     how much each token counts in the loss

A target of several turns holds tokens of weight 0 too: what the user says between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


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
        before = np.concatenate(([0], np.cumsum(self.weights > 0, dtype=np.int64)))
        supervised: np.ndarray = before[self.starts[1:]] - before[self.starts[:-1]]
        return supervised

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

    @staticmethod
    def of(
        pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
        names: Sequence[str],
        weights: Sequence[Sequence[float]] | None = None,
    ) -> "Encoded":
        """Return examples given as (prompt ids, target ids), and how much each token of the targets counts: 1."""
        sizes = [len(prompt) + len(target) for prompt, target in pairs]
        flat = [token for prompt, target in pairs for side in (prompt, target) for token in side]
        counts = weights if weights is not None else [[1.0] * len(target) for _, target in pairs]
        beside = [one for (prompt, _), count in zip(pairs, counts, strict=True) for one in ([0.0] * len(prompt), count)]
        return Encoded(
            np.asarray(flat, np.int32),
            np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))),
            np.asarray([len(prompt) for prompt, _ in pairs], np.int64),
            np.asarray([weight for some in beside for weight in some], np.float32),
            names,
        )

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
