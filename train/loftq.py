"""LoftQ: a base rounded to four bits, and adapters that begin at what makes up best for the rounding.

    W  ->  Q + B A     Q the nearest NF4 numbers, B A the best approximation of W - Q of the adapter's rank

The rounding is worked out in plain torch, block by block as bitsandbytes does it, so it needs no GPU; the rounded
weights are held as ordinary numbers, so it saves no memory here. It is done once (the paper goes on in turns): then Q
depends on W alone, and the adapter fits any NF4 copy of the base. It fits no other.
"""

from typing import cast

import torch
from peft.tuners.lora import Linear
from torch import nn

BLOCK = 64
# The sixteen numbers of NF4: quantiles of the normal distribution, scaled to -1 to 1 (QLoRA, appendix E).
NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip


def nf4(weight: torch.Tensor) -> torch.Tensor:
    """Return a matrix with each number replaced by the nearest of 16 times the largest of its block of 64.

    Blocks run along the rows; the last one may be shorter.
    """
    flat = weight.detach().float().flatten()
    short = -len(flat) % BLOCK
    blocks_NB = nn.functional.pad(flat, (0, short)).reshape(-1, BLOCK)
    scale_N1 = blocks_NB.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
    table_K = torch.tensor(NF4, device=flat.device)
    # Between two numbers of the table the nearer one counts: the border is their middle.
    borders = (table_K[1:] + table_K[:-1]) / 2
    rounded_NB = table_K[torch.bucketize((blocks_NB / scale_N1).contiguous(), borders)] * scale_N1
    return rounded_NB.flatten()[: len(flat)].reshape(weight.shape).to(weight.dtype)


@torch.no_grad()
def begin_at_residual(adapted: nn.Module) -> None:
    """Round the weights beside each adapter, and let the adapter begin at what makes up for it."""
    for layer in _layers(adapted):
        beside = _beside(layer)
        exact = beside.float().clone()
        beside.copy_(nf4(beside))
        rest = exact - beside.float()
        rest = rest.T if layer.fan_in_fan_out else rest
        u, s, v = torch.linalg.svd(rest, full_matrices=False)
        down, up = (cast("torch.Tensor", half["default"].weight) for half in (layer.lora_A, layer.lora_B))
        n = min(len(down), len(s))
        root = (s[:n] / layer.scaling["default"]).sqrt()
        for weight in (down, up):
            weight.zero_()  # a rank above that of the matrix has nothing more to make up for
        down[:n] = root[:, None] * v[:n]
        up[:, :n] = u[:, :n] * root


@torch.no_grad()
def round_again(adapted: nn.Module) -> None:
    """Round the weights beside each adapter that was loaded onto the base as it came."""
    for layer in _layers(adapted):
        beside = _beside(layer)
        beside.copy_(nf4(beside))


def _beside(layer: Linear) -> torch.Tensor:
    return cast("torch.Tensor", layer.get_base_layer().weight)


def _layers(adapted: nn.Module) -> list[Linear]:
    return [part for part in adapted.modules() if isinstance(part, Linear)]
