from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model

from schemas import ConfigError
from train.loop import Plan, _gradient, fit
from train.objective import Sft
from train.pack import Packed
from train.precision import FP32, check_trains_in_fp32, checkpoint_activations, choose

CPU = torch.device("cpu")
PLAN = Plan(
    steps=20, batch_size=4, learning_rate=0.005, warmup=1, weight_decay=0.01, clip=1.0, token_budget=400,
    evaluate_every=10, seed=5,
)  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "bf16", "why"),
    [
        ("auto", False, "fp32, since there is no GPU"),
        ("fp32", False, "fp32, as the recipe says"),
        ("bf16", True, "bf16, as the recipe says; on a CPU that is seldom faster; what trains stays fp32"),
    ],
)
def test_what_is_chosen_on_a_cpu_is_said_with_its_reason(wanted, bf16, why):
    found = choose(wanted, CPU)
    assert (found.bf16, found.why) == (bf16, why)


def test_in_bf16_products_have_few_bits_and_what_trains_has_all(make_model, examples, tmp_path):
    seen, model = set(), make_model()
    model.model.layers[0].mlp.register_forward_hook(lambda _layer, _read, out: seen.add(out.dtype))
    plan = replace(PLAN, precision=choose("bf16", CPU))
    done = fit(model, Sft(examples, examples, Packed()), plan, tmp_path, lambda _: None)
    assert seen == {torch.bfloat16}
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert done.curve[-1].validation_nll < done.curve[0].train_loss


def test_a_gradient_in_bf16_is_that_of_fp32_but_for_rounding(make_model, examples):
    model, gradients = make_model(), []
    for numbers in (FP32, choose("bf16", CPU)):
        model.zero_grad()
        _gradient(model, Sft(examples, examples, Packed()), range(12), 4096, numbers)
        gradients.append(torch.cat([weight.grad.flatten() for weight in model.parameters()]))
    assert 1e-5 * gradients[0].norm() < (gradients[1] - gradients[0]).norm() < 0.05 * gradients[0].norm()


def test_what_trains_in_few_bits_is_a_bug(make_model):
    model = make_model()
    model.lm_head.to(torch.bfloat16)
    with pytest.raises(TypeError, match=r"lm_head.weight trains and is torch.bfloat16; it must be torch.float32"):
        check_trains_in_fp32(model)
    model.lm_head.requires_grad_(requires_grad=False)
    check_trains_in_fp32(model)  # what is frozen may have as few as it likes


@pytest.mark.parametrize("method", ["full", "lora"])
def test_activations_that_are_worked_out_again_give_the_same_gradient(make_model, examples, method):
    gradients = []
    for forgets in (False, True):
        model = make_model()
        if method == "lora":
            torch.manual_seed(3)
            config = LoraConfig(r=4, lora_dropout=0.2, target_modules="all-linear", init_lora_weights=False)
            model = get_peft_model(model, config)
        passes = []
        model.get_decoder().layers[0].mlp.register_forward_pre_hook(lambda *_, passes=passes: passes.append(1))
        if forgets:
            checkpoint_activations(model)
        model.train()
        torch.manual_seed(1)
        _gradient(model, Sft(examples, examples, Packed()), range(12), 100)
        gradients.append(torch.cat([w.grad.flatten() for w in model.parameters() if w.requires_grad]))
        n_passes = len(passes)
        assert n_passes == (2 if forgets else 1) * len(list(Packed().micro_batches(examples, range(12), 100)))
    assert gradients[0].norm() > 0
    assert torch.allclose(gradients[0], gradients[1], atol=1e-7)


def test_a_gpu_without_bf16_is_told_from_one_that_has_it(monkeypatch):
    gpu = torch.device("cuda")
    for has, auto in (
        (True, "bf16, since the GPU has it; what trains stays fp32"),
        (False, "fp32, since the GPU has no bf16"),
    ):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda has=has, **_: has)
        assert choose("auto", gpu).why == auto
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "An old GPU")
    with pytest.raises(ConfigError) as caught:
        choose("bf16", gpu)
    assert caught.value.what == "An old GPU has no bfloat16"
    assert caught.value.fix == "set precision = 'fp32'"
