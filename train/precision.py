"""Of how many bits numbers are: what trains is float32, the forward pass is what the recipe says and the device has."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from transformers import PreTrainedModel

from schemas import ConfigError


@dataclass(frozen=True)
class Precision:
    """Numbers of the forward pass.

    Attributes:
        bf16: Whether matrix products are of bfloat16; sums, norms and losses stay float32.
        why: A sentence for the log.
    """

    bf16: bool = False
    why: str = "fp32"

    def forward(self, device: torch.device) -> AbstractContextManager[object]:
        """Return what a forward pass must run in."""
        return torch.autocast(device.type, torch.bfloat16) if self.bf16 else nullcontext()


FP32 = Precision()


def choose(wanted: Literal["auto", "fp32", "bf16"], device: torch.device) -> Precision:
    """Return the numbers to work with, and why.

    Raises:
        ConfigError: The GPU has no bfloat16.
    """
    has = device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
    if wanted == "bf16" and not has:
        raise ConfigError(
            f"{torch.cuda.get_device_name(device)} has no bfloat16",
            where="[train] precision = 'bf16'",
            fix="set precision = 'fp32'",
        )
    if wanted == "fp32":
        return Precision(why="fp32, as the recipe says")
    if wanted == "bf16":
        slow = "; on a CPU that is seldom faster" if device.type == "cpu" else ""
        return Precision(bf16=True, why=f"bf16, as the recipe says{slow}; what trains stays fp32")
    if device.type == "cuda":
        return (
            Precision(bf16=True, why="bf16, since the GPU has it; what trains stays fp32")
            if has
            else Precision(why="fp32, since the GPU has no bf16")
        )
    return Precision(why="fp32, since there is no GPU")


def checkpoint_activations(model: PreTrainedModel) -> None:
    """Make a model forget activations in the forward pass and work them out again in the backward pass."""
    # The other kind (reentrant) finds no gradient where the input of a layer wants none, as beside an adapter.
    model.activation_checkpointing_enable({"use_reentrant": False})


def check_trains_in_fp32(model: torch.nn.Module) -> None:
    """Return if all that trains is float32: in fewer bits a small step rounds to none, and nobody is told.

    Raises:
        TypeError: A weight is not. A bug of ours, not of the user's.
    """
    for name, weight in model.named_parameters():
        if weight.requires_grad and weight.dtype != torch.float32:
            raise TypeError(f"{name} trains and is {weight.dtype}; it must be torch.float32")
