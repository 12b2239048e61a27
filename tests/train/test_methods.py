import pytest

from schemas import ConfigError
from schemas.training import Train
from tests.train.shapes import write_base
from tests.train.trial import run_trial
from train.classes import Labels
from train.methods import METHODS, check_method, how_packed, peak_rate

COLOURS = {"fox": "red", "crow": "black", "swan": "white", "ruby": "red", "coal": "black", "snow": "white"}
LABELS = Labels(("black", "red", "white"))
SHAPES = {"causal": ("llama", "gpt2"), "seq2seq": ("t5", "bart"), "classify": ("bert", "llama")}
COMBINATIONS = [
    (method, family, shape)
    for method, facts in METHODS.items()
    for family in facts.families
    for shape in SHAPES[family]
    if not facts.needs_gpu
]
DEFAULTS = {"has_gpu": True, "has_bitsandbytes": True}


@pytest.fixture(scope="module")
def bases(tmp_path_factory, base_folder):
    """Return a folder for each shape; not to be changed."""
    root = tmp_path_factory.mktemp("shapes")
    return {shape: write_base(shape, root / shape, base_folder) for shape in ("llama", "gpt2", "t5", "bart", "bert")}


@pytest.fixture(scope="module")
def rows(row):
    """Return rows whose answers repeat: what a thing's colour is."""
    made = [row(f"Colour of the {thing}?", colour, f"file:{n}") for n, (thing, colour) in enumerate(COLOURS.items())]
    return {"train": made, "validation": made}


@pytest.mark.parametrize(("method", "family", "shape"), COMBINATIONS)
def test_a_method_learns_moves_what_it_should_and_comes_back_from_disk(bases, rows, tmp_path, method, family, shape):
    settings = Train(
        base=str(bases[shape]), family=family, method=method, rank=4, virtual_tokens=4, last_layers=1,
        learning_rate=2e-2 if METHODS[method].kind in ("prompt", "adapters", "ia3") else 4e-3,
    )  # fmt: skip
    found = run_trial(
        settings,
        rows,
        tmp_path,
        steps=30 if METHODS[method].kind == "prompt" else 6,
        labels=LABELS if family == "classify" else None,
    )
    assert found.after < found.before
    assert found.still == []
    assert found.moved == []
    assert 0 < found.n_trainable <= found.n_parameters
    assert found.again == pytest.approx(found.after, abs=1e-6)
    assert found.said_again == found.said


def refused(method, family, model_type="llama", has_gpu=True, has_bitsandbytes=True, **changes):
    with pytest.raises(ConfigError) as caught:
        check_method(
            Train(method=method, **changes), family, model_type, has_gpu=has_gpu, has_bitsandbytes=has_bitsandbytes
        )
    return caught.value


@pytest.mark.parametrize("method", ["qlora-8bit", "qlora-4bit"])
def test_a_method_for_gpus_says_so_on_a_cpu(method):
    error = refused(method, "causal", has_gpu=False)
    assert error.what == f"{method} needs a GPU, and there is none"
    assert error.where == f"[train] method = {method!r}"
    assert 'set method = "lora"' in error.fix


def test_a_package_that_is_not_there_is_named():
    error = refused("qlora-4bit", "causal", has_bitsandbytes=False)
    assert "needs the package bitsandbytes" in error.what
    assert "uv pip install bitsandbytes" in error.fix


@pytest.mark.parametrize(
    ("method", "family", "nearest"),
    [("prefix", "classify", "prompt"), ("adapters", "seq2seq", "lora"), ("adapters", "classify", "lora")],
)
def test_what_peft_lacks_is_refused_with_the_nearest_that_works(method, family, nearest):
    error = refused(method, family)
    assert error.what.startswith(f"{method} ")
    assert error.fix.startswith(f'set method = "{nearest}", the nearest that works for {family}')
    assert family in METHODS[nearest].families


def test_adapters_are_refused_where_peft_cannot_enter_the_base():
    error = refused("adapters", "causal", model_type="qwen2")
    assert error.what == "peft has adapters for gpt2, llama, mistral, not for a base of type qwen2"
    assert 'set method = "lora"' in error.fix


def test_a_prefix_and_checkpointed_layers_exclude_each_other():
    error = refused("prefix", "causal", activation_checkpointing=True)
    assert "exclude each other" in error.what
    assert "activation_checkpointing = false" in error.fix


def test_all_else_is_allowed():
    for method, facts in METHODS.items():
        for family in facts.families:
            check_method(Train(method=method), family, "llama", has_gpu=True, has_bitsandbytes=True)


@pytest.mark.parametrize("method", METHODS)
def test_the_learning_rate_is_the_methods_own_unless_the_recipe_names_one(method):
    facts = METHODS[method]
    rate, origin = peak_rate(Train(method=method, base="org/name"))
    assert rate == facts.rate
    assert origin == f"the default for {method} on a pretrained base: {facts.why}"
    assert peak_rate(Train(method=method))[0] == facts.tiny_rate
    assert peak_rate(Train(method=method, learning_rate=0.125)) == (0.125, "from the recipe")


def test_why_examples_are_packed_or_not_is_said():
    assert how_packed("lora", "causal") == "packed without padding; examples cannot see each other"
    assert how_packed("prompt", "causal") == (
        "one padded example a row: under prompt peft ignores where a packed example begins"
    )
    assert how_packed("lora", "seq2seq").startswith("one padded example a row: packing is exact for causal models")
