import pytest
import torch
from transformers import Mamba2Config, Mamba2ForCausalLM

from train.encoded import Encoded
from train.isolation import TOLERANCE, leak_of
from train.pack import Packed
from train.segment_attention import SEGMENTS, register

register()


@pytest.mark.parametrize(("attention", "flat"), [("sdpa", False), ("eager", False), (SEGMENTS, True)])
def test_attention_within_bounds_or_masks_leaks_nothing(make_model, examples, attention, flat):
    model = make_model()
    model.set_attn_implementation(attention)
    assert leak_of(model, Packed(flat=flat), examples) < TOLERANCE[False] / 10


def test_a_model_without_attention_leaks_and_is_found_out(make_examples):
    torch.manual_seed(1)
    config = Mamba2Config(
        vocab_size=300, hidden_size=16, state_size=8, num_hidden_layers=1, head_dim=8, num_heads=4, n_groups=1,
        initializer_range=0.5,
    )  # fmt: skip
    model = Mamba2ForCausalLM(config)
    assert leak_of(model, Packed(), make_examples([(6, 6), (7, 7), (8, 8)])) > TOLERANCE[False]


def test_an_attention_that_ignores_bounds_is_found_out(make_model, examples):
    model = make_model()
    model.set_attn_implementation("sdpa")

    # Flat rows with positions that go on are one long text to every mask.
    class OneText(Packed):
        def micro_batches(self, *args, **options):
            for micro in super().micro_batches(*args, **options):
                micro.position_ids_RT[:] = torch.arange(micro.position_ids_RT.shape[1])
                yield micro

    assert leak_of(model, OneText(), examples) > TOLERANCE[False]


def test_one_example_has_no_neighbour(make_model):
    assert leak_of(make_model(), Packed(), Encoded.of([([1, 2], [3])], ["a"])) == 0.0
