"""Direct preference optimisation: of two answers, make the better one likelier than the reference model finds it.

    loss of a pair = -log sigmoid(beta * ((log p(chosen) - log r(chosen)) - (log p(rejected) - log r(rejected))))

p is the model, r the reference: the same base without what is trained (Rafailov et al., 2023, eq. 7). The reference
does not change, so it is asked once, before the first step, and not loaded a second time.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Self, cast

import numpy as np
import torch
from peft import PeftModel
from torch.nn.functional import logsigmoid
from transformers import PreTrainedModel

from train.encoded import Encoded
from train.forward import Layout, MicroBatch, TokenLogits, TokenNll
from train.likelihood import example_nll

JUDGED_AT_ONCE = 32


@dataclass(frozen=True)
class Compared:
    """A forward pass over both answers of some pairs, with what the reference makes of the whole batch's answers.

    Attributes:
        micro: Both answers of a pair are in it, the chosen one at an even place of the batch, the other after it.
        reference_B: Log-likelihood of each answer of the batch under the reference, float32.
    """

    micro: MicroBatch
    reference_B: torch.Tensor

    def to(self, device: torch.device) -> Self:
        """Return the same on a device."""
        return type(self)(self.micro.to(device), self.reference_B.to(device))

    def token_logits(self, model: PreTrainedModel) -> TokenLogits:
        """Return what the model says at the supervised places."""
        return self.micro.token_logits(model)

    def token_nll(self, model: PreTrainedModel) -> TokenNll:
        """Return what the model makes of the supervised tokens."""
        return self.micro.token_nll(model)

    def margins(self, model: PreTrainedModel) -> torch.Tensor:
        """Return, for each pair, by how many nats the model prefers the chosen answer more than the reference does."""
        nll_S, _, owner_S = self.token_nll(model)
        gained_B = torch.zeros_like(self.reference_B).index_add(0, owner_S, -nll_S) - self.reference_B
        pairs_P = torch.unique(owner_S // 2)
        return gained_B[2 * pairs_P] - gained_B[2 * pairs_P + 1]


class Dpo:
    """The objective over pairs; a batch is a list of pairs."""

    measure = "preference loss"

    def __init__(
        self,
        model: PreTrainedModel,
        learn: Encoded,
        held: Encoded,
        layout: Layout,
        *,
        beta: float,
        token_budget: int,
    ) -> None:
        """Ask the reference.

        Args:
            model: Before its first step; an adapter is switched off meanwhile.
            learn: Chosen and rejected answers in turn, so 2 n examples.
            held: Likewise; the mean loss of these pairs chooses the best step.
            layout: How they are laid out.
            beta: How dear it is to leave the reference, above 0.
            token_budget: Most tokens in memory at once while the reference is asked.
        """
        self.learn, self.held, self.layout, self.beta = learn, held, layout, beta
        with model.disable_adapter() if isinstance(model, PeftModel) else nullcontext():
            known = [-example_nll(model, one, layout, token_budget=token_budget) for one in (learn, held)]
        self._reference, self._reference_held = (values.astype(np.float32) for values in known)

    def __len__(self) -> int:
        return len(self.learn) // 2

    def micro_batches(self, batch: Sequence[int], token_budget: int) -> Iterator[Compared]:
        """Yield a batch as forward passes that hold both answers of each pair."""
        yield from self._compared(self.learn, self._reference, batch, token_budget)

    def loss(self, model: PreTrainedModel, micro: MicroBatch) -> torch.Tensor:
        """Return the summed loss of the pairs in one forward pass."""
        return -logsigmoid(self.beta * cast("Compared", micro).margins(model)).sum()

    def total(self, batch: Sequence[int]) -> float:
        """Return the number of pairs."""
        return float(len(batch))

    def n_tokens(self, batch: Sequence[int]) -> int:
        """Return the tokens of both answers with their prompts."""
        return int(self.learn.lengths[_both(batch)].sum())

    def names(self, batch: Sequence[int]) -> list[str]:
        """Return the names of the pairs."""
        return [str(self.learn.names[2 * pair]).removesuffix(", chosen") for pair in batch]

    def judge(self, model: PreTrainedModel, token_budget: int) -> float | None:
        """Return the mean loss of the pairs set apart; log 2 = 0.693 is that of the reference itself."""
        if not len(self.held):
            return None
        n = len(self.held) // 2
        was_training = model.training
        model.eval()
        total = 0.0
        with torch.no_grad():
            for start in range(0, n, JUDGED_AT_ONCE):
                some = range(start, min(start + JUDGED_AT_ONCE, n))
                for micro in self._compared(self.held, self._reference_held, some, token_budget):
                    total += self.loss(model, micro.to(model.device)).item()
        model.train(was_training)
        return total / n

    def _compared(
        self, encoded: Encoded, reference: np.ndarray, pairs: Sequence[int], token_budget: int
    ) -> Iterator[Compared]:
        places = _both(pairs)
        known = torch.from_numpy(reference[places])
        for micro in self.layout.micro_batches(encoded, places.tolist(), token_budget, together=2):
            yield Compared(micro, known)


def _both(pairs: Sequence[int]) -> np.ndarray:
    """Return the places of both answers of each pair."""
    starts = 2 * np.asarray(pairs, np.int64)
    return np.stack([starts, starts + 1], axis=1).reshape(-1)
