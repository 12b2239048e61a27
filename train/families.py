"""Which shape a base has, and what follows from it: the class that loads it, and how its batches are laid out."""

import math
from typing import Any

from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from schemas import ConfigError
from schemas.method import Family, Method
from schemas.training import Train
from train.forward import Layout
from train.methods import METHODS, how_packed
from train.pack import Packed
from train.padded import PaddedCausal, PaddedClasses, PaddedPairs

# What loads a base of each family and puts its head on.
AUTO_CLASSES: dict[Family, Any] = {
    "causal": AutoModelForCausalLM,
    "seq2seq": AutoModelForSeq2SeqLM,
    "classify": AutoModelForSequenceClassification,
}


def family_of(settings: Train, config: PretrainedConfig) -> Family:
    """Return how a base is trained: as the recipe says, or as its config does.

    An encoder-decoder is seq2seq; a model that reads in both directions, or has a classification head already, is
    classify; all else is causal.

    Raises:
        ConfigError: The recipe names a family that a base of this shape cannot be.
    """
    found = _of_config(config)
    if settings.family in ("auto", found):
        return found
    # A decoder may carry a classification head; nothing else can change its shape.
    if settings.family == "classify" and found == "causal":
        return "classify"
    what = f"the base is {_SHAPES[found]} ({config.model_type}), and family = {settings.family!r} does not fit it"
    raise ConfigError(what, where=f"[train] family = {settings.family!r}", fix=f'set family = "auto" or "{found}"')


def is_packed(family: Family, method: Method, *, packs: bool = True) -> bool:
    """Return whether examples lie side by side, which must not change what any of them gives; `packs`: in this base."""
    return family == "causal" and METHODS[method].packs and packs


def layout_of(
    family: Family, method: Method, model: PreTrainedModel, n_train: int, *, flat: bool = False, packs: bool = True
) -> Layout:
    """Return how batches are laid out for a model.

    Args:
        family: Of the model.
        method: What trains.
        model: Its config knows what a decoder starts with, and how many classes there are.
        n_train: Train examples: a class that none of them has costs as much as one seen never among so many.
        flat: Whether packed examples lie in one row, for kernels that are told where each begins.
        packs: Whether packed examples would not see each other in this base.
    """
    why = how_packed(method, family)
    if family == "classify":
        return PaddedClasses(why, unseen_nll(n_train, len(model.config.id2label or ())))
    if family == "seq2seq":
        return PaddedPairs(why, int(model.config.decoder_start_token_id))
    if not packs and METHODS[method].packs:
        why = f"one padded example a row: packed examples would see each other in {model.config.model_type}"
    return Packed(flat) if is_packed(family, method, packs=packs) else PaddedCausal(why)


def unseen_nll(n_train: int, n_classes: int) -> float:
    """Return the nats that an answer costs which a classifier cannot give: add-one smoothing of the train counts."""
    return math.log(n_train + n_classes)


_SHAPES: dict[Family, str] = {
    "causal": "a decoder",
    "seq2seq": "an encoder-decoder",
    "classify": "an encoder",
}


def _of_config(config: PretrainedConfig) -> Family:
    if config.is_encoder_decoder:
        return "seq2seq"
    architectures = config.architectures or []
    if any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in architectures):
        return "causal"
    if any(name.endswith(("ForSequenceClassification", "ForMaskedLM")) for name in architectures):
        return "classify"
    return "classify" if config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES else "causal"
