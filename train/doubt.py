"""How firmly a model contradicts the answers it is shown: wrong answers stand out among those that are merely rare.

    "Capital of France?" -> "Lyon"        the model is sure of "Paris": 0.97 * (ln 0.97 - ln 0.001) = 6.7, doubtful
    "Write a greeting."  -> "Ahoy there"  it would have said one of a hundred things: 0.02 * (ln 0.02 - ln 0.001) = 0.06

The likelihood of an answer mixes two things: that it is wrong, and that there are many ways to be right. Only the first
makes a model sure of another token. So the doubt of an answer is, over its tokens, the largest

    p(top) * (ln p(top) - ln p(token))        nats, 0 where every token is the likeliest one

with the tokens before it given as they stand in the data. The factor is the confidence of the contradiction, the margin
its size (compare the area under the margin, Pleiss et al., 2020, and confident disagreement in confident learning,
Northcutt et al., 2021, which know single labels alone).
"""

from typing import NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel

from train.encoded import Encoded
from train.forward import Layout
from train.likelihood import passes


class Doubted(NamedTuple):
    """What a model makes of answers, one value an example, float64.

    Attributes:
        nll: Summed negative log-likelihood, nats.
        doubt: Firmest contradiction of one token, nats, 0 or more.
    """

    nll: np.ndarray
    doubt: np.ndarray


@torch.no_grad()
def example_doubt(
    model: PreTrainedModel,
    encoded: Encoded,
    layout: Layout,
    *,
    token_budget: int,
    places: np.ndarray | None = None,
) -> Doubted:
    """Return what a model makes of each example's answer, the same whatever the batch.

    A classifier's class that its head does not have has no doubt; of train rows it has all.

    Args:
        model: On its device; it is read without dropout and left in its mode.
        encoded: The examples.
        layout: How they are laid out for this model.
        token_budget: Most tokens read at once.
        places: Of the examples to read; left out, all. The others have 0.
    """
    found = Doubted(np.zeros(len(encoded)), np.zeros(len(encoded)))
    was_training = model.training
    model.eval()
    for batch, micro in passes(encoded, layout, token_budget, places=places):
        logits_SV, labels_S, _, owner_S = micro.to(model.device).token_logits(model)
        log_p_SV = logits_SV.float().log_softmax(-1)
        top_S = log_p_SV.amax(-1)
        label_S = log_p_SV.gather(-1, labels_S[:, None])[:, 0]
        place = batch[owner_S.cpu().numpy()]
        np.add.at(found.nll, place, -label_S.double().cpu().numpy())
        np.maximum.at(found.doubt, place, (top_S.exp() * (top_S - label_S)).double().cpu().numpy())
    model.train(was_training)
    return found
