from math import log

import numpy as np
import pytest
import torch

from train.doubt import example_doubt
from train.likelihood import example_nll
from train.pack import Packed


def test_a_model_that_knows_nothing_contradicts_nothing(make_model, examples):
    model = make_model()
    torch.nn.init.zeros_(model.get_output_embeddings().weight)
    found = example_doubt(model, examples, Packed(), token_budget=64)
    assert found.doubt == pytest.approx(0, abs=1e-6)
    assert found.nll == pytest.approx(examples.n_supervised * log(model.config.vocab_size), rel=1e-6)


def test_the_nll_is_that_of_likelihood(make_model, examples):
    model = make_model()
    expected = example_nll(model, examples, Packed(), token_budget=4096)
    assert example_doubt(model, examples, Packed(), token_budget=4096).nll == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("token_budget", [8, 100, 4096])
def test_the_doubt_is_that_of_the_worst_token_whatever_the_batch(make_model, examples, token_budget):
    model = make_model()
    found = example_doubt(model, examples, Packed(), token_budget=token_budget)
    for i, value in enumerate(found.doubt):
        ids = torch.from_numpy(examples.example(i)).long()
        first = int(examples.n_prompt[i])
        with torch.no_grad():
            logits = model(input_ids=ids[None]).logits[0, first - 1 : -1]
        log_p = logits.log_softmax(-1)
        worst = max(
            (row.max().exp() * (row.max() - row[token])).item() for row, token in zip(log_p, ids[first:], strict=True)
        )
        assert value == pytest.approx(worst, rel=1e-4, abs=1e-6)


def test_a_sure_model_doubts_a_wrong_token_by_its_confidence_times_the_margin(make_model, examples):
    """Logits of 0 but 4 for token 7: p = e^4 / (e^4 + V - 1), and any other token is 4 nats less likely."""
    model = make_model()
    head = model.get_output_embeddings()
    torch.nn.init.zeros_(head.weight)
    head.bias = torch.nn.Parameter(torch.zeros(head.weight.shape[0]))
    with torch.no_grad():
        head.bias[7] = 4.0
    top = np.exp(4) / (np.exp(4) + model.config.vocab_size - 1)
    found = example_doubt(model, examples, Packed(), token_budget=4096).doubt
    only_sevens = [bool((examples.target(i) == 7).all()) for i in range(len(examples))]
    assert found == pytest.approx([0.0 if right else 4 * top for right in only_sevens], rel=1e-5)


@pytest.mark.parametrize("is_training", [True, False])
def test_a_model_is_left_in_its_mode(make_model, examples, is_training):
    model = make_model().train(is_training)
    example_doubt(model, examples, Packed(), token_budget=64)
    assert model.training is is_training


def test_only_the_places_named_are_read(make_model, examples):
    model = make_model()
    whole = example_doubt(model, examples, Packed(), token_budget=4096)
    some = example_doubt(model, examples, Packed(), token_budget=4096, places=np.array([2, 0]))
    assert some.nll[[0, 2]] == pytest.approx(whole.nll[[0, 2]], rel=1e-6)
    assert some.doubt[[0, 2]] == pytest.approx(whole.doubt[[0, 2]], rel=1e-4, abs=1e-6)
    assert not some.nll[1]
