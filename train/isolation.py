"""Proof, on the model at hand, that a token sees those before it in its own example and no others.

Models differ in how they make masks and count places. Some take no account of position ids (BLOOM, XGLM, BioGPT), some
layers know no mask (convolutions, state spaces), some models read in both directions (BERT). So nothing is taken on
trust: some examples are read packed, alone, and cut short, before the first step.
"""

from dataclasses import replace

import numpy as np
import torch
from transformers import PreTrainedModel

from schemas import ConfigError
from train.encoded import Encoded
from train.forward import Layout
from train.likelihood import example_nll
from train.model import Base
from train.pack import Packed

# What a layer may be so that nothing but attention goes from one token to another.
_APART = {"full_attention", "sliding_attention", "chunked_attention"}
N_READ = 6
# Nats a token: float32 stays under 1e-4; what is seen of a neighbour is a hundred times that.
TOLERANCE = {False: 1e-3, True: 5e-2}
"""By whether the forward pass is of bfloat16."""


def proved(base: Base, encoded: Encoded) -> Base:
    """Return a causal base with whether examples may be packed in it, found out on some of them.

    Raises:
        ConfigError: Layers carry a state from token to token, or a token sees those after it.
    """
    check_stateless(base.model)
    tolerance = TOLERANCE[base.model.dtype == torch.bfloat16]
    layout = Packed()
    if (ahead := ahead_of(base.model, layout, encoded)) > tolerance:
        raise ConfigError(
            f"a token of this model sees those after it: its answers change by {ahead:.3f} nats a token",
            where=f"[train] base, a model of type {base.model.config.model_type}",
            fix="take a causal base, or learn labels with it: family = 'classify'",
        )
    return replace(base, packs=leak_of(base.model, layout, encoded) <= tolerance)


def check_stateless(model: PreTrainedModel) -> None:
    """Return if nothing but attention goes from one token to another.

    Raises:
        ConfigError: Something else does.
    """
    kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or _APART) - _APART
    if kinds or getattr(model, "_is_stateful", False):
        raise ConfigError(
            f"layers of {type(model).__name__} carry a state from token to token "
            f"({', '.join(sorted(kinds)) or 'recurrent'}), so packed examples would see each other",
            where="[train] base",
            fix="take a base of attention alone, or method = 'prompt', which reads one example a row",
        )


def ahead_of(model: PreTrainedModel, layout: Layout, encoded: Encoded) -> float:
    """Return by how much the first half of a target changes, in nats a token, when the second half is taken away.

    Args:
        model: As it was loaded.
        layout: How it is read, one example at a time.
        encoded: The worst of some short examples counts; where no target has two tokens there is nothing to find.
    """
    n_target = encoded.lengths - encoded.n_prompt
    places = [place for place in np.argsort(encoded.lengths, kind="stable").tolist() if n_target[place] > 1]
    return max((_ahead(model, layout, _one(encoded, place)) for place in places[:N_READ]), default=0.0)


def _ahead(model: PreTrainedModel, layout: Layout, one: Encoded) -> float:
    n_prompt = int(one.n_prompt[0])
    kept = n_prompt + (len(one.ids) - n_prompt) // 2
    place = np.arange(len(one.ids))
    whole = replace(one, weights=((place >= n_prompt) & (place < kept)).astype(np.float32))
    cut = Encoded(one.ids[:kept], np.asarray([0, kept]), one.n_prompt, whole.weights[:kept], one.names)
    known, told = (example_nll(model, some, layout, token_budget=1)[0] for some in (cut, whole))
    return float(abs(known - told) / (kept - n_prompt))


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
