"""The kernels themselves run on a GPU; here a plain one stands in their place, with the arguments of torch's."""

import inspect
import re

import pytest
import torch
from torch.nn.attention.varlen import varlen_attn
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from schemas import ConfigError
from train import attention
from train.attention import VARLEN, choose, register
from train.isolation import TOLERANCE, leak_of
from train.loop import _gradient
from train.objective import Sft
from train.pack import Packed

SMALL = {
    "vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 128, "initializer_range": 0.2, "head_dim": 8,
}  # fmt: skip


def plain_varlen(
    query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None, window_size=(-1, -1), enable_gqa=False
):
    """Attend example by example with explicit products: what torch documents of `varlen_attn`, and no more."""
    assert query.dtype == key.dtype == value.dtype == torch.bfloat16  # the kernels know no float32
    assert cu_seq_q.dtype == torch.int32
    assert max_q == max(b - a for a, b in zip(cu_seq_q.tolist(), cu_seq_q.tolist()[1:], strict=False))
    group = query.shape[1] // key.shape[1]
    assert enable_gqa == (group > 1)
    query, key, value = query.float(), *(one.float().repeat_interleave(group, dim=1) for one in (key, value))
    left, right = window_size
    found = []
    for start, end in zip(cu_seq_q.tolist(), cu_seq_q.tolist()[1:], strict=False):
        q, k, v = (one[start:end].transpose(0, 1) for one in (query, key, value))
        scores = q @ k.transpose(1, 2) * scale
        i, j = torch.arange(end - start)[:, None], torch.arange(end - start)[None, :]
        seen = (j - i <= right) & ((i - j <= left) | (left < 0))
        found.append((scores.masked_fill(~seen, -torch.inf).softmax(-1) @ v).transpose(0, 1))
    return torch.cat(found)


def gradient_of(model, examples, layout, kernels, budget=4096):
    model.set_attn_implementation(kernels)
    model.zero_grad()
    _gradient(model, Sft(examples, examples, layout), range(len(examples)), budget)
    return torch.cat([weight.grad.flatten() for weight in model.parameters()])


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (LlamaForCausalLM, LlamaConfig(**SMALL)),
        (LlamaForCausalLM, LlamaConfig(**SMALL | {"num_key_value_heads": 4})),
        (MistralForCausalLM, MistralConfig(**SMALL, sliding_window=6)),  # examples are up to 50 tokens long
    ],
)
def test_a_kernel_of_the_kind_of_varlen_gives_the_gradient_of_masked_rows(examples, kind, config):
    torch.manual_seed(3)
    model = kind(config).train()
    register(plain_varlen)
    rows = gradient_of(model, examples, Packed(), "sdpa")
    flat = gradient_of(model, examples, Packed(flat=True), VARLEN, budget=100)
    # It is handed bfloat16, which has 8 bits: far from what another mask or window would make.
    assert (flat - rows).norm() <= 0.03 * rows.norm()


def test_varlen_of_torch_takes_what_it_is_given():
    ours, torchs = (inspect.signature(one).parameters for one in (plain_varlen, varlen_attn))
    assert set(ours) <= set(torchs)
    assert list(torchs)[:7] == list(ours)[:7]


@pytest.mark.parametrize(
    "options", [{}, {"dropout": 0.1}, {"softcap": 30.0}, {"s_aux": torch.ones(2)}, {"attention_mask": torch.ones(1, 5)}]
)
def test_varlen_refuses_what_it_would_do_wrong(make_model, options):
    register(plain_varlen)
    query = torch.randn(1, 2, 5, 4)
    bounds = {"cu_seq_lens_q": torch.tensor([0, 5], dtype=torch.int32), "max_length_q": 5} if options else {}
    with pytest.raises(ValueError, match="varlen attends within bounds alone, not with"):
        attention.AttentionInterface()[VARLEN](
            torch.nn.Module(), query, query, query, **{"attention_mask": None} | bounds | options
        )


def test_on_a_cpu_segments_are_chosen_and_the_reason_is_said(make_model):
    found = choose("auto", make_model(), packed=True, bf16=False, longest=50)
    assert (found.kernels, found.flat) == ("segments", True)
    assert found.why == "segments: no work between packed examples, and there is no GPU"


@pytest.mark.parametrize(
    ("model", "packed", "why"),
    [
        (LlamaForCausalLM(LlamaConfig(**SMALL)), False, "examples are not packed"),
        (MistralForCausalLM(MistralConfig(**SMALL, sliding_window=6)), True, "an example of 50 tokens is longer than MistralForCausalLM looks back, 6"),
    ],
)  # fmt: skip
def test_where_segments_would_be_wrong_there_is_a_mask(model, packed, why):
    found = choose("auto", model, packed=packed, bf16=False, longest=50)
    assert (found.kernels, found.flat, found.why) == ("sdpa", False, f"sdpa with a mask: {why}")


@pytest.mark.parametrize("wanted", ["flash", "varlen"])
def test_a_kernel_of_a_gpu_is_refused_on_a_cpu(make_model, wanted):
    with pytest.raises(ConfigError) as caught:
        choose(wanted, make_model(), packed=True, bf16=True, longest=50)
    assert caught.value.what == f"{wanted} attention cannot be had: it runs on a GPU"
    assert caught.value.where == f"[train] attention = '{wanted}'"
    assert "leave `attention` out" in caught.value.fix


@pytest.mark.parametrize("wanted", ["sdpa", "eager", "segments"])
def test_what_the_recipe_names_and_can_be_had_is_taken(make_model, examples, wanted):
    model = make_model()
    found = choose(wanted, model, packed=True, bf16=False, longest=50)
    assert found.why == f"{wanted}, as the recipe says"
    found.use(model)
    assert re.search(wanted, model.config._attn_implementation)
    here = gradient_of(model, examples, Packed(flat=found.flat), model.config._attn_implementation)
    assert torch.allclose(here, gradient_of(model, examples, Packed(), "sdpa"), atol=1e-5)


def test_where_sdpa_cannot_do_what_a_model_does_eager_does_it(examples):
    torch.manual_seed(3)
    model = Gemma2ForCausalLM(Gemma2Config(**SMALL))
    found = choose("auto", model, packed=True, bf16=False, longest=50)
    assert found.kernels == "eager"
    assert found.why.startswith("eager with a mask: Gemma2ForCausalLM does more in attention than it can")
    found.use(model)
    assert leak_of(model, Packed(flat=found.flat), examples) < TOLERANCE[False] / 10
    with pytest.raises(ConfigError) as caught:
        choose("sdpa", model, packed=True, bf16=False, longest=50)
    assert caught.value.what == "sdpa attention cannot be had: Gemma2ForCausalLM does more in attention than it can"
