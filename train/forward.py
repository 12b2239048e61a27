"""What every family of models and every way to lay out a batch have in common: tokens in, a loss a token out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol, Self

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from train.encoded import Encoded


class TokenNll(NamedTuple):
    """The negative log-likelihood of each supervised token of a forward pass.

    Attributes:
        nll_S: float32, in nats, with a gradient where gradients are on.
        weight_S: float32, how much each counts in the loss.
        owner_S: int64, place of its example in the batch.
    """

    nll_S: torch.Tensor
    weight_S: torch.Tensor
    owner_S: torch.Tensor


class TokenLogits(NamedTuple):
    """What a forward pass says at each place that carries loss.

    Attributes:
        logits_SV: Of each token of the vocabulary, or of each class.
        labels_S: The token that is right there, int64; in the padding's stead, nothing: such places are left out.
        weights_S: How much it counts in the loss.
        owner_S: Place of its example in the batch.
    """

    logits_SV: torch.Tensor
    labels_S: torch.Tensor
    weights_S: torch.Tensor
    owner_S: torch.Tensor

    def nll(self) -> TokenNll:
        """Return the negative log-likelihood of each label."""
        nll_S = functional.cross_entropy(self.logits_SV.float(), self.labels_S, reduction="none")
        return TokenNll(nll_S, self.weights_S, self.owner_S)


class MicroBatch(Protocol):
    """What one forward pass reads."""

    def to(self, device: torch.device) -> Self:
        """Return the same on a device."""
        ...

    def token_logits(self, model: PreTrainedModel) -> TokenLogits:
        """Return what the model says at the supervised places; a class that its head lacks is left out."""
        ...

    def token_nll(self, model: PreTrainedModel) -> TokenNll:
        """Return what the model makes of the supervised tokens."""
        ...


class Layout(Protocol):
    """How examples are laid out for a model, and why so."""

    @property
    def why(self) -> str:
        """A sentence for the log."""
        ...

    def micro_batches(
        self, encoded: Encoded, batch: Sequence[int], token_budget: int, together: int = 1
    ) -> Iterator[MicroBatch]:
        """Yield a batch as forward passes of at most `token_budget` tokens, or one unit where that alone is more.

        Args:
            encoded: The examples.
            batch: Places in `encoded`; `owner_S` counts in this list.
            token_budget: Most tokens at once, padding included.
            together: So many neighbours in `batch` stay in one forward pass: 2 for pairs.
        """
        ...


@contextmanager
def head_sees(model: PreTrainedModel, wanted_RT: torch.Tensor) -> Iterator[None]:
    """Let the output layer work on the wanted places alone: for short answers it is most of the work saved.

    The model's logits are then (1, number of wanted places, vocabulary). A hook, since models differ in what they do
    before and after their output layer (scaling, soft caps).
    """

    def select(_: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        hidden_RTH, *rest = args
        # Learnt places before the prompt make a row longer.
        hidden_RTH = hidden_RTH[:, hidden_RTH.shape[1] - wanted_RT.shape[1] :]
        return (hidden_RTH[wanted_RT].unsqueeze(0), *rest)

    handle = model.get_output_embeddings().register_forward_pre_hook(select)
    try:
        yield
    finally:
        handle.remove()
