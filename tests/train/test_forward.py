import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn import functional

from train.encoded import Encoded
from train.loop import _gradient
from train.objective import Sft
from train.pack import Packed
from train.segment_attention import SEGMENTS, register

BUDGETS = (8, 60, 256, 4096)
EVERYTHING = 4096


def with_lora(model, dropout=0.0):
    torch.manual_seed(3)
    adapted = get_peft_model(
        model, LoraConfig(r=4, lora_dropout=dropout, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:  # zeros at first: nothing behind them would have a gradient
            torch.nn.init.normal_(weight, std=0.1)
    return adapted


def alone(model, encoded, i):
    """Return the NLL of each target token of one example, read by itself, every logit worked out."""
    ids = torch.from_numpy(encoded.example(i)).long()
    logits = model(input_ids=ids[None]).logits[0]
    first = int(encoded.n_prompt[i])
    return functional.cross_entropy(logits[first - 1 : -1], ids[first:], reduction="none")


def packed(model, encoded, batch, budget=EVERYTHING):
    """Return the same for each example of a batch, packed."""
    found = [[] for _ in batch]
    for micro in Packed().micro_batches(encoded, batch, budget):
        nll, _, owners = micro.token_nll(model)
        for value, owner in zip(nll, owners, strict=True):
            found[owner].append(value.item())
    return found


@pytest.mark.parametrize("budget", BUDGETS)
def test_packed_examples_are_as_likely_as_each_alone(make_model, examples, budget):
    model = make_model().eval()
    with torch.no_grad():
        found = packed(model, examples, range(len(examples)), budget)
        for i, values in enumerate(found):
            assert values == pytest.approx(alone(model, examples, i).tolist(), abs=1e-5)


def test_a_neighbour_in_the_row_changes_nothing(make_model, examples, make_examples):
    model = make_model().eval()
    others = make_examples(
        [(int(n), int(t)) for n, t in zip(examples.n_prompt, examples.n_supervised, strict=True)], seed=9
    )
    pairs = [
        (one.prompt(i).tolist(), one.target(i).tolist()) for i in range(12) for one in [others if i % 2 else examples]
    ]
    changed = Encoded.of(pairs, examples.names)  # every other example is another one of the same length
    with torch.no_grad():
        before, after = (packed(model, one, range(12)) for one in (examples, changed))
    for i in range(12):
        assert (before[i] == after[i]) == (i % 2 == 0)


def test_with_a_cache_neighbours_would_be_seen(make_model, examples):
    # What the argument in `PackedBatch.token_nll` is for; where this no longer differs, the argument is not needed.
    model = make_model().eval()
    (micro,) = Packed().micro_batches(examples, [4, 8], EVERYTHING)
    with torch.no_grad():
        read = {"input_ids": micro.input_ids_RT, "position_ids": micro.position_ids_RT}
        cached, apart = model(**read).logits, model(**read, use_cache=False).logits
    if torch.allclose(cached, apart, atol=1e-3):
        pytest.skip("this version of transformers keeps packed examples apart with a cache, too")
    first = int(examples.lengths[8])  # the longest stands first in the row, with nobody before it
    assert torch.allclose(cached[0, :first], apart[0, :first], atol=1e-5)
    assert (cached[0, first:] - apart[0, first:]).abs().max() > 0.1


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_gradient_of_a_packed_batch_is_that_of_its_examples_one_at_a_time(make_model, examples, method, budget):
    batch = [11, 2, 8, 0, 5, 5, 7]  # one of them twice
    model = make_model() if method == "full" else with_lora(make_model())
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    n_supervised = sum(len(examples.target(i)) for i in batch)
    expected_loss = 0.0
    for i in batch:
        share = alone(model, examples, i).sum() / n_supervised
        share.backward()
        expected_loss += share.item()
    expected = {name: weight.grad.clone() for name, weight in weights.items()}
    model.zero_grad()

    loss = _gradient(model, Sft(examples, examples, Packed()), batch, budget)

    assert loss == pytest.approx(expected_loss, rel=1e-5)
    for name, weight in weights.items():
        assert expected[name].norm() > 0
        assert (weight.grad - expected[name]).norm() <= 1e-5 * expected[name].norm(), name


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("budget", BUDGETS)
def test_tokens_count_in_the_gradient_as_their_weights_say(make_model, examples, budget, flat):
    """Also where a target holds tokens without loss, such as what the user says between."""
    weights = [[(0.0, 0.5, 1.0, 2.0)[(i + n) % 4] for n in range(len(examples.target(i)))] for i in range(12)]
    weights[0] = [3.0]
    pairs = [(examples.prompt(i).tolist(), examples.target(i).tolist()) for i in range(12)]
    weighted = Encoded.of(pairs, examples.names, weights)
    batch, model = [11, 2, 8, 0, 5, 5, 7], make_model()
    total = sum(sum(weights[i]) for i in batch)
    for i in batch:
        ((alone(model, weighted, i) * torch.tensor(weights[i])).sum() / total).backward()
    expected = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    if flat:
        register()
        model.set_attn_implementation(SEGMENTS)

    _gradient(model, Sft(weighted, weighted, Packed(flat=flat)), batch, budget)

    for name, weight in model.named_parameters():
        assert (weight.grad - expected[name]).norm() <= 1e-5 * expected[name].norm(), name


def test_the_output_layer_works_on_supervised_places_alone(make_model, examples):
    model = make_model()
    seen = []
    model.get_output_embeddings().register_forward_hook(lambda _model, _read, out: seen.append(out.shape[-2]))
    (micro,) = Packed().micro_batches(examples, [2, 6], EVERYTHING)
    micro.token_nll(model)
    assert seen == [8]  # targets of 5 and 3


def test_the_output_layer_is_as_it_was_after_a_failure(make_model, make_examples):
    model = make_model()
    strange = make_examples([(3, 3)], n_vocabulary=10**6)  # ids the model does not have
    (micro,) = Packed().micro_batches(strange, [0], EVERYTHING)
    with pytest.raises(IndexError):
        micro.token_nll(model)
    assert not model.get_output_embeddings()._forward_pre_hooks
    assert model(input_ids=torch.tensor([[1, 2, 3]])).logits.shape[1] == 3
