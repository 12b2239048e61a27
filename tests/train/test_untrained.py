import pytest
import torch

from schemas import ConfigError
from schemas.training import Train
from tests.train.shapes import write_base
from train.encoded import Encoded
from train.loop import _gradient
from train.model import load_base, save_model
from train.objective import Sft
from train.pack import Packed
from train.reload import load_adapter
from train.trainable import prepare
from train.untrained import check_untrained, untrained_tokens


@pytest.fixture
def make_base(tmp_path, base_folder):
    def make(tied=False, **changes):
        folder = write_base("llama", tmp_path / f"llama-{tied}", base_folder, tied=tied)
        settings = Train(base=str(folder), **changes)
        return load_base(settings, folder), settings

    return make


def rows(tokenizer):
    ids = tokenizer.convert_tokens_to_ids
    return Encoded.of([([ids("<|user|>"), 5, ids("<|assistant|>")], [6, ids("<|eos|>")])], ["a"])


def found(base, encoded):
    return base.tokenizer.convert_ids_to_tokens(list(untrained_tokens(base.model, base.tokenizer, [encoded])))


def test_a_base_that_has_learnt_its_tokens_has_none(make_base):
    base, _ = make_base()
    assert found(base, rows(base.tokenizer)) == []


@pytest.mark.parametrize("table", ["input", "output"])
@pytest.mark.parametrize("fault", ["next to nothing", "all alike"])
def test_tokens_next_to_nothing_or_all_alike_are_found_if_the_data_use_them(make_base, table, fault):
    base, _ = make_base()
    part = base.model.get_input_embeddings() if table == "input" else base.model.get_output_embeddings()
    names = ["<|user|>", "<|assistant|>", "<|tool|>"]  # the data do not use the last
    places = base.tokenizer.convert_tokens_to_ids(names)
    with torch.no_grad():
        part.weight[places] = (
            part.weight[places] * 0.01 if fault == "next to nothing" else part.weight[places[0]].clone()
        )
    assert sorted(found(base, rows(base.tokenizer))) == ["<|assistant|>", "<|user|>"]


@pytest.mark.parametrize("tied", [True, False])
def test_beside_an_adapter_they_train_and_come_back(make_base, tmp_path, tied):
    base, settings = make_base(tied, rank=4)
    encoded = rows(base.tokenizer)
    token = base.tokenizer.convert_tokens_to_ids("<|user|>")
    stop = base.tokenizer.eos_token_id
    model = prepare(base, settings, untrained=(stop, token))
    names = [name for name, it in model.named_parameters() if it.requires_grad and "lora" not in name]
    assert len(names) == (1 if tied else 2)
    optimizer = torch.optim.SGD([it for it in model.parameters() if it.requires_grad], lr=0.1)
    _gradient(model, Sft(encoded, Encoded.of([], []), Packed()), [0], 4096)
    assert all(it.grad is not None and it.grad.any() for name, it in model.named_parameters() if name in names)
    optimizer.step()
    save_model(model, base.tokenizer, stop, tmp_path / "out")
    again = load_adapter(load_base(settings, settings.base), "lora", tmp_path / "out")
    ids = torch.tensor([[token, 5, 6]])
    assert torch.allclose(again.eval()(ids).logits, model.eval()(ids).logits, atol=1e-6)


def test_what_is_said_of_them_or_refused():
    names = ["<|im_start|>", "<|im_end|>"]
    assert "they train beside the adapter" in check_untrained(Train(method="dora"), names)
    assert "full trains them" in check_untrained(Train(method="full"), names)
    with pytest.raises(ConfigError) as caught:
        check_untrained(Train(method="ia3"), names)
    assert caught.value.what == (
        "the base never learnt the embedding of <|im_start|>, <|im_end|>, which the chat template writes"
    )
    assert caught.value.where == "[train] method = 'ia3'"
    assert 'set method = "lora" or "full"' in caught.value.fix
