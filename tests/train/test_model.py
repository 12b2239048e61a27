import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from schemas import ConfigError, SnapshotError
from schemas.training import Encode
from train.model import DEFAULT, count, load_base, save_model, write_folder
from train.trainable import prepare

IDS = torch.tensor([[1, 5, 9, 30, 77]])


@pytest.fixture
def folder(base_folder, tmp_path):
    """Return a copy of the base that a test may spoil."""
    return shutil.copytree(base_folder, tmp_path / "models" / "mine")


def refused(settings, source, encode=DEFAULT):
    with pytest.raises(ConfigError) as caught:
        load_base(settings, source, encode)
    return caught.value


def logits(model):
    with torch.no_grad():
        return model.eval()(input_ids=IDS).logits


def test_a_folder_is_loaded_as_it_is_and_nothing_of_it_wants_a_gradient(make_model, train_settings, base_folder):
    base = load_base(train_settings(), base_folder)
    assert torch.equal(logits(base.model), logits(make_model()))
    assert base.name == str(base_folder)
    assert base.context == 128
    assert base.tokenizer.chat_template is not None
    assert count(base.model) == (sum(weight.numel() for weight in make_model().parameters()), 0)


def test_weights_that_train_are_of_32_bits_whatever_the_file_holds(make_model, train_settings, folder):
    make_model().to(torch.bfloat16).save_pretrained(folder)
    assert {weight.dtype for weight in load_base(train_settings(), folder).model.parameters()} == {torch.float32}


def test_full_trains_every_weight(train_settings, base_folder):
    settings = train_settings(method="full")
    n, n_trainable = count(prepare(load_base(settings, base_folder), settings))
    assert n == n_trainable > 0


def test_lora_trains_its_adapters_and_nothing_else(train_settings, base_folder):
    settings = train_settings(rank=3, dropout=0.25)
    base = load_base(settings, base_folder)
    before = logits(base.model)
    model = prepare(base, settings)
    assert all(("lora_" in name) == weight.requires_grad for name, weight in model.named_parameters())
    # A layer: q, k, v, o of 32 x 32, gate and up of 32 x 64, down of 64 x 32; an adapter has rank * (in + out).
    assert count(model)[1] == 2 * 3 * (4 * (32 + 32) + 3 * (32 + 64))
    assert torch.equal(logits(model), before)  # B is 0 at first
    assert model.peft_config["default"].lora_dropout == 0.25


def test_an_adapter_begins_the_same_whatever_was_drawn_before(train_settings, base_folder):
    settings = train_settings(seed=4)
    starts = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        model = prepare(load_base(settings, base_folder), settings)
        starts.append([weight.detach().clone() for weight in model.parameters() if weight.requires_grad])
    other = prepare(load_base(settings, base_folder), train_settings(seed=5))
    assert all(torch.equal(one, two) for one, two in zip(*starts, strict=True))
    others = [weight for weight in other.parameters() if weight.requires_grad]
    assert not all(torch.equal(one, two) for one, two in zip(starts[0], others, strict=True))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_what_is_saved_answers_as_it_did(train_settings, base_folder, tmp_path, method):
    settings = train_settings(method=method)
    base = load_base(settings, base_folder)
    model = prepare(base, settings)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.1)
    save_model(model, base.tokenizer, stop=base.tokenizer.pad_token_id, folder=tmp_path)
    if method == "full":
        again = AutoModelForCausalLM.from_pretrained(tmp_path, use_safetensors=True)
    else:
        again = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base_folder), str(tmp_path))
    assert torch.equal(logits(again), logits(model))
    assert not torch.equal(logits(again), logits(load_base(settings, base_folder).model))
    assert not list(tmp_path.glob("*.bin"))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.chat_template == base.tokenizer.chat_template
    assert tokenizer("Who?")["input_ids"] == base.tokenizer("Who?")["input_ids"]


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_saved_model_stops_at_the_token_that_ends_an_answer(train_settings, base_folder, tmp_path, method):
    settings = train_settings(method=method)
    base = load_base(settings, base_folder)
    stop = base.tokenizer.convert_tokens_to_ids("<|user|>")
    save_model(prepare(base, settings), base.tokenizer, stop, tmp_path)
    generation = GenerationConfig.from_pretrained(tmp_path)
    assert generation.eos_token_id == stop
    assert generation.pad_token_id == base.tokenizer.pad_token_id


def test_a_chat_template_of_the_recipe_takes_the_place_of_the_bases_own(train_settings, base_folder, tmp_path):
    path = tmp_path / "mine.jinja"
    path.write_text("{{ messages[0]['content'] }}")
    encode = Encode(chat_template=str(path))
    assert load_base(train_settings(), base_folder, encode).tokenizer.chat_template == "{{ messages[0]['content'] }}"


def test_a_chat_template_that_is_not_there_names_its_neighbours(train_settings, base_folder, tmp_path):
    (tmp_path / "mine.jinja").write_text("")
    error = refused(train_settings(), base_folder, Encode(chat_template=str(tmp_path / "mien.jinja")))
    assert "chat template cannot be read" in error.what
    assert error.where == f"[encode] chat_template = {str(tmp_path / 'mien.jinja')!r}"
    assert error.fix == "name a Jinja file; did you mean 'mine.jinja'?"


def test_a_folder_that_is_not_there_names_its_neighbours(train_settings, folder):
    missing = folder.parent / "mime"
    error = refused(train_settings(base=str(missing)), missing)
    assert error.what == f"there is no folder {missing}"
    assert error.where == f"[train] base = {str(missing)!r}"
    assert "did you mean 'mine'?" in error.fix
    assert "a hub id such as org/name, or tiny" in error.fix


def test_a_folder_that_is_not_there_and_has_no_neighbours_says_so(train_settings, tmp_path):
    error = refused(train_settings(base=str(tmp_path / "x")), tmp_path / "x")
    assert "no model lies beside it" in error.fix


def test_weights_that_run_code_when_read_are_refused(make_model, train_settings, folder, tmp_path):
    class Marker:
        def __reduce__(self):
            return (tmp_path.joinpath("was-here").touch, ())

    (folder / "model.safetensors").unlink()
    torch.save({"x": Marker()}, folder / "pytorch_model.bin")
    error = refused(train_settings(), folder)
    assert "the base cannot be loaded" in error.what
    assert "safetensors" in error.what
    assert "*.safetensors, as `save_pretrained` writes them" in error.fix
    assert not (tmp_path / "was-here").exists()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("spoil", ["gone", "empty", "cut"])
def test_a_folder_with_a_file_gone_or_damaged_is_refused(train_settings, folder, name, spoil):
    path = folder / name
    if spoil == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 100 if spoil == "cut" else 0])
    error = refused(train_settings(), folder)
    assert error.what.startswith("the base cannot be loaded: ")
    assert "\n" not in error.what
    assert "the folder needs config.json, tokenizer.json and *.safetensors" in error.fix


def test_weights_that_the_file_does_not_hold_are_not_made_up(make_model, train_settings, folder):
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    error = refused(train_settings(), folder)
    assert "model.layers.1.mlp.up_proj.weight" in error.what
    assert "*.safetensors" in error.fix


def test_weights_of_another_size_than_the_configuration_says_are_refused(train_settings, folder):
    config = json.loads((folder / "config.json").read_text()) | {"intermediate_size": 48}
    (folder / "config.json").write_text(json.dumps(config))
    error = refused(train_settings(), folder)
    assert error.what.startswith("the base cannot be loaded: ")
    assert "*.safetensors" in error.fix


def test_a_tokenizer_of_another_model_is_refused(train_settings, folder, make_tokenizer):
    tokenizer = make_tokenizer()
    known = len(tokenizer)
    tokenizer.add_tokens(["alpha", "beta"])
    tokenizer.save_pretrained(folder)
    error = refused(train_settings(), folder)
    assert error.what == f"the tokenizer knows {known + 2} tokens, the model {known}"
    assert "tokenizer of another model" in error.fix


def test_a_model_that_has_room_for_more_tokens_than_there_are_is_taken(make_model, train_settings, folder):
    model = make_model()
    model.resize_token_embeddings(320)  # as where a vocabulary is rounded up
    model.save_pretrained(folder)
    assert load_base(train_settings(), folder).model.config.vocab_size == 320


STRANGE = """
from pathlib import Path
from transformers import PretrainedConfig
Path({marker!r}).touch()
class StrangeConfig(PretrainedConfig):
    model_type = "strange"
"""


@pytest.mark.parametrize("kind", ["strange", "llama"])
def test_code_that_comes_with_a_model_does_not_run(train_settings, folder, tmp_path, kind):
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": kind, "auto_map": {"AutoConfig": "configuration_strange.StrangeConfig"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "configuration_strange.py").write_text(STRANGE.format(marker=str(tmp_path / "was-here")))
    if kind == "strange":
        error = refused(train_settings(), folder)
        assert "the base cannot be loaded" in error.what
        assert "read the code that comes with this model" in error.fix
        assert "[train] trust_remote_code = true" in error.fix
    else:  # a kind that is known needs no code of its own
        load_base(train_settings(), folder)
    assert not (tmp_path / "was-here").exists()


def test_a_hub_id_without_network_is_refused_with_the_cure(train_settings, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    error = refused(train_settings(base="nobody/has-this-model"), "nobody/has-this-model")
    assert error.what.startswith("the base cannot be loaded: ")
    assert error.where == "[train] base = 'nobody/has-this-model'"
    assert "check the id" in error.fix
    assert "HF_TOKEN" in error.fix
    assert "copy the model to a folder" in error.fix


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_a_full_disk_is_said_whichever_file_meets_it(base_folder, make_model, tokenizer, tmp_path, no_file_over, file):
    size = (base_folder / file).stat().st_size
    model = make_model() if file == "model.safetensors" else torch.nn.Linear(1, 1)
    if file == "tokenizer.json":
        # A model that is smaller than its tokenizer, so that the tokenizer meets the end of the disk.
        model.save_pretrained = lambda folder: Path(folder).mkdir()
    with no_file_over(size - 1), pytest.raises(SnapshotError) as caught:
        write_folder(model, tokenizer, tmp_path / "out")
    assert caught.value.what.startswith("cannot be written: ")
    assert caught.value.where == str(tmp_path / "out")
    assert "make room" in caught.value.fix
