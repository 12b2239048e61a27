import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config

from schemas.training import Train
from train.dry_run import empty_base, shape_of, with_method
from train.estimate import Means, Shape, Speeds, Work, flops_of, kept, memory_of, seconds_of
from train.model import Base
from train.pack import Packed
from train.trainable import prepare

# A model to reckon by hand: 2 layers of width 4, attention 4, keys 2, MLP 8, 10 words.
SHAPE = Shape(
    layers=2, hidden=4, attention=4, keys=2, intermediate=8, vocabulary=10, n_parameters=400, n_trainable=400,
    n_linear=288, n_trained_linear=288, n_adapted=0,
)  # fmt: skip
WORK = Work(
    steps=5, tokens=100, places=120, supervised=30, pairs=1200, passes=5, largest=24, most_supervised=6, validated=0
)
FULL = Means("full", bf16=False, checkpointing=False, trained_layers=2)


def test_memory_by_hand():
    found = memory_of(SHAPE, WORK, FULL, process=1000)
    assert (found.weights, found.gradients, found.optimizer, found.process) == (1600, 1600, 3200, 1000)
    # A layer keeps 4 bytes x (norms 2x4 + their scaled 2x4 + read 2x4 + attention 3x4 + 2x2 + MLP 4x8) = 4 x 72.
    assert kept(SHAPE, FULL) == 288
    # 24 places x 2 layers, and what a layer has at hand: 24 x 4 x (3x8 + 2x4).
    assert found.activations == 24 * 288 * 2 + 24 * 4 * 32
    assert found.logits == 6 * 10 * 12
    assert found.total == 1000 + 1600 + 1600 + 3200 + found.activations + 720


def test_checkpointing_keeps_one_layer_and_the_stream():
    means = Means("full", bf16=False, checkpointing=True, trained_layers=2)
    assert memory_of(SHAPE, WORK, means, 0).activations == 24 * (4 * 4 * 2 + 288) + 24 * 4 * 32


def test_answers_need_a_cache_but_not_what_training_needed():
    few, many = (Work(**{**vars(WORK), "cached": n}) for n in (10, 1000))
    # A place: keys and values of 2 layers, 2 x 2 x 2, and what a layer has at hand, 3 x 8 + 2 x 4; 4 bytes each.
    assert memory_of(SHAPE, few, FULL, 0).answers == 10 * (8 + 32) * 4
    assert memory_of(SHAPE, few, FULL, 0).total == memory_of(SHAPE, WORK, FULL, 0).total
    assert memory_of(SHAPE, many, FULL, 1000).total == 1000 + 1600 + 1000 * 40 * 4


def test_the_heap_of_a_cpu_keeps_holes():
    heap = Means("full", bf16=False, checkpointing=False, trained_layers=2, heap=True)
    assert memory_of(SHAPE, WORK, heap, 0).activations == pytest.approx(
        1.3 * memory_of(SHAPE, WORK, FULL, 0).activations
    )


def test_operations_by_hand():
    forward, attend, head = 2 * 288 * 120, 4 * 4 * 2 * 1200, 2 * 4 * 10 * 30
    # Backward costs as much again, and as much again for the weights that train; the head's weight trains too.
    assert flops_of(SHAPE, WORK, FULL) == 3 * forward + 3 * attend + 3 * head
    frozen = Shape(**{**vars(SHAPE), "n_trainable": 10, "n_trained_linear": 0, "n_adapted": 2})
    lora = Means("lora", bf16=False, checkpointing=False, trained_layers=2)
    assert flops_of(frozen, WORK, lora) == 2 * forward + 3 * attend + 2 * head + 3 * 2 * 10 * 120
    # Nothing goes back through frozen layers where only the head trains.
    assert flops_of(frozen, WORK, Means("head", bf16=False, checkpointing=False, trained_layers=0)) < 2 * forward


def test_a_faster_machine_needs_less_time():
    slow, fast = (Speeds(times * 1e9, times * 1e9, 1e-6 / times, "x") for times in (1, 10))
    assert seconds_of(SHAPE, WORK, FULL, slow) == pytest.approx(10 * seconds_of(SHAPE, WORK, FULL, fast))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_layer_keeps_what_is_reckoned(method, make_examples):
    """The bytes that autograd really saves, each storage once, weights left out."""
    config = LlamaConfig(
        vocab_size=300, hidden_size=96, intermediate_size=256, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=4,
    )  # fmt: skip
    torch.manual_seed(0)
    model = LlamaForCausalLM(config).requires_grad_(requires_grad=False)
    model = prepare(Base("b", model, None, 512), Train(method=method, rank=4))
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    saved = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    encoded = make_examples([(60, 4)] * 8)
    (micro,) = Packed().micro_batches(encoded, list(range(8)), 4096)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        kept_alive = micro.token_nll(model)
    shape = shape_of(model, config)
    logits = kept_alive.nll_S.numel() * 300 * 4
    reckoned = (
        kept(shape, Means(method, bf16=False, checkpointing=False, trained_layers=4)) * 4 * micro.input_ids_RT.numel()
    )
    assert sum(saved.values()) - logits == pytest.approx(reckoned, rel=0.1)


def qwen(hidden, intermediate, tied):
    return Qwen3Config(
        hidden_size=hidden, num_hidden_layers=36, num_attention_heads=32, num_key_value_heads=8, head_dim=128,
        intermediate_size=intermediate, vocab_size=151936, tie_word_embeddings=tied,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("size", "billions", "method", "checkpointing", "low", "high"),
    [
        ((4096, 12288, False), 8.19, "lora", True, 18, 24),
        ((4096, 12288, False), 8.19, "qlora-4bit", True, 8, 14),
        ((2560, 9728, True), 4.02, "lora", True, 9, 15),
        ((2560, 9728, True), 4.02, "qlora-4bit", True, 5, 10),
    ],
)
def test_models_of_billions_are_counted_without_a_weight(size, billions, method, checkpointing, low, high, tokenizer):
    config = qwen(*size)
    settings = Train(method=method, rank=32)
    config.architectures = ["Qwen3ForCausalLM"]
    model = with_method(empty_base(settings, config, tokenizer, 4096, None), settings)
    assert all(weight.is_meta for weight in model.parameters())
    shape = shape_of(model, config)
    frozen = shape.n_parameters - shape.n_trainable
    assert frozen / 1e9 == pytest.approx(billions, rel=0.01)
    work = Work(
        steps=1, tokens=4096, places=4096, supervised=1024, pairs=4096**2, passes=1, largest=4096, most_supervised=1024,
        validated=0,
    )  # fmt: skip
    found = {
        again: memory_of(shape, work, Means(method, bf16=True, checkpointing=again, trained_layers=36), 0.6e9)
        for again in (True, False)
    }
    assert low < found[True].total / 2**30 < high
    assert found[False].total > found[True].total


def test_numbers_of_the_shape_are_those_of_the_model(make_model):
    model = make_model()
    shape = shape_of(model, model.config)
    sizes = [weight.numel() for weight in model.parameters()]
    assert (shape.n_parameters, shape.n_trainable) == (sum(sizes), sum(sizes))
    # 2 layers of 4 x 32 x 32 and 3 x 32 x 64.
    assert shape.n_linear == shape.n_trained_linear == 2 * (4 * 32 * 32 + 3 * 32 * 64)
    assert (shape.layers, shape.hidden, shape.intermediate, shape.attention, shape.keys) == (2, 32, 64, 32, 32)
    assert np.isfinite(shape.vocabulary)
