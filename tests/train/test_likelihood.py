from math import log

import numpy as np
import pytest
import torch
from torch.nn import functional

from train.encoded import Encoded
from train.likelihood import example_nll, per_token
from train.pack import Packed
from train.segment_attention import SEGMENTS, register


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("token_budget", [8, 100, 4096])
def test_the_nll_of_an_example_is_its_own_whatever_the_batch(make_model, examples, token_budget, flat):
    model, layout = make_model(), Packed(flat=flat)
    if flat:
        register()
        model.set_attn_implementation(SEGMENTS)
    found = [example_nll(model, examples, layout, token_budget=token_budget, batch_size=size) for size in (1, 4, 32)]
    for one in found[1:]:
        assert one == pytest.approx(found[0], rel=1e-6)
        assert per_token(one, examples) == pytest.approx(per_token(found[0], examples), rel=1e-6)


def test_it_is_the_sum_of_each_target_in_the_order_of_the_examples(make_model, examples):
    model = make_model()
    found = example_nll(model, examples, Packed(), token_budget=4096)
    for i, value in enumerate(found):
        ids = torch.from_numpy(examples.example(i)).long()
        first = int(examples.n_prompt[i])
        with torch.no_grad():
            logits = model(input_ids=ids[None]).logits[0, first - 1 : -1]
        assert value == pytest.approx(functional.cross_entropy(logits, ids[first:], reduction="sum").item(), rel=1e-5)


def test_a_model_that_knows_nothing_finds_every_token_equally_unlikely(make_model, examples):
    model = make_model()
    torch.nn.init.zeros_(model.get_output_embeddings().weight)
    n_vocabulary = model.config.vocab_size
    expected = examples.n_supervised * log(n_vocabulary)
    assert example_nll(model, examples, Packed(), token_budget=64) == pytest.approx(expected, rel=1e-6)


def test_per_token_weighs_tokens_not_examples():
    encoded = Encoded.of([([1], [2]), ([1], [2, 3, 4])], ["a", "b"])
    assert per_token(np.array([8.0, 4.0]), encoded) == 3.0  # 12 nats over 4 tokens; the mean of means were 4.67


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_read_without_dropout_and_left_in_the_mode_it_was_in(make_model, examples, training):
    model = make_model().train(training)
    model.config.attention_dropout = 0.9
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.9
    one, other = (example_nll(model, examples, Packed(), token_budget=4096) for _ in range(2))
    assert one.tolist() == other.tolist()
    assert model.training is training
    assert all(weight.grad is None for weight in model.parameters())


def test_no_examples_have_no_nll(make_model):
    assert example_nll(make_model(), Encoded.of([], []), Packed(), token_budget=64).tolist() == []
