import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForSeq2SeqLM, AutoModelForSequenceClassification, T5ForConditionalGeneration

from schemas.training import Train
from tests.train.shapes import write_base
from train.encoded import Encoded
from train.families import layout_of, unseen_nll
from train.likelihood import example_nll, per_token
from train.loop import _gradient
from train.model import load_base
from train.objective import Sft
from train.padded import PaddedCausal, PaddedClasses, PaddedPairs
from train.trainable import prepare

BUDGETS = (8, 60, 4096)
METHODS = ("prefix", "prompt", "p-tuning")


@pytest.fixture(scope="module")
def bases(tmp_path_factory, base_folder):
    root = tmp_path_factory.mktemp("shapes")
    return {shape: write_base(shape, root / shape, base_folder) for shape in ("llama", "t5", "bart", "bert")}


@pytest.fixture(scope="module")
def classes(make_examples):
    """Return nine prompts of very different lengths, each with one of three classes."""
    drawn = make_examples([(n, 1) for n in (1, 3, 40, 2, 9, 4, 17, 25, 6)])
    return Encoded.of([(drawn.prompt(i).tolist(), [i % 3]) for i in range(9)], drawn.names)


def pairs_model(folder):
    return AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()


def classifier(folder):
    torch.manual_seed(2)
    return AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3, dtype=torch.float32).eval()


def nll_of(layout, model, encoded, budget):
    with torch.no_grad():
        return example_nll(model, encoded, layout, token_budget=budget, batch_size=5).tolist()


@pytest.mark.parametrize("shape", ["t5", "bart"])
@pytest.mark.parametrize("budget", BUDGETS)
def test_padded_pairs_are_as_likely_as_each_alone(bases, examples, shape, budget):
    model = pairs_model(bases[shape])
    start = model.config.decoder_start_token_id
    alone = []
    for i in range(len(examples)):
        target = torch.from_numpy(examples.target(i)).long()
        inputs = torch.from_numpy(examples.prompt(i)).long()[None]
        decoder = torch.cat([torch.tensor([start]), target[:-1]])[None]
        with torch.no_grad():
            logits = model(input_ids=inputs, decoder_input_ids=decoder).logits[0]
        alone.append(functional.cross_entropy(logits, target, reduction="sum").item())
    assert nll_of(PaddedPairs("", start), model, examples, budget) == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize("shape", ["bert", "llama"])
@pytest.mark.parametrize("budget", BUDGETS)
def test_padded_classes_are_as_likely_as_each_alone(bases, classes, shape, budget):
    model = classifier(bases[shape])
    alone = []
    for i in range(len(classes)):
        with torch.no_grad():
            logits = model(input_ids=torch.from_numpy(classes.prompt(i)).long()[None]).logits[0]
        alone.append(-logits.log_softmax(0)[classes.target(i)[0]].item())
    assert nll_of(PaddedClasses("", 9.0), model, classes, budget) == pytest.approx(alone, abs=1e-5)


def test_a_decoder_reads_its_last_token_even_where_that_is_the_padding_token(bases):
    model = classifier(bases["llama"])
    pad = model.config.pad_token_id
    tricky = Encoded.of([([5, 6, pad], [0]), ([5, 6, 7, 8, 9], [0])], ["a", "b"])
    with torch.no_grad():
        hidden = model.model(input_ids=torch.tensor([[5, 6, pad]])).last_hidden_state[0, -1]
        expected = -model.score(hidden).log_softmax(0)[0].item()
    assert nll_of(PaddedClasses("", 9.0), model, tricky, 4096)[0] == pytest.approx(expected, abs=1e-5)


def test_an_answer_that_train_never_gives_costs_what_add_one_smoothing_says(bases, classes):
    model = classifier(bases["bert"])
    unseen = Encoded.of([(classes.prompt(0).tolist(), [3]), (classes.prompt(1).tolist(), [1])], ["a", "b"])
    # Nine train rows and three labels: an answer never seen has 1 of 9 + 3.
    layout = PaddedClasses("", unseen_nll(9, 3))
    assert nll_of(layout, model, unseen, 4096)[0] == pytest.approx(2.4849066)  # log 12
    assert nll_of(layout, model, unseen, 4096)[1] == pytest.approx(nll_of(layout, model, classes, 4096)[1])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("budget", BUDGETS)
def test_under_prompt_methods_a_padded_row_is_as_likely_as_each_alone(bases, examples, method, budget):
    settings = Train(base=str(bases["llama"]), method=method, virtual_tokens=4)
    base = load_base(settings, settings.base)
    model = prepare(base, settings).eval()
    layout = layout_of("causal", method, model, len(examples))
    assert isinstance(layout, PaddedCausal)
    alone = []
    for i in range(len(examples)):
        ids = torch.from_numpy(examples.example(i)).long()
        first = int(examples.n_prompt[i])
        with torch.no_grad():
            logits = model(input_ids=ids[None]).logits[0, -len(ids) :]
        alone.append(functional.cross_entropy(logits[first - 1 : -1], ids[first:], reduction="sum").item())
    assert nll_of(layout, model, examples, budget) == pytest.approx(alone, abs=1e-4)


def test_the_right_side_of_packing_is_chosen_for_adapters(bases, examples):
    # Measured: each place asks the learnt tokens for itself, so neighbours do not matter.
    settings = Train(base=str(bases["llama"]), method="adapters", virtual_tokens=4)
    model = prepare(load_base(settings, settings.base), settings).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "adaption_gate" in name:
                weight.fill_(0.7)
    packed, alone = (layout_of("causal", "adapters", model, 12), PaddedCausal(""))
    assert nll_of(packed, model, examples, 4096) == pytest.approx(nll_of(alone, model, examples, 4096), abs=1e-4)


def test_weights_of_tokens_count_in_the_loss_and_zero_ones_are_left_out(bases):
    weighted = Encoded.of([([5, 6], [7, 8, 9])], ["a"], [[1.0, 0.0, 0.5]])
    model = pairs_model(bases["t5"])
    (micro,) = PaddedPairs("", 302).micro_batches(weighted, [0], 4096)
    with torch.no_grad():
        nll, weight, owner = micro.token_nll(model)
        whole = next(iter(PaddedPairs("", 302).micro_batches(Encoded.of([([5, 6], [7, 8, 9])], ["a"]), [0], 4096)))
        each = whole.token_nll(model).nll_S
    assert weight.tolist() == [1.0, 0.5]
    assert owner.tolist() == [0, 0]
    assert nll.tolist() == pytest.approx([each[0].item(), each[2].item()], abs=1e-5)


def test_units_stay_together_and_every_example_comes_once(examples):
    seen = []
    for micro in PaddedCausal("").micro_batches(examples, range(12), 60, together=2):
        owners = micro.owner_B.tolist()
        assert all(owners[i] // 2 == owners[i + 1] // 2 for i in range(0, len(owners), 2))
        assert micro.input_ids_BT.numel() <= 60 or len(owners) == 2
        seen += owners
    assert sorted(seen) == list(range(12))


@pytest.mark.parametrize("shape", ["t5", "bart"])
def test_the_gradient_of_eight_forward_passes_is_that_of_one(bases, make_examples, shape):
    # transformers' Trainer gets this wrong for such models: see tests/bench/t5_accumulation.py.
    data = make_examples([(n % 7 + 2, n % 5 + 1) for n in range(8)])
    gradients = []
    for budget in (4096, 8):
        model = pairs_model(bases[shape]).train()
        layout = PaddedPairs("", model.config.decoder_start_token_id)
        n_passes = len(list(layout.micro_batches(data, range(8), budget)))
        assert n_passes == (1 if budget == 4096 else 8)
        _gradient(model, Sft(data, Encoded.of([], []), layout), range(8), budget)
        gradients.append({name: it.grad for name, it in model.named_parameters() if it.grad is not None})
    largest = max(float(one.abs().max()) for one in gradients[0].values())
    for name, one in gradients[0].items():
        assert torch.allclose(one, gradients[1][name], rtol=1e-5, atol=1e-6 * largest), name


def test_per_token_is_the_same_for_any_batch(bases, examples):
    model = pairs_model(bases["t5"])
    assert isinstance(model, T5ForConditionalGeneration)
    layout = PaddedPairs("", 302)
    found = [
        per_token(example_nll(model, examples, layout, token_budget=4096, batch_size=n), examples) for n in (1, 4, 32)
    ]
    assert found == pytest.approx([found[0]] * 3, abs=1e-6)
