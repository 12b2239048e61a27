"""One forward pass over packed rows, with logits only where there is a loss."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from train.pack import IGNORE_INDEX, MicroBatch


def token_nll(model: PreTrainedModel, batch: MicroBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the negative log-likelihood in nats of each supervised token, and the example each belongs to.

    Returns:
        nll_S: float32, one for each label, with a gradient where gradients are on.
        owner_S: int64, place of the example in the batch.
    """
    supervised_RT = batch.labels_RT != IGNORE_INDEX
    with _head_sees(model, supervised_RT):
        logits_1SV = model(
            input_ids=batch.input_ids_RT,
            position_ids=batch.position_ids_RT,
            use_cache=False,  # with a cache, transformers lets packed examples see each other
        ).logits
    labels_S = batch.labels_RT[supervised_RT]
    nll_S = functional.cross_entropy(logits_1SV[0].float(), labels_S, reduction="none")
    return nll_S, batch.owner_RT[supervised_RT]


@contextmanager
def _head_sees(model: PreTrainedModel, wanted_RT: torch.Tensor) -> Iterator[None]:
    """Let the output layer work on the wanted places alone: for short answers it is most of the work saved.

    A hook, since models differ in what they do before and after their output layer (scaling, soft caps).
    """

    def select(_: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        hidden_RTH, *rest = args
        return (hidden_RTH[wanted_RT].unsqueeze(0), *rest)

    handle = model.get_output_embeddings().register_forward_pre_hook(select)
    try:
        yield
    finally:
        handle.remove()
