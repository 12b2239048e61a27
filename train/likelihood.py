"""Negative log-likelihood of each example, the same whatever the batch."""

import numpy as np
import torch
from transformers import PreTrainedModel

from train.encoded import Encoded
from train.forward import Layout

EVAL_BATCH = 32


@torch.no_grad()
def example_nll(
    model: PreTrainedModel, encoded: Encoded, layout: Layout, *, token_budget: int, batch_size: int = EVAL_BATCH
) -> np.ndarray:
    """Return the summed negative log-likelihood of each example's supervised tokens, float64, in nats.

    Sums are taken in float64 and per example, so a mean over examples or tokens does not depend on batches. A token
    counts in full, whatever its weight in the loss.
    """
    found = np.zeros(len(encoded))
    was_training = model.training
    model.eval()
    # Like lengths together waste nothing; the order of the result is the order of the examples.
    order = np.argsort(encoded.lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size].tolist()
        for micro in layout.micro_batches(encoded, batch, token_budget):
            nll_S, _, owner_S = micro.to(model.device).token_nll(model)
            np.add.at(found, order[start + owner_S.cpu().numpy()], nll_S.double().cpu().numpy())
    model.train(was_training)
    return found


def per_token(nll: np.ndarray, encoded: Encoded) -> float:
    """Return nats a supervised token over all examples: sum by sum, no mean of means."""
    return float(nll.sum() / encoded.n_supervised.sum())
