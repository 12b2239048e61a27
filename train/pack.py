"""Packing that leaves the optimisation alone: examples of one batch side by side, no token of padding between.

A batch of G examples stays a batch of G examples; packing only decides how it is cut into forward passes:

    lengths 5 3 7 2, rows of 8  ->  [7] [5 3] [2]   three rows, each example whole in one of them

Examples in one row do not see each other. Flat, one row holds all examples of a forward pass and the attention is
told their bounds (`train.segment_attention`, or the kernels of flash attention); there is no padding at all. In rows,
position ids start from 0 at each example, and transformers makes a block-diagonal mask of that, if there is neither
attention mask nor cache (`use_cache=False`, measured: without it the logits differ by 0.5).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from transformers import PreTrainedModel

from train.encoded import Encoded
from train.forward import TokenLogits, TokenNll, head_sees

# The mask costs the square of a row's width; above this many tokens a row, packing costs more than it saves.
ROW_TOKENS = 128
IGNORE_INDEX = -100


@dataclass(frozen=True)
class PackedBatch:
    """What one forward pass of a causal model reads.

    Attributes:
        input_ids_RT: Rows of packed examples, int64.
        position_ids_RT: Place of each token in its own example.
        labels_RT: The token that each place must predict, IGNORE_INDEX where there is no loss.
        weights_RT: How much that prediction counts.
        owner_RT: Place in the batch of the example a token belongs to; -1 for the padding at a row's end.
        bounds: Of a flat row, int32: where its examples begin, and its length; None where a mask is made instead.
        longest: Tokens of the longest example.
    """

    input_ids_RT: torch.Tensor
    position_ids_RT: torch.Tensor
    labels_RT: torch.Tensor
    weights_RT: torch.Tensor
    owner_RT: torch.Tensor
    bounds: torch.Tensor | None = None
    longest: int = 0

    def to(self, device: torch.device) -> Self:
        """Return the same on a device."""
        moved: dict[str, Any] = {
            name: value.to(device) for name, value in vars(self).items() if isinstance(value, torch.Tensor)
        }
        return replace(self, **moved)

    def token_logits(self, model: PreTrainedModel) -> TokenLogits:
        """Return what the model says at the supervised places."""
        supervised_RT = self.labels_RT != IGNORE_INDEX
        # The names under which transformers hands bounds to kernels that know them.
        apart: dict[str, Any] = {"cu_seq_lens_q": self.bounds, "cu_seq_lens_k": self.bounds}
        apart |= {"max_length_q": self.longest, "max_length_k": self.longest}
        with head_sees(model, supervised_RT):
            logits_1SV = model(
                input_ids=self.input_ids_RT,
                position_ids=self.position_ids_RT,
                use_cache=False,  # with a cache, transformers lets packed examples see each other
                **(apart if self.bounds is not None else {}),
            ).logits
        return TokenLogits(
            logits_1SV[0], self.labels_RT[supervised_RT], self.weights_RT[supervised_RT], self.owner_RT[supervised_RT]
        )

    def token_nll(self, model: PreTrainedModel) -> TokenNll:
        """Return what the model makes of the supervised tokens."""
        return self.token_logits(model).nll()


@dataclass(frozen=True)
class Packed:
    """The layout of causal models under methods that obey position ids.

    Attributes:
        flat: All examples of a forward pass in one row; for attention that is told bounds, and for no other.
    """

    flat: bool = False

    @property
    def why(self) -> str:
        """A sentence for the log."""
        how = "in one flat row without padding" if self.flat else "in rows under a block-diagonal mask"
        return f"packed {how}; examples cannot see each other"

    def micro_batches(
        self, encoded: Encoded, batch: Sequence[int], token_budget: int, together: int = 1
    ) -> Iterator[PackedBatch]:
        """Yield a batch as forward passes of at most `token_budget` tokens; see `train.forward.Layout`."""
        lengths = encoded.lengths[np.asarray(batch, np.int64)].reshape(-1, together).sum(axis=1).tolist()
        if self.flat:
            for row in pack(lengths, token_budget):
                yield _lay_out(encoded, batch, [row], together, flat=True)
            return
        width = min(max(ROW_TOKENS, *lengths), max(token_budget, *lengths))
        rows = pack(lengths, width)
        # Rows of like width together: what stands at a row's end is then little.
        rows.sort(key=lambda row: -sum(lengths[i] for i in row))
        at_once: list[list[int]] = []
        for row in rows:
            widest = sum(lengths[i] for i in (at_once or [row])[0])
            if at_once and widest * (len(at_once) + 1) > token_budget:
                yield _lay_out(encoded, batch, at_once, together)
                at_once = []
            at_once.append(row)
        yield _lay_out(encoded, batch, at_once, together)


def pack(lengths: Sequence[int], row_tokens: int) -> list[list[int]]:
    """Return rows of places in `lengths`: best fit, the longest first; a longer example has a row of its own.

    Every place is in exactly one row; a row of several examples holds at most `row_tokens` tokens.
    """
    rows: list[list[int]] = []
    room: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        fits = [j for j, left in enumerate(room) if left >= lengths[i]]
        if fits:
            best = min(fits, key=lambda j: (room[j], j))
            rows[best].append(i)
            room[best] -= lengths[i]
        else:
            rows.append([i])
            room.append(row_tokens - lengths[i])
    return rows


def _lay_out(
    encoded: Encoded, batch: Sequence[int], rows: list[list[int]], together: int, *, flat: bool = False
) -> PackedBatch:
    placed = [[unit * together + k for unit in row for k in range(together)] for row in rows]
    width = max(sum(int(encoded.lengths[batch[i]]) for i in row) for row in placed)
    shape = (len(rows), width)
    ids, places = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    labels, owner = np.full(shape, IGNORE_INDEX, np.int64), np.full(shape, -1, np.int64)
    weights = np.zeros(shape, np.float32)
    for r, row in enumerate(placed):
        at = 0
        for i in row:
            example, weight = encoded.example(batch[i]), encoded.weights_of(batch[i])
            end = at + len(example)
            ids[r, at:end] = example
            places[r, at:end] = np.arange(len(example))
            # A place predicts the token after it, so the last token of the prompt predicts the first of the answer.
            labels[r, at : end - 1] = np.where(weight[1:] > 0, example[1:], IGNORE_INDEX)
            weights[r, at : end - 1] = weight[1:]
            owner[r, at:end] = i
            at = end
    inputs_RT, places_RT, labels_RT, weights_RT, owner_RT = map(torch.from_numpy, (ids, places, labels, weights, owner))
    batch_of_rows = PackedBatch(inputs_RT, places_RT, labels_RT, weights_RT, owner_RT)
    if not flat:
        return batch_of_rows
    sizes = [int(encoded.lengths[batch[i]]) for i in placed[0]]
    bounds = np.concatenate(([0], np.cumsum(sizes))).astype(np.int32)
    return replace(batch_of_rows, bounds=torch.from_numpy(bounds), longest=max(sizes))
