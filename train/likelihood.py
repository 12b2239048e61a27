"""Negative log-likelihood of each example, the same whatever the batch."""

import numpy as np
import torch
from transformers import PreTrainedModel

from train.encoded import Encoded
from train.forward import Layout
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
    # Like lengths together waste nothing; the order of the result is the order of the examples.
    order = np.argsort(encoded.lengths, kind="stable")
    passes = (
        (start, micro)
        for start in range(0, len(order), batch_size)
        for micro in layout.micro_batches(encoded, order[start : start + batch_size].tolist(), token_budget)
    )
    for (start, micro), counts in processes.deal(passes):
        nll_S, _, owner_S = micro.to(model.device).token_nll(model)
        if counts:
            np.add.at(found, order[start + owner_S.cpu().numpy()], nll_S.double().cpu().numpy())
    model.train(was_training)
    return processes.add(found)


def per_token(nll: np.ndarray, encoded: Encoded) -> float:
    """Return nats a supervised token over all examples: sum by sum, no mean of means."""
    return float(nll.sum() / encoded.n_supervised.sum())
