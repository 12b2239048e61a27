"""What a step minimises: a batch's forward passes, their loss, and what the sum of it is divided by."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from transformers import PreTrainedModel

from train.encoded import Encoded
from train.forward import Layout, MicroBatch
from train.likelihood import example_nll, per_token
from train.processes import ALONE, Processes


class Objective(Protocol):
    """One way to learn from data; a batch is a list of places in the data."""

    @property
    def measure(self) -> str:
        """What `judge` returns, in a word or two."""
        ...

    def __len__(self) -> int:
        """Return how many units there are to learn from: examples, or pairs."""
        ...

    def micro_batches(self, batch: Sequence[int], token_budget: int) -> Iterator[MicroBatch]:
        """Yield a batch as forward passes."""
        ...

    def loss(self, model: PreTrainedModel, micro: MicroBatch) -> torch.Tensor:
        """Return the summed loss of one forward pass, with a gradient."""
        ...

    def total(self, batch: Sequence[int]) -> float:
        """Return what the summed loss of a whole batch is divided by."""
        ...

    def n_tokens(self, batch: Sequence[int]) -> int:
        """Return the tokens of a batch, prompts included, without padding."""
        ...

    def names(self, batch: Sequence[int]) -> list[str]:
        """Return what to call the units of a batch in a message."""
        ...

    def judge(self, model: PreTrainedModel, token_budget: int) -> float | None:
        """Return how the model does on validation data, less is better; None if there are none."""
        ...


class Sft:
    """Supervised fine-tuning: the weighted mean of the negative log-likelihood of the supervised tokens.

    The sum over a batch is divided once, by the weights of the whole batch: where it was cut changes nothing.
    """

    measure = "NLL"

    def __init__(self, data: Encoded, validation: Encoded, layout: Layout, processes: Processes = ALONE) -> None:
        """Learn from `data`, judge by nats a token of `validation`, which may be empty, in all processes together."""
        self.data, self.validation, self.layout, self.processes = data, validation, layout, processes
        self._weight, self._lengths = data.total_weights, data.lengths

    def __len__(self) -> int:
        return len(self.data)

    def micro_batches(self, batch: Sequence[int], token_budget: int) -> Iterator[MicroBatch]:
        """Yield a batch as forward passes."""
        yield from self.layout.micro_batches(self.data, batch, token_budget)

    def loss(self, model: PreTrainedModel, micro: MicroBatch) -> torch.Tensor:
        """Return the summed loss of one forward pass."""
        nll_S, weight_S, _ = micro.token_nll(model)
        return (nll_S * weight_S).sum()

    def total(self, batch: Sequence[int]) -> float:
        """Return the summed weights of the batch's supervised tokens."""
        return float(self._weight[np.asarray(batch)].sum())

    def n_tokens(self, batch: Sequence[int]) -> int:
        """Return the tokens of a batch."""
        return int(self._lengths[np.asarray(batch)].sum())

    def names(self, batch: Sequence[int]) -> list[str]:
        """Return the names of the batch's examples."""
        return [str(self.data.names[i]) for i in batch]

    def judge(self, model: PreTrainedModel, token_budget: int) -> float | None:
        """Return nats a supervised token of the validation side."""
        if not len(self.validation):
            return None
        summed = example_nll(model, self.validation, self.layout, token_budget=token_budget, processes=self.processes)
        return per_token(summed, self.validation)
