from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from tests.train.test_loop import PLAN
from train.dpo import Dpo
from train.encoded import Encoded
from train.likelihood import example_nll
from train.loop import _gradient, fit
from train.pack import Packed
from train.segment_attention import SEGMENTS, register

register()
# After 10 + n people want 20 + n, not 40 + n.
PAIRS = Encoded.of(
    [([1, 10 + n], [answer + n, 2]) for n in range(4) for answer in (20, 40)],
    [f"pair {n}, {side}" for n in range(4) for side in ("chosen", "rejected")],
)


def adapted(model):
    torch.manual_seed(3)
    return get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))


def dpo(model, pairs=PAIRS, layout=None, beta=0.5):
    return Dpo(model, pairs, pairs, layout or Packed(), beta=beta, token_budget=256)


def test_the_reference_itself_has_the_loss_of_a_coin(make_model):
    model = adapted(make_model())
    assert dpo(model).judge(model, 256) == pytest.approx(log(2), abs=1e-6)


def test_the_loss_is_that_of_the_formula(make_model):
    model = adapted(make_model())
    objective = dpo(model)
    reference = -example_nll(model, PAIRS, Packed(), token_budget=256)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    now = -example_nll(model, PAIRS, Packed(), token_budget=256)
    gained = now - reference
    losses = [log(1 + exp(-0.5 * (gained[2 * pair] - gained[2 * pair + 1]))) for pair in range(4)]
    assert np.std(losses) > 0.01
    assert objective.judge(model, 256) == pytest.approx(sum(losses) / 4, rel=1e-5)
    assert _gradient(model, objective, [2, 0], 256) == pytest.approx((losses[2] + losses[0]) / 2, rel=1e-5)


def test_a_reference_is_asked_with_the_adapter_off(make_model):
    model = adapted(make_model())
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    with model.disable_adapter():
        plain = -example_nll(model, PAIRS, Packed(), token_budget=256)
    assert dpo(model)._reference == pytest.approx(plain, rel=1e-5)
    assert dpo(model).judge(model, 256) != pytest.approx(log(2), abs=1e-3)


@pytest.mark.parametrize("budget", [8, 40, 256])
def test_both_answers_stand_in_one_pass_and_cuts_change_nothing(make_model, make_examples, budget):
    pairs = make_examples([(3, 2), (3, 7), (9, 9), (9, 1), (1, 1), (1, 4)])
    model = make_model()
    whole = dpo(model, pairs)
    for name, weight in model.named_parameters():
        weight.data += 0.01 if "norm" in name else 0.0
    for micro in whole.micro_batches([1, 2, 0], budget):
        owners = set(micro.micro.owner_RT.flatten().tolist()) - {-1}
        assert owners == {2 * pair + k for pair in {owner // 2 for owner in owners} for k in (0, 1)}
    _gradient(model, whole, [1, 2, 0], 4096)
    expected = torch.cat([weight.grad.flatten() for weight in model.parameters()])
    model.zero_grad()
    _gradient(model, whole, [1, 2, 0], budget)
    found = torch.cat([weight.grad.flatten() for weight in model.parameters()])
    assert expected.norm() > 0
    assert (found - expected).norm() <= 1e-5 * expected.norm()


def test_flat_rows_give_the_same_loss(make_model):
    model = make_model()
    rows = dpo(model)
    before = [weight.data.clone() for weight in model.parameters()]
    model.set_attn_implementation(SEGMENTS)
    flat = dpo(model, layout=Packed(flat=True))
    for weight, old in zip(model.parameters(), before, strict=True):
        weight.data = old * 1.01
    loss = flat.judge(model, 256)
    model.set_attn_implementation("sdpa")
    assert loss == pytest.approx(rows.judge(model, 256), rel=1e-5)
    assert loss != pytest.approx(log(2), abs=1e-4)


def test_what_people_prefer_becomes_likelier(make_model, tmp_path):
    model = adapted(make_model())
    objective = dpo(model)
    plan = replace(PLAN, steps=40, batch_size=4, evaluate_every=10)
    done = fit(model, objective, plan, tmp_path, lambda _: None)
    assert done.best_nll == objective.judge(model, 256) < 0.3
    likelihood = -example_nll(model, PAIRS, Packed(), token_budget=256)
    gained = likelihood - objective._reference
    assert (gained[0::2] > gained[1::2]).all()


def test_a_pair_is_named_without_its_side(make_model):
    objective = dpo(make_model())
    assert objective.names([3, 0]) == ["pair 3", "pair 0"]
    assert len(objective) == 4
    assert objective.n_tokens([1, 2]) == 16
    assert objective.total([1, 2]) == 2


def test_without_pairs_that_judge_there_is_no_judgement(make_model):
    model = make_model()
    objective = Dpo(model, PAIRS, Encoded.of([], []), Packed(), beta=0.1, token_budget=256)
    assert objective.judge(model, 256) is None
