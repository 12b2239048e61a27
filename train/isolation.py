"""Proof, on the model at hand, that packed examples do not see each other: each must be as likely as when read alone.

Models differ in how they make masks, and some layers (convolutions, state spaces) know none. So nothing is taken on
trust: some examples are read packed and alone before the first step.
"""

import numpy as np
from transformers import PreTrainedModel

from train.encoded import Encoded
from train.forward import Layout
from train.likelihood import example_nll

N_READ = 6
# Nats a token: float32 stays under 1e-4; what is seen of a neighbour is a hundred times that.
TOLERANCE = {False: 1e-3, True: 5e-2}
"""By whether the forward pass is of bfloat16."""


def leak_of(model: PreTrainedModel, layout: Layout, encoded: Encoded) -> float:
    """Return by how much the worst of some short examples changes, in nats a token, when neighbours are packed with it.

    Args:
        model: As it will be trained; nothing of it changes.
        layout: What is to be proved.
        encoded: The shortest examples of it are read; with fewer than two there is no neighbour, and the leak is 0.
    """
    places = np.argsort(encoded.lengths, kind="stable")[:N_READ]
    # What is not the shortest has room for a neighbour to show.
    some = Encoded.joined([_one(encoded, int(place)) for place in places])
    if len(some) < 2:
        return 0.0
    packed = example_nll(model, some, layout, token_budget=int(some.lengths.sum()))
    alone = example_nll(model, some, layout, token_budget=1, batch_size=1)
    return float((np.abs(packed - alone) / some.n_supervised).max())


def _one(encoded: Encoded, i: int) -> Encoded:
    start, end = encoded.starts[i], encoded.starts[i + 1]
    return Encoded(
        np.asarray(encoded.ids[start:end]),
        np.asarray([0, end - start]),
        encoded.n_prompt[i : i + 1],
        np.asarray(encoded.weights[start:end]),
        [encoded.names[i]],
    )
