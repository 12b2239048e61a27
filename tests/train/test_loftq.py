import pytest
import torch
from torch import nn

from schemas.training import Train
from tests.train.shapes import write_base
from train.loftq import NF4, nf4
from train.model import load_base
from train.trainable import prepare


def test_a_block_is_rounded_to_sixteen_numbers_times_its_largest():
    block = torch.tensor([[2.0, -2.0, 0.0, 0.15, 1.0]])
    # Halved by the scale 2: 1, -1, 0, 0.075 (nearest 0.0796) and 0.5 (nearest 0.4407, the border to 0.5626 is 0.5017).
    assert nf4(block)[0].tolist() == pytest.approx([2.0, -2.0, 0.0, 2 * NF4[8], 2 * NF4[12]])


def test_blocks_of_64_have_each_their_own_scale():
    weight = torch.ones(1, 128)
    weight[0, 64:] = 100.0
    assert torch.equal(nf4(weight), weight)
    assert torch.equal(nf4(torch.zeros(2, 3)), torch.zeros(2, 3))


def test_rounding_twice_is_rounding_once():
    weight = torch.randn(16, 24, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(nf4(nf4(weight)), nf4(weight), atol=1e-7)
    assert (nf4(weight) - weight).abs().max() < 0.16 * weight.abs().max()  # half the widest gap between two numbers


@pytest.mark.parametrize("shape", ["llama", "gpt2"])
def test_the_adapter_begins_at_what_makes_up_best_for_the_rounding(tmp_path, base_folder, shape):
    settings = Train(base=str(write_base(shape, tmp_path / shape, base_folder)), method="loftq", rank=8, alpha=16.0)
    exact = {
        name: part.weight.detach().clone()
        for name, part in load_base(settings, settings.base).model.named_modules()
        if isinstance(part, nn.Linear) or type(part).__name__ == "Conv1D"
    }
    model = prepare(load_base(settings, settings.base), settings)
    checked = 0
    for name, part in model.base_model.model.named_modules():
        if not hasattr(part, "lora_A"):
            continue
        rounded = part.get_base_layer().weight
        assert torch.equal(rounded, nf4(exact[name]))
        rest = exact[name] - rounded
        made_up = part.get_delta_weight("default")
        # By Eckart and Young: what is left is the singular values after the eighth.
        left = torch.linalg.svdvals(rest)[8:].square().sum().sqrt()
        assert torch.linalg.norm(rest - made_up).item() == pytest.approx(left.item(), rel=1e-4)
        checked += 1
    assert checked == (14 if shape == "llama" else 8)


def test_a_rank_above_that_of_the_matrix_makes_up_for_all(tmp_path, base_folder):
    settings = Train(base=str(write_base("llama", tmp_path / "llama", base_folder)), method="loftq", rank=64)
    before = load_base(settings, settings.base).model.eval()
    model = prepare(load_base(settings, settings.base), settings).eval()
    ids = torch.tensor([[5, 6, 7]])
    assert torch.allclose(model(ids).logits, before(ids).logits, atol=1e-4)
