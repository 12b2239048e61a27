import math

import pytest
from transformers import BartConfig, BertConfig, LlamaConfig, T5Config

from schemas import ConfigError
from schemas.training import Train
from tests.train.shapes import write_base
from train.families import family_of, layout_of, unseen_nll
from train.model import load_base
from train.pack import Packed
from train.padded import PaddedCausal, PaddedClasses, PaddedPairs


@pytest.mark.parametrize(
    ("config", "family"),
    [
        (LlamaConfig(architectures=["LlamaForCausalLM"]), "causal"),
        (LlamaConfig(), "causal"),
        (LlamaConfig(architectures=["LlamaForSequenceClassification"]), "classify"),
        (T5Config(), "seq2seq"),
        (BartConfig(), "seq2seq"),
        (BertConfig(architectures=["BertForMaskedLM"]), "classify"),
        (BertConfig(architectures=["BertModel"]), "classify"),
        (BertConfig(architectures=["BertLMHeadModel"], is_decoder=True), "causal"),
    ],
)
def test_the_family_is_as_the_config_says(config, family):
    assert family_of(Train(), config) == family
    assert family_of(Train(family=family), config) == family


def test_a_decoder_may_have_a_classification_head():
    assert family_of(Train(family="classify"), LlamaConfig()) == "classify"


@pytest.mark.parametrize(
    ("config", "family", "shape"),
    [
        (T5Config(), "classify", "an encoder-decoder (t5)"),
        (T5Config(), "causal", "an encoder-decoder (t5)"),
        (BertConfig(architectures=["BertForMaskedLM"]), "causal", "an encoder (bert)"),
        (LlamaConfig(), "seq2seq", "a decoder (llama)"),
    ],
)
def test_a_family_that_a_base_cannot_be_is_refused(config, family, shape):
    with pytest.raises(ConfigError) as caught:
        family_of(Train(family=family), config)
    assert caught.value.what == f"the base is {shape}, and family = {family!r} does not fit it"
    assert caught.value.fix.startswith('set family = "auto"')


def test_each_family_and_method_has_its_layout(tmp_path, base_folder):
    def layout(shape, method, **changes):
        settings = Train(base=str(write_base(shape, tmp_path / shape, base_folder)), method=method, **changes)
        base = load_base(settings, settings.base, labels=("no", "yes"))
        return layout_of(base.family, method, base.model, 100)

    assert isinstance(layout("llama", "lora"), Packed)
    assert isinstance(layout("llama", "adapters"), Packed)
    assert isinstance(layout("llama", "prompt"), PaddedCausal)
    assert isinstance(layout("bert", "lora"), PaddedClasses)
    assert isinstance(layout("llama", "lora", family="classify"), PaddedClasses)
    pairs = layout("t5", "lora")
    assert isinstance(pairs, PaddedPairs)
    assert "one padded example a row" in pairs.why


def test_an_unseen_answer_costs_add_one_smoothing():
    assert unseen_nll(98, 2) == pytest.approx(math.log(100))
