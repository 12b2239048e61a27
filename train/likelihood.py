"""Negative log-likelihood of each example, the same whatever the batch."""

from collections.abc import Iterator

import numpy as np
import torch
from transformers import PreTrainedModel

from train.encoded import Encoded
from train.forward import Layout, MicroBatch
from train.processes import ALONE, Processes

EVAL_BATCH = 32


@torch.no_grad()
def example_nll(
    model: PreTrainedModel,
    encoded: Encoded,
    layout: Layout,
    *,
    token_budget: int,
    batch_size: int = EVAL_BATCH,
    processes: Processes = ALONE,
) -> np.ndarray:
    """Return the summed negative log-likelihood of each example's supervised tokens, float64, in nats.

    Sums are taken in float64 and per example, so a mean over examples or tokens does not depend on batches, nor on
    how many processes share the work. A token counts in full, whatever its weight in the loss.
    """
    found = np.zeros(len(encoded))
    was_training = model.training
    model.eval()
    for (batch, micro), counts in processes.deal(passes(encoded, layout, token_budget, batch_size)):
        nll_S, _, owner_S = micro.to(model.device).token_nll(model)
        if counts:
            np.add.at(found, batch[owner_S.cpu().numpy()], nll_S.double().cpu().numpy())
    model.train(was_training)
    return processes.add(found)


def passes(
    encoded: Encoded,
    layout: Layout,
    token_budget: int,
    batch_size: int = EVAL_BATCH,
    places: np.ndarray | None = None,
) -> Iterator[tuple[np.ndarray, MicroBatch]]:
    """Yield examples (all, or those at some places) as forward passes, each with its batch, in which owners count.

    Like lengths go together, which wastes nothing.
    """
    some = np.arange(len(encoded)) if places is None else places
    order = some[np.argsort(encoded.lengths[some], kind="stable")]
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        for micro in layout.micro_batches(encoded, batch.tolist(), token_budget):
            yield batch, micro


def per_token(nll: np.ndarray, encoded: Encoded) -> float:
    """Return nats a supervised token over all examples: sum by sum, no mean of means."""
    return float(nll.sum() / encoded.n_supervised.sum())
