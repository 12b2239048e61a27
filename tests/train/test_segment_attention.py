import re

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen3Config, Qwen3ForCausalLM

from train.loop import _gradient
from train.objective import Sft
from train.pack import Packed
from train.segment_attention import SEGMENTS, attend, register

register()
SMALL = {
    "vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 128, "initializer_range": 0.2,
}  # fmt: skip


def gradient_of(model, examples, layout, attention, budget=4096):
    model.set_attn_implementation(attention)
    model.zero_grad()
    _gradient(model, Sft(examples, examples, layout), range(len(examples)), budget)
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.requires_grad])


@pytest.mark.parametrize("budget", [8, 100, 4096])
@pytest.mark.parametrize(
    ("kind", "config"),
    [(LlamaForCausalLM, LlamaConfig), (Qwen3ForCausalLM, Qwen3Config), (MistralForCausalLM, MistralConfig)],
)
def test_a_flat_row_gives_the_gradient_of_masked_rows(examples, kind, config, budget):
    torch.manual_seed(3)
    model = kind(config(**SMALL, head_dim=8)).train()
    rows = gradient_of(model, examples, Packed(), "sdpa", budget)
    flat = gradient_of(model, examples, Packed(flat=True), SEGMENTS, budget)
    assert rows.norm() > 0
    assert (flat - rows).norm() <= 1e-5 * rows.norm()


def test_adapters_see_the_same(make_model, examples):
    torch.manual_seed(3)
    model = get_peft_model(make_model(), LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    rows = gradient_of(model, examples, Packed(), "sdpa")
    flat = gradient_of(model, examples, Packed(flat=True), SEGMENTS)
    assert (flat - rows).norm() <= 1e-5 * rows.norm()


def test_each_segment_is_a_causal_attention_of_its_own():
    torch.manual_seed(1)
    query, key, value = torch.randn(3, 1, 2, 5, 4).unbind(0)
    out, _ = attend(torch.nn.Module(), query, key, value, None, cu_seq_lens_q=torch.tensor([0, 2, 5]))
    for start, end in ((0, 2), (2, 5)):
        parts = (one[:, :, start:end] for one in (query, key, value))
        alone = functional.scaled_dot_product_attention(*parts, is_causal=True)
        assert torch.equal(out[:, start:end], alone.transpose(1, 2))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "without mask and within bounds alone, not with a mask"),
        ({"cu_seq_lens_q": torch.tensor([0, 5]), "softcap": 30.0}, "not with ['softcap']"),
        (
            {"cu_seq_lens_q": torch.tensor([0, 5]), "sliding_window": 4},
            "an example of 5 tokens is longer than this layer",
        ),
    ],
)
def test_what_would_be_wrong_is_refused(options, said):
    query = torch.randn(1, 2, 5, 4)
    with pytest.raises(ValueError, match=re.escape(said)):
        attend(torch.nn.Module(), query, query, query, None, **options)


def test_a_window_as_wide_as_the_examples_changes_nothing():
    query = torch.randn(1, 2, 5, 4)
    bounds = torch.tensor([0, 5])
    one, other = (
        attend(torch.nn.Module(), query, query, query, None, cu_seq_lens_q=bounds, sliding_window=w)[0]
        for w in (None, 5)
    )
    assert torch.equal(one, other)
