"""Attention within each example of a flat row: exact isolation, no padding, and no work on pairs that may not meet.

    one row of examples of 5, 3 and 7 tokens  ->  three causal attentions of 5x5, 3x3 and 7x7 instead of one of 15x15

The bounds come with the call, as they do for the kernels of flash attention (`cu_seq_lens_q`). There is no mask, so a
call without bounds is refused rather than answered as if the row were one text.
"""

from itertools import pairwise

import torch
from torch.nn import functional
from transformers import AttentionInterface

SEGMENTS = "tuneloop_segments"


def attend(
    _layer: torch.nn.Module,
    query_1HTD: torch.Tensor,
    key_1GTD: torch.Tensor,
    value_1GTD: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    cu_seq_lens_q: torch.Tensor | None = None,
    sliding_window: int | None = None,
    **others: object,
) -> tuple[torch.Tensor, None]:
    """Return what each token takes from the tokens before it in its own example, (1, T, H, D).

    Args:
        query_1HTD: H heads.
        key_1GTD: G groups of heads.
        value_1GTD: Likewise.
        attention_mask: None.
        dropout: Share of attention weights left out.
        scaling: Of the products; 1 / sqrt(D) if left out.
        cu_seq_lens_q: int32, the bounds of the examples: 0, 5, 8, 15.
        sliding_window: How far back a layer looks; examples must not be longer.
        others: What other kernels read; nothing here that would change the result.

    Raises:
        ValueError: There are no bounds, or the layer wants something that this does not do.
    """
    wanted = [name for name in ("softcap", "s_aux", "position_bias") if others.get(name) is not None]
    if cu_seq_lens_q is None or attention_mask is not None or wanted:
        raise ValueError(f"segments attend without mask and within bounds alone, not with {wanted or 'a mask'}")
    bounds = cu_seq_lens_q.tolist()
    sizes = [end - start for start, end in pairwise(bounds)]
    if sliding_window is not None and max(sizes) > sliding_window:
        raise ValueError(f"an example of {max(sizes)} tokens is longer than this layer looks back, {sliding_window}")
    grouped = query_1HTD.shape[1] != key_1GTD.shape[1]
    parts = [
        functional.scaled_dot_product_attention(
            query, key, value, dropout_p=dropout, is_causal=True, scale=scaling, enable_gqa=grouped
        )
        for query, key, value in zip(
            *(tensor.split(sizes, dim=2) for tensor in (query_1HTD, key_1GTD, value_1GTD)), strict=True
        )
    ]
    return torch.cat(parts, dim=2).transpose(1, 2), None


def register() -> None:
    """Make the name known to transformers; without a mask function beside it no mask is built."""
    AttentionInterface.register(SEGMENTS, attend)
