"""Which attention kernels a run uses, and why.

All keep packed examples apart. Flash, varlen and segments are told where each example begins, in one flat row, and work
on nothing between examples; sdpa and eager have a mask, and work on whole rows.

    flash      the package flash-attn                         a GPU from Ampere on, bf16
    varlen     torch's own kernels, no package to build       likewise
    segments   torch's sdpa, example by example               anywhere; made for CPUs
    sdpa       torch's, with a mask                           anywhere
    eager      plain matrix products, with a mask             anywhere, slow; to compare with
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.utils.import_utils import is_flash_attn_2_available

from schemas import ConfigError
from train import segment_attention
from train.segment_attention import SEGMENTS

Kernels = Literal["flash", "varlen", "segments", "sdpa", "eager"]
VARLEN = "tuneloop_varlen"
NAMES: dict[Kernels, str] = {
    "flash": "flash_attention_2", "varlen": VARLEN, "segments": SEGMENTS, "sdpa": "sdpa", "eager": "eager"
}  # fmt: skip
# From Ampere on; older GPUs lack the instructions of both kernels.
_CAPABILITY = (8, 0)


@dataclass(frozen=True)
class Attention:
    """The kernels of a run.

    Attributes:
        kernels: Which.
        why: A sentence for the log.
    """

    kernels: Kernels
    why: str

    @property
    def flat(self) -> bool:
        """Whether a forward pass must be one row, with the places where examples begin."""
        return self.kernels in ("flash", "varlen", "segments")

    def use(self, model: PreTrainedModel) -> None:
        """Make a model work with them."""
        if self.kernels == "varlen":
            register(varlen_attn)
        elif self.kernels == "segments":
            segment_attention.register()
        if model.config._attn_implementation != NAMES[self.kernels]:
            model.set_attn_implementation(NAMES[self.kernels])


def choose(
    wanted: Kernels | Literal["auto"],
    model: PreTrainedModel,
    *,
    packed: bool,
    bf16: bool,
    longest: int,
    at: torch.device | None = None,
) -> Attention:
    """Return the kernels for a model on its device, and why these.

    Args:
        wanted: By the recipe.
        model: Says device, size of heads, and what it supports.
        packed: Whether examples are packed; one padded sequence a row needs a mask.
        bf16: Whether the forward pass is of bfloat16, which flash and varlen need.
        longest: Tokens of the longest example.
        at: Where the model will be; where it is, if left out.

    Raises:
        ConfigError: What the recipe names cannot be had here.
    """
    at = at or model.device
    if wanted == "eager":
        return Attention(wanted, "eager, as the recipe says")
    if wanted != "auto":
        if lack := _lacks(wanted, model, at, packed=packed, bf16=bf16, longest=longest):
            raise ConfigError(
                f"{wanted} attention cannot be had: {lack}",
                where=f"[train] attention = {wanted!r}",
                fix="leave `attention` out: the fastest that can be had is then chosen",
            )
        return Attention(wanted, f"{wanted}, as the recipe says")
    lacks = {
        kernels: _lacks(kernels, model, at, packed=packed, bf16=bf16, longest=longest)
        for kernels in ("flash", "varlen", "segments")
    }
    if not lacks["flash"]:
        return Attention("flash", "flash: no work between packed examples")
    if not lacks["varlen"]:
        return Attention("varlen", f"torch's varlen: no work between packed examples ({lacks['flash']})")
    if at.type == "cpu" and not lacks["segments"]:
        return Attention("segments", "segments: no work between packed examples, and there is no GPU")
    why = lacks["varlen" if at.type == "cuda" else "segments"]
    if lack := _lacks("sdpa", model, at, packed=packed, bf16=bf16, longest=longest):
        return Attention("eager", f"eager with a mask: {why}, and sdpa neither: {lack}")
    return Attention("sdpa", f"sdpa with a mask: {why}")


def register(kernel: Callable[..., object]) -> None:
    """Make a kernel with the arguments of torch's `varlen_attn` known to transformers as VARLEN."""

    def attend(
        _layer: torch.nn.Module,
        query_1HTD: torch.Tensor,
        key_1GTD: torch.Tensor,
        value_1GTD: torch.Tensor,
        attention_mask: torch.Tensor | None,
        dropout: float = 0.0,
        scaling: float | None = None,
        cu_seq_lens_q: torch.Tensor | None = None,
        max_length_q: int | None = None,
        sliding_window: int | None = None,
        **others: object,
    ) -> tuple[torch.Tensor, None]:
        wanted = [name for name in ("softcap", "s_aux", "position_bias") if others.get(name) is not None]
        if cu_seq_lens_q is None or attention_mask is not None or wanted or dropout:
            raise ValueError(f"varlen attends within bounds alone, not with {wanted or 'a mask or dropout'}")
        numbers = torch.bfloat16 if query_1HTD.dtype == torch.float32 else query_1HTD.dtype
        said_THD = kernel(
            *(one[0].transpose(0, 1).to(numbers) for one in (query_1HTD, key_1GTD, value_1GTD)),
            cu_seq_lens_q,
            cu_seq_lens_q,
            max_length_q,
            max_length_q,
            scale=scaling,
            # A token sees itself and those before it: all of its example, or as far as the layer looks back.
            window_size=((sliding_window or 0) - 1, 0),
            enable_gqa=query_1HTD.shape[1] != key_1GTD.shape[1],
        )
        assert isinstance(said_THD, torch.Tensor)
        return said_THD.to(query_1HTD.dtype).unsqueeze(0), None

    AttentionInterface.register(VARLEN, attend)
    AttentionMaskInterface.register(VARLEN, _no_mask)


def _no_mask(*_: object, **__: object) -> None:
    """Return no mask: the kernel is told where examples begin."""


def _lacks(
    kernels: Kernels, model: PreTrainedModel, at: torch.device, *, packed: bool, bf16: bool, longest: int
) -> str | None:
    """Return what is missing for kernels other than eager; None: nothing."""
    kind, config = type(model).__name__, model.config.get_text_config()
    if kernels == "sdpa":
        return None if model._supports_sdpa else f"{kind} does more in attention than it can"
    if not packed:
        return "examples are not packed"
    window = getattr(config, "sliding_window", None)
    if kernels == "segments" and window and longest > window:
        return f"an example of {longest:,} tokens is longer than {kind} looks back, {window:,}"
    if kernels != "flash":
        if not model._supports_attention_backend:
            return f"{kind} takes no kernels of others"
        if getattr(config, "attn_logit_softcapping", None) or any(
            "sinks" in name for name, _ in model.named_parameters()
        ):
            return f"{kind} does more in attention than it can"
    return None if kernels == "segments" else _lacks_on_gpu(kernels, model, at, bf16=bf16)


def _lacks_on_gpu(kernels: Kernels, model: PreTrainedModel, at: torch.device, *, bf16: bool) -> str | None:
    kind, config = type(model).__name__, model.config.get_text_config()
    if at.type != "cuda":
        return "it runs on a GPU"
    if torch.cuda.get_device_capability(at) < _CAPABILITY:
        return f"{torch.cuda.get_device_name(at)} is older than Ampere"
    if not bf16:
        return "it works in bf16, and the forward pass is fp32"
    heads = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    if heads > 256:
        return f"heads of {heads} numbers are more than 256"
    if kernels == "varlen":
        return f"{kind} has dropout in attention" if getattr(config, "attention_dropout", 0) else None
    if not is_flash_attn_2_available():
        return "the package flash-attn is not installed"
    return None if model._supports_flash_attn else f"{kind} does not work with it"
