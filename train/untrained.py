"""Control tokens that the data use and the base never learnt.

A base that is no chat model has the tokens of a chat template in its vocabulary, as a rule, but nothing has ever moved
their embeddings: they are still what they were made as, all alike or next to nothing. An adapter beside the layers
cannot mend that, and the model would never be sure where a turn ends.
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from schemas import ConfigError
from schemas.training import Train
from train.encoded import Encoded
from train.methods import METHODS

# Of the median length of all embeddings. A learnt token's is never so short; one that weight decay alone has moved is.
SHORT = 0.1


def untrained_tokens(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, sides: Sequence[Encoded]
) -> tuple[int, ...]:
    """Return the control tokens in the data whose embedding, of the input or the output, was never learnt.

    An embedding counts as such if it is shorter than `SHORT` times the median of all, or equal to another one to the
    bit: what is learnt differs.
    """
    added = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
    used = sorted(added & _used(sides))
    tables = [cast("torch.Tensor", model.get_input_embeddings().weight)]
    head: Any = model.get_output_embeddings()
    if head is not None and head.weight is not tables[0]:
        tables.append(head.weight)
    return tuple(token for token in used if any(_never_learnt(table, token) for table in tables))


def check_untrained(settings: Train, names: Sequence[str]) -> str:
    """Return what is to be said of tokens the base never learnt.

    Raises:
        ConfigError: The method cannot train them.
    """
    listed = ", ".join(names)
    kind = METHODS[settings.method].kind
    if settings.method == "full":
        return f"{listed}: embeddings the base never learnt; full trains them with all else"
    if kind == "lora":
        return f"{listed}: embeddings the base never learnt; they train beside the adapter"
    raise ConfigError(
        f"the base never learnt the embedding of {listed}, which the chat template writes",
        where=f"[train] method = {settings.method!r}",
        fix='set method = "lora" or "full", which train it; or take the chat version of this base, or a chat_template '
        "whose tokens it knows",
    )


def _used(sides: Sequence[Encoded]) -> set[int]:
    found: set[int] = set()
    for side in sides:
        found.update(np.unique(side.ids).tolist())
    return found


def _never_learnt(table_VH: torch.Tensor, token: int) -> bool:
    lengths_V = table_VH.detach().float().norm(dim=1)
    if float(lengths_V[token]) < SHORT * float(lengths_V.median()):
        return True
    # Only rows of the same length can be equal; comparing all would take the memory of the table again.
    alike_N = (lengths_V == lengths_V[token]).nonzero()[:, 0]
    equal = (table_VH[alike_N] == table_VH[token]).all(dim=1)
    return int(equal.sum()) > 1
