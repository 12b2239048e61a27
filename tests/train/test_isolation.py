import pytest
import torch
from transformers import (
    BertConfig,
    BertLMHeadModel,
    BioGptConfig,
    BioGptForCausalLM,
    BloomConfig,
    BloomForCausalLM,
    Mamba2Config,
    Mamba2ForCausalLM,
)

from schemas import ConfigError
from train.encoded import Encoded
from train.isolation import TOLERANCE, ahead_of, leak_of, proved
from train.lesson import _prove_apart
from train.model import Base
from train.pack import Packed
from train.padded import PaddedCausal
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


def base_of(model):
    torch.manual_seed(2)
    return Base("b", model, None, 512)


BLOOM = BloomConfig(vocab_size=300, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.3)
BIOGPT = BioGptConfig(
    vocab_size=300, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
    initializer_range=0.3,
)  # fmt: skip


@pytest.mark.parametrize(("model", "config"), [(BloomForCausalLM, BLOOM), (BioGptForCausalLM, BIOGPT)])
def test_a_model_that_takes_no_account_of_position_ids_is_not_packed_and_padding_changes_nothing(
    make_examples, model, config
):
    torch.manual_seed(1)
    examples = make_examples([(6, 6), (7, 7), (8, 8)])
    base = proved(base_of(model(config)), examples)
    assert not base.packs
    assert leak_of(base.model, PaddedCausal("apart"), examples) < TOLERANCE[False] / 10


def test_a_model_that_obeys_them_is_packed(make_model, examples):
    model = make_model()
    assert proved(base_of(model), examples).packs
    assert ahead_of(model, Packed(), examples) < TOLERANCE[False] / 10


def test_a_model_that_reads_in_both_directions_is_refused(make_examples):
    torch.manual_seed(1)
    model = BertLMHeadModel(
        BertConfig(
            vocab_size=300, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
            initializer_range=0.3,
        )
    )  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        proved(base_of(model), make_examples([(6, 6), (7, 7)]))
    assert caught.value.what.startswith("a token of this model sees those after it: its answers change by ")
    assert caught.value.where == "[train] base, a model of type bert"


def test_layers_that_carry_a_state_are_refused(make_model, examples):
    model = make_model()
    model.config.layer_types = ["full_attention", "linear_attention"]
    with pytest.raises(ConfigError) as caught:
        proved(base_of(model), examples)
    assert "carry a state from token to token (linear_attention)" in caught.value.what


def test_kernels_that_let_neighbours_be_seen_stop_the_run(make_model, examples):
    model = make_model()
    model.set_attn_implementation("sdpa")  # it is told no bounds, and a flat row is one text to it
    _prove_apart(model, Packed(), examples, bf16=False)
    with pytest.raises(ConfigError) as caught:
        _prove_apart(model, OneText(), examples, bf16=False)
    assert caught.value.what.startswith("packed examples see each other with these kernels: together they change by ")
    assert caught.value.where == "a model of type llama, attention sdpa"


class OneText(Packed):
    """Positions that go on make a row one long text to every mask."""

    def micro_batches(self, *args, **options):
        """Yield the same with other positions."""
        for micro in super().micro_batches(*args, **options):
            micro.position_ids_RT[:] = torch.arange(micro.position_ids_RT.shape[1])
            yield micro


def test_an_attention_that_ignores_bounds_is_found_out(make_model, examples):
    model = make_model()
    model.set_attn_implementation("sdpa")
    assert leak_of(model, OneText(), examples) > TOLERANCE[False]


def test_one_example_has_no_neighbour(make_model):
    assert leak_of(make_model(), Packed(), Encoded.of([([1, 2], [3])], ["a"])) == 0.0
