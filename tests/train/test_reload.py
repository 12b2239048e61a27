import pytest

from schemas import ConfigError
from schemas.training import Train
from tests.train.shapes import write_base
from train.model import load_base, save_model
from train.reload import ADAPTER, load_adapter
from train.trainable import prepare


@pytest.fixture
def saved(tmp_path, base_folder):
    """Return the settings of an adapter, and its folder."""
    settings = Train(base=str(base_folder), rank=4)
    base = load_base(settings, base_folder)
    save_model(prepare(base, settings), base.tokenizer, base.tokenizer.eos_token_id, tmp_path / "adapter")
    return settings, tmp_path / "adapter"


@pytest.mark.parametrize(("shape", "width"), [("llama", 64), ("gpt2", 32)])
def test_an_adapter_of_another_base_is_refused(saved, tmp_path, base_folder, shape, width):
    settings, folder = saved
    other = write_base(shape, tmp_path / shape, base_folder, width=width)
    with pytest.raises(ConfigError) as caught:
        load_adapter(load_base(settings, other), "lora", folder)
    assert caught.value.what.startswith("the adapter was made for another base: ")
    assert "base_model_name_or_path" in caught.value.fix


def test_a_damaged_adapter_is_named(saved, base_folder):
    settings, folder = saved
    (folder / ADAPTER).write_bytes((folder / ADAPTER).read_bytes()[:200])
    with pytest.raises(ConfigError) as caught:
        load_adapter(load_base(settings, base_folder), "lora", folder)
    assert "the adapter cannot be read" in caught.value.what
    assert caught.value.where == str(folder)


def test_an_adapter_as_a_base_is_refused(saved):
    settings, folder = saved
    with pytest.raises(ConfigError) as caught:
        load_base(settings, folder)
    assert caught.value.what == f"{folder} is an adapter, not a model"
    assert "name the base it was made on" in caught.value.fix
    assert "tuneloop export" in caught.value.fix
