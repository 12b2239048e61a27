import ast

import pytest
from peft import LoraConfig, PromptTuningConfig

from schemas.training import Train
from train import loop
from train.trl_script import trl_script

HOW = loop.Plan(
    steps=40, batch_size=12, learning_rate=2e-4, warmup=2, weight_decay=0.01, clip=1.0, token_budget=1000,
    evaluate_every=5, seed=1,
)  # fmt: skip
MODULES = ["model.layers.0.q_proj", "model.layers.0.up_proj", "model.layers.1.q_proj", "model.layers.1.up_proj"]


def script(settings=None, adapter=None, longest=100, trained=(), weighted=False):
    text = trl_script(
        settings or Train(token_budget=1000), HOW, run="key", source="org/base", tokenizer="adapter", adapter=adapter,
        modules=MODULES, trained=trained, longest=longest, weighted=weighted,
    )  # fmt: skip
    return text, calls(ast.parse(text))


def calls(tree):
    """Return the keyword arguments of every call, by name of what is called."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            for word in node.keywords:
                try:
                    found[name, word.arg] = ast.literal_eval(word.value)
                except ValueError:
                    found[name, word.arg] = ast.unparse(word.value)
    return found


def test_a_batch_is_cut_evenly_into_passes_that_fit_the_budget():
    # 1000 tokens hold 10 examples of 100; of the divisors of 12, 6 fits.
    _, said = script()
    assert (said["SFTConfig", "per_device_train_batch_size"], said["SFTConfig", "gradient_accumulation_steps"]) == (
        6,
        2,
    )
    _, said = script(longest=5000)
    assert (said["SFTConfig", "per_device_train_batch_size"], said["SFTConfig", "gradient_accumulation_steps"]) == (
        1,
        12,
    )


@pytest.mark.parametrize(
    ("schedule", "name", "kwargs"),
    [
        ("cosine", "cosine_warmup_with_min_lr", {"min_lr_rate": 0.1}),
        ("linear", "polynomial", {"lr_end": 2e-5, "power": 1.0}),
        ("constant", "constant_with_warmup", {}),
    ],
)
def test_the_rate_falls_as_ours_does(schedule, name, kwargs):
    _, said = script(Train(schedule=schedule))
    assert said["SFTConfig", "lr_scheduler_type"] == name
    assert said["SFTConfig", "lr_scheduler_kwargs"] == pytest.approx(kwargs)
    assert (said["SFTConfig", "learning_rate"], said["SFTConfig", "warmup_steps"]) == (2e-4, 2)


def test_the_adapter_is_written_with_what_is_not_pefts_default():
    config = LoraConfig(r=4, lora_alpha=16, target_modules=set(MODULES), task_type="CAUSAL_LM", use_dora=True)
    _, said = script(adapter=config)
    assert {name: value for (call, name), value in said.items() if call == "LoraConfig"} == {
        "r": 4, "lora_alpha": 16, "target_modules": ["q_proj", "up_proj"], "task_type": "CAUSAL_LM", "use_dora": True,
    }  # fmt: skip
    # Only the last layer: the last part of the name would mean other modules too.
    _, said = script(adapter=LoraConfig(target_modules={"model.layers.1.q_proj"}))
    assert said["LoraConfig", "target_modules"] == ["model.layers.1.q_proj"]
    _, said = script(adapter=PromptTuningConfig(num_virtual_tokens=7, task_type="CAUSAL_LM"))
    assert said["PromptTuningConfig", "num_virtual_tokens"] == 7


def test_weights_that_train_are_named_where_only_some_do():
    text, _ = script(Train(method="head"), trained=["lm_head.weight", "norm.weight"])
    assert '"lm_head.weight",\n        "norm.weight",' in text
    assert "requires_grad_(name in trained)" in text
    assert "requires_grad_" not in script(Train(method="full"))[0]


def test_four_bits_patience_and_the_base_are_as_in_the_recipe():
    text, said = script(Train(method="qlora-4bit", patience=3, revision="abc", trust_remote_code=True), LoraConfig())
    assert said["BitsAndBytesConfig", "load_in_4bit"] is True
    assert "EarlyStoppingCallback(3)" in text
    assert 'BASE, REVISION = "org/base", "abc"' in text
    assert said["from_pretrained", "trust_remote_code"] is True


def test_what_trl_cannot_do_is_said():
    settings = Train(task_weights={"translate": 2}, replay_share=0.1)
    assert script(settings, weighted=True)[0].count("Left out:") == 3
    assert "Left out:" not in script()[0]
