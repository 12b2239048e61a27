import pytest
import torch

from schemas import SourceError
from schemas.training import Train
from train.encoded import Encoded
from train.loop import _gradient
from train.model import load_base
from train.moved import STEPS, Moved
from train.objective import Sft
from train.pack import Packed
from train.trainable import prepare


def steps(model, data, between=lambda: None, n=STEPS):
    """Take steps as the loop does, and let the watch look at each."""
    optimizer = torch.optim.AdamW([it for it in model.parameters() if it.requires_grad], lr=1e-3)
    watch = Moved(model)
    for step in range(1, n + 1):
        _gradient(model, Sft(data, Encoded.of([], []), Packed()), [0, 1], 4096)
        watch(model, step)
        optimizer.step()
        optimizer.zero_grad()
        between()


@pytest.fixture
def make(base_folder):
    def made(method):
        settings = Train(base=str(base_folder), method=method, virtual_tokens=3)
        return prepare(load_base(settings, base_folder), settings)

    return made


@pytest.mark.parametrize("method", ["full", "lora", "dora", "adapters", "ia3"])
def test_a_run_in_which_all_moves_goes_on(make, make_examples, method):
    steps(make(method), make_examples([(5, 4), (7, 3)]), n=STEPS + 2)


def test_a_tensor_that_trains_and_is_never_used_is_named(make, make_examples):
    model = make("lora")
    model.register_parameter("forgotten", torch.nn.Parameter(torch.ones(2)))
    with pytest.raises(SourceError) as caught:
        steps(model, make_examples([(5, 4), (7, 3)]))
    assert caught.value.what == f"1 tensors should train and have no gradient by step {STEPS}"
    assert caught.value.where == "forgotten"
    assert "tuneloop methods" in caught.value.fix


def test_a_frozen_tensor_that_moves_is_named(make, make_examples):
    model = make("lora")
    norm = model.base_model.model.model.norm.weight

    def nudge():
        with torch.no_grad():
            norm[0] += 1e-3

    with pytest.raises(SourceError) as caught:
        steps(model, make_examples([(5, 4), (7, 3)]), nudge)
    assert caught.value.what == "1 frozen tensors have moved"
    assert caught.value.where == "base_model.model.model.norm.weight"
