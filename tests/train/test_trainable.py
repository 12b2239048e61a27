from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, CohereConfig, CohereForCausalLM

from schemas import ConfigError
from schemas.training import Train
from tests.train.shapes import write_base
from train.encoded import Encoded
from train.loop import _gradient
from train.methods import METHODS
from train.model import load_base
from train.objective import Sft
from train.pack import Packed
from train.padded import PaddedCausal
from train.trainable import prepare, without_length


@pytest.fixture
def make_base(tmp_path, base_folder):
    """Return a function that loads a base of a shape, and its settings."""

    def make(shape="llama", tied=None, labels=("no", "yes"), **changes):
        folder = write_base(shape, tmp_path / f"{shape}-{tied}", base_folder, tied=tied)
        settings = Train(base=str(folder), **changes)
        return load_base(settings, folder, labels=labels), settings

    return make


def training(model):
    return sorted(name for name, weight in model.named_parameters() if weight.requires_grad)


def test_the_head_alone_trains_and_is_untied_from_the_embeddings(make_base):
    base, settings = make_base(tied=True, method="head")
    before = base.model.get_input_embeddings().weight
    assert base.model.get_output_embeddings().weight is before
    model = prepare(base, settings)
    assert training(model) == ["lm_head.weight"]
    assert model.get_input_embeddings().weight is before
    assert torch.equal(model.get_output_embeddings().weight, before)


@pytest.mark.parametrize("shape", ["t5", "bart"])
def test_a_tied_encoder_decoder_comes_back_as_it_was_with_a_head_of_its_own(make_base, tmp_path, shape):
    base, settings = make_base(shape, tied=True, method="head")
    model = prepare(base, settings)
    with torch.no_grad():
        model.get_output_embeddings().weight.add_(0.1)
    model.save_pretrained(tmp_path / "out")
    again = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out", dtype=torch.float32)
    ids = {"input_ids": torch.tensor([[5, 6, 7]]), "decoder_input_ids": torch.tensor([[302, 8]])}
    assert torch.allclose(again.eval()(**ids).logits, model.eval()(**ids).logits, atol=1e-6)
    assert not torch.equal(again.get_output_embeddings().weight, again.get_input_embeddings().weight)


@pytest.mark.parametrize("shape", ["llama", "gpt2", "t5", "bart"])
def test_the_last_blocks_train_with_the_norm_after_them_and_the_head(make_base, shape):
    base, settings = make_base(shape, method="last-k", last_layers=1)
    names = training(prepare(base, settings))
    blocks = {"llama": "model.layers", "gpt2": "transformer.h", "t5": "decoder.block"}
    last = f"{blocks.get(shape, 'model.decoder.layers')}.1."
    norms = {"llama": "model.norm.weight"}
    others = [name for name in names if not name.startswith(last)]
    # BART normalises inside its blocks.
    expected = {"t5": ["decoder.final_layer_norm.weight"], "bart": []}.get(shape, [norms.get(shape)])
    if shape == "gpt2":
        expected = ["transformer.ln_f.bias", "transformer.ln_f.weight"]
    assert sorted(others) == sorted(["lm_head.weight", *expected])
    assert any(name.startswith(last) for name in names)


def test_more_blocks_than_there_are_is_an_error(make_base):
    base, settings = make_base(method="last-k", last_layers=3)
    with pytest.raises(ConfigError) as caught:
        prepare(base, settings)
    assert caught.value.what == "the base has 2 blocks"
    assert caught.value.where == "[train] last_layers = 3"
    assert 'or method = "full"' in caught.value.fix


def test_a_new_classification_head_and_a_new_pooler_train_under_every_method(make_base):
    for method in ("head", "lora", "ia3", "prompt"):
        base, settings = make_base("bert", method=method)
        assert base.made == ("bert.pooler.dense", "classifier")
        names = training(prepare(base, settings))
        assert any("pooler" in name for name in names), method
        assert any("classifier" in name for name in names), method


def test_the_scale_of_an_adapter_is_alpha_over_the_rank_or_its_root(make_base):
    for method, alpha, scale in (("lora", None, 1.0), ("lora", 8.0, 2.0), ("rslora", None, 2.0), ("rslora", 8.0, 4.0)):
        base, settings = make_base(method=method, rank=4, alpha=alpha)
        model = prepare(base, settings)
        layer = model.base_model.model.model.layers[0].self_attn.q_proj
        assert layer.scaling["default"] == scale


def test_under_dora_each_adapted_matrix_has_a_length_a_column_that_trains(make_base):
    lora, dora = (training(prepare(*make_base(method=method))) for method in ("lora", "dora"))
    assert len(dora) == len(lora) + len(lora) // 2  # beside A and B of each matrix
    assert all("lora_magnitude_vector" in name for name in set(dora) - set(lora))


@pytest.mark.parametrize(
    "method", [name for name, facts in METHODS.items() if not facts.needs_gpu and name != "prefix"]
)
def test_checkpointed_layers_give_the_same_gradient(make_base, make_examples, method):
    data = make_examples([(5, 4), (7, 3)])
    gradients = []
    for checkpointing in (False, True):
        base, settings = make_base(method=method, activation_checkpointing=checkpointing, virtual_tokens=3)
        model = prepare(base, settings)
        with torch.no_grad():  # what begins at zero would hide what stands behind it
            for name, weight in model.named_parameters():
                if "lora_B" in name or "gate" in name:
                    weight.fill_(0.1)
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        model.train()
        layout = Packed() if METHODS[method].packs else PaddedCausal("")
        _gradient(model, Sft(data, Encoded.of([], []), layout), [0, 1], 4096)
        gradients.append({name: it.grad for name, it in model.named_parameters() if it.requires_grad})
    assert all(one is not None and one.any() for one in gradients[0].values())
    for name, one in gradients[0].items():
        assert torch.allclose(one, gradients[1][name], rtol=1e-4, atol=1e-6), name


def test_what_trains_is_of_32_bits_beside_a_base_of_16(make_base):
    for method in ("lora", "dora", "ia3", "prompt", "prefix", "adapters"):
        base, settings = make_base(method=method)
        base.model.to(torch.bfloat16)
        model = prepare(base, settings)
        assert {weight.dtype for weight in model.parameters() if weight.requires_grad} == {torch.float32}, method


def test_learnt_keys_and_values_begin_near_zero_and_apart(make_base):
    base, settings = make_base(method="prefix", virtual_tokens=3)
    (weight,) = [it for it in prepare(base, settings).parameters() if it.requires_grad]
    assert weight.abs().max() < 0.1
    assert not torch.equal(weight[0], weight[1])


def test_a_base_that_a_method_cannot_enter_is_named(make_base):
    base, settings = make_base(method="ia3")
    small = {"vocab_size": 50, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    model = CohereForCausalLM(CohereConfig(**small, num_attention_heads=1))
    base = replace(base, model=model)
    with pytest.raises(ConfigError) as caught:
        prepare(base, settings)
    assert caught.value.what.startswith("peft cannot put ia3 into a base of type cohere: ")
    assert 'method = "lora"' in caught.value.fix


def test_a_tied_causal_head_comes_back_untied(make_base, tmp_path):
    base, settings = make_base(tied=True, method="head")
    model = prepare(base, settings)
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(2)
    model.save_pretrained(tmp_path / "out")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.float32)
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(again.eval()(ids).logits, model.eval()(ids).logits)


@pytest.mark.parametrize(("shape", "name"), [("llama", "q_proj"), ("gpt2", "c_fc")])
def test_dora_leaves_out_layers_with_a_row_of_zeros_whose_length_it_would_divide_by(make_base, shape, name):
    base, settings = make_base(shape, method="dora")
    places = [place for place in dict(base.model.named_modules()) if place.endswith(name)]
    weight = base.model.get_submodule(places[0]).weight
    with torch.no_grad():
        (weight[:, 3] if shape == "gpt2" else weight[3]).zero_()  # gpt2 holds its weights the other way round
    assert without_length(base.model) == places[:1]
    model = prepare(base, settings)
    assert torch.isfinite(model(input_ids=torch.tensor([[5, 6, 7]])).logits).all()
    trains = training(model)
    assert not any(f"{places[0]}." in one for one in trains)
    assert any(f"{places[1]}." in one for one in trains)
