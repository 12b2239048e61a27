"""`tuneloop train --dry-run`: what a run would do and need, from config.json and the split; no weight is loaded."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import init_empty_weights  # type: ignore[import-untyped]
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from schemas.method import Method
from schemas.training import Train
from train import attention, loop
from train.checkpoint import trained
from train.classes import Labels, labels_of
from train.encoded import Encoded
from train.encoding import Encoding, encode_split
from train.estimate import Means, Memory, Shape, Speeds, Work, flops_of, memory_of, seconds_of
from train.families import AUTO_CLASSES, family_of, is_packed, layout_of
from train.forward import Layout, MicroBatch
from train.generate import BATCH, CACHED
from train.isolation import check_stateless
from train.lesson import how_long, how_to, pairs_of
from train.machine import measured, memory_here, process_bytes
from train.methods import METHODS, check_method
from train.model import Base, device, name_labels
from train.order import plain
from train.pack import IGNORE_INDEX, PackedBatch
from train.padded import CausalRows, ClassRows, PairRows
from train.page import duration
from train.plan import Plan, newest_run
from train.prepared import row_encoder
from train.pretrained import base_in, context_of, named_source, read_config, read_tokenizer, same_vocabulary
from train.run import quiet_transformers
from train.tiny import tiny_config
from train.trainable import prepare

# Updates that are laid out to see how they pack: every one, unless there are more.
_UPDATES = 256
# An adapter's count does not depend on how the weights under it are stored, which needs them loaded.
_LAYER = re.compile(r"\.(?:layers|layer|block|h)\.(\d+)\.")
_COUNTED_AS: dict[Method, Method] = {"loftq": "lora", "qlora-8bit": "lora", "qlora-4bit": "lora"}


@dataclass(frozen=True)
class Estimate:
    """What a run would do and need.

    Attributes:
        shape: The model.
        work: The run.
        means: How.
        memory: At the worst moment.
        speeds: Of this machine; None if an earlier run of the same model says how fast it is.
        seconds: Of training; evaluation afterwards comes on top.
        how: Where `seconds` comes from, in words.
        lines: All of it, for people.
        warning: What would go wrong; None if nothing.
    """

    shape: Shape
    work: Work
    means: Means
    memory: Memory
    speeds: Speeds | None
    seconds: float
    how: str
    lines: list[str]
    warning: str | None


def dry_run(plan: Plan) -> Estimate:
    """Return what a run would do and need.

    Raises:
        DataError: The base's tokenizer or config cannot be read, or a row cannot be used.
    """
    quiet_transformers()
    process = process_bytes()
    tokenizer, config = read_base(plan)
    context = context_of(config, plan.encode)
    labels = labels_of(plan.split) if family_of(plan.settings, config) == "classify" else None
    base = empty_base(plan.settings, config, tokenizer, context, labels)
    encoder = row_encoder(base, plan.encode, labels)
    encoding = encode_split(plan.split, encoder, plan.encode, plan.data_root, plan.recipe, lambda _: None)
    train, validation, together = encoding.lessons(), encoding.completions("validation"), 1
    if plan.settings.objective == "dpo":
        pairs = pairs_of(plan)
        train, validation = (
            encoder.encode([row for one in some for row in one.rows()]) for some in (pairs.learn, pairs.judge)
        )
        together = 2
    model = with_method(base, plan.settings)
    batch_size, steps = how_long(plan, encoding, base)
    how = how_to(plan.settings, batch_size, steps)
    shape = shape_of(model, config)
    means = _means(plan.settings, model, shape.layers)
    layout = _layout(plan, base, model, len(train), bf16=means.bf16)
    work, fill = _work(train, validation, how, layout, together)
    work = replace(work, cached=_cached(encoding, plan.settings, base))
    memory = memory_of(shape, work, means, process)
    speeds, seconds, said = _time(plan, shape, work, means)
    lines = _lines(plan, shape, work, memory, train, how, fill, seconds, said)
    return Estimate(shape, work, means, memory, speeds, seconds, said, lines, _warning(memory))


def read_base(plan: Plan) -> tuple[PreTrainedTokenizerBase, Any]:
    """Return tokenizer and config of the base, without its weights; tiny need not be made.

    Raises:
        ConfigError: They cannot be read, or are not of one model.
    """
    settings = plan.settings
    if settings.base == "tiny":
        tokenizer = read_tokenizer(settings, Path(settings.base_tokenizer), plan.encode)
        return tokenizer, tiny_config(tokenizer, plan.tiny)
    source = named_source(settings)
    tokenizer, config = read_tokenizer(settings, source, plan.encode), read_config(settings, source)
    same_vocabulary(config, tokenizer, base_in(settings))
    return tokenizer, config


def empty_base(
    settings: Train, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase, context: int, labels: Labels | None
) -> Base:
    """Return the base, all weights without content: they can be counted.

    Raises:
        ConfigError: The method cannot train it, wherever the run will be.
    """
    family = family_of(settings, config)
    check_method(settings, family, config.model_type, has_gpu=True, has_bitsandbytes=True)
    if labels:
        name_labels(config, labels.known)
    with init_empty_weights(include_buffers=True):
        model = AUTO_CLASSES[family].from_config(config, trust_remote_code=settings.trust_remote_code)
        model.requires_grad_(requires_grad=False)
        model.tie_weights()
    return Base(settings.base, model, tokenizer, context, family)


def with_method(base: Base, settings: Train) -> PreTrainedModel:
    """Return an empty base with its method applied."""
    counted = settings.model_copy(update={"method": _COUNTED_AS.get(settings.method, settings.method)})
    with init_empty_weights(include_buffers=True):
        return prepare(base, counted)


def _layout(plan: Plan, base: Base, model: PreTrainedModel, n_train: int, *, bf16: bool) -> Layout:
    """Return how batches will be laid out where the run will be."""
    method = plan.settings.method
    packed = is_packed(base.family, method)
    if packed:
        check_stateless(base.model)
    longest = min(base.context, plan.encode.max_length)
    kernels = attention.choose(
        plan.settings.attention, base.model, packed=packed, bf16=bf16, longest=longest, at=device()
    )
    return layout_of(base.family, method, model, n_train, flat=kernels.flat)


def shape_of(model: PreTrainedModel, config: Any) -> Shape:  # noqa: ANN401 - transformers' config
    """Return a model in numbers."""
    text = config.get_text_config()
    hidden = int(text.hidden_size)
    heads = int(text.num_attention_heads)
    width = int(getattr(text, "head_dim", None) or hidden // heads)
    head = model.get_output_embeddings()
    inside = {
        name: part for name, part in model.named_modules() if isinstance(part, torch.nn.Linear) and part is not head
    }
    own = [part for name, part in inside.items() if "lora_" not in name]
    sizes = [(weight.numel(), weight.requires_grad) for weight in model.parameters()]
    return Shape(
        layers=int(text.num_hidden_layers) + int(getattr(text, "num_decoder_layers", None) or 0),
        hidden=hidden,
        attention=heads * width,
        keys=int(getattr(text, "num_key_value_heads", None) or heads) * width,
        intermediate=int(getattr(text, "intermediate_size", None) or getattr(text, "d_ff", None) or 4 * hidden),
        vocabulary=int(text.vocab_size),
        n_parameters=sum(n for n, _ in sizes),
        n_trainable=sum(n for n, trains in sizes if trains),
        n_linear=sum(part.weight.numel() for part in own),
        n_trained_linear=sum(part.weight.numel() for part in own if part.weight.requires_grad),
        n_adapted=sum(name.endswith(("lora_A", "ia3_l")) for name, _ in model.named_modules()),
    )


def _means(settings: Train, model: PreTrainedModel, layers: int) -> Means:
    wants_bf16 = settings.precision == "bf16" or (
        settings.precision == "auto" and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    )
    # A gradient goes through all that stands behind the first weight that trains.
    numbers = [int(found[1]) for name in trained(model) if (found := _LAYER.search(name))]
    through = 0 if settings.method == "head" else layers - min(numbers, default=0)
    return Means(
        settings.method, wants_bf16, settings.activation_checkpointing, through, heap=not torch.cuda.is_available()
    )


def _work(train: Encoded, validation: Encoded, how: loop.Plan, layout: Layout, together: int) -> tuple[Work, float]:
    """Return the run in numbers, and the share of computed places that are tokens."""
    n = min(how.steps, _UPDATES)
    passes = places = tokens = supervised = pairs = largest = fullest = 0
    order = plain(len(train) // together, how.batch_size, how.seed)
    for step in range(n):
        batch = [unit * together + place for unit in order.batch(step) for place in range(together)]
        tokens += int(train.lengths[np.asarray(batch)].sum())
        for micro in layout.micro_batches(train, batch, how.token_budget, together):
            size, met, learnt = _sizes(micro)
            passes, places, pairs = passes + 1, places + size, pairs + met
            supervised += learnt
            largest, fullest = max(largest, size), max(fullest, learnt)
    times = how.steps / n
    validations = 1 + how.steps // how.evaluate_every
    work = Work(
        steps=how.steps, tokens=round(tokens * times), places=round(places * times),
        supervised=round(supervised * times), pairs=round(pairs * times), passes=round(passes * times),
        largest=largest, most_supervised=fullest, validated=int(validation.lengths.sum()) * validations,
    )  # fmt: skip
    return work, tokens / max(1, places)


def _cached(encoding: Encoding, settings: Train, base: Base) -> int:
    """Return the most tokens in the cache at once when validation and test prompts are answered."""
    if base.family == "classify" or METHODS[settings.method].kind == "prompt":
        return 0
    longest = max(int(encoding.completions(side).n_prompt.max(initial=0)) for side in ("validation", "test"))
    width = longest + settings.max_new_tokens
    return max(width, min(BATCH * width, CACHED * settings.token_budget))


def _sizes(micro: MicroBatch) -> tuple[int, int, int]:
    """Return places, pairs of places that attention works on, and supervised tokens of a forward pass."""
    if isinstance(micro, PackedBatch):
        rows, width = micro.input_ids_RT.shape
        met = rows * width * width if micro.bounds is None else int(micro.bounds.diff().long().square().sum())
        return rows * width, met, int((micro.labels_RT != IGNORE_INDEX).sum())
    assert isinstance(micro, CausalRows | PairRows | ClassRows)
    rows, width = micro.input_ids_BT.shape
    if isinstance(micro, ClassRows):
        return rows * width, rows * width * width, rows
    if isinstance(micro, CausalRows):
        return rows * width, rows * width * width, int((micro.weights_BT > 0).sum())
    width += micro.labels_BU.shape[1]
    return rows * width, rows * width * width, int((micro.weights_BU > 0).sum())


def _time(plan: Plan, shape: Shape, work: Work, means: Means) -> tuple[Speeds | None, float, str]:
    """Return this machine's speeds if they were needed, the seconds, and where these come from."""
    last = newest_run(plan.data_root, plan.recipe)
    if last is not None and last.base == plan.base and _alike(plan.settings, last.settings):
        seconds = work.tokens / max(1e-9, last.model.tokens_per_second)
        return None, seconds, f"at the {last.model.tokens_per_second:,.0f} tokens/s of run {last.key[:8]}"
    speeds = measured(work.largest, shape.hidden, shape.intermediate, bf16=means.bf16)
    seconds = seconds_of(shape, work, means, speeds)
    flops = flops_of(shape, work, means)
    said = f"{flops:.2g} FLOPs; {speeds.name} multiplies {speeds.flops / 1e9:,.0f} GFLOP/s at this size"
    return speeds, seconds, said


def _alike(now: Train, then: Mapping[str, object]) -> bool:
    """Return whether a token costs now what it cost then."""
    names = ("method", "rank", "token_budget", "precision", "attention", "activation_checkpointing", "objective")
    return all(then.get(name) == getattr(now, name) for name in names)


def _lines(
    plan: Plan, shape: Shape, work: Work, memory: Memory, train: Encoded, how: loop.Plan, fill: float, seconds: float,
    said: str,
) -> list[str]:  # fmt: skip
    units, n_units = ("pairs", len(train) // 2) if plan.settings.objective == "dpo" else ("examples", len(train))
    share = int(train.n_supervised.sum()) / max(1, int(train.lengths.sum()))
    longest, passes = int(train.lengths.argmax()), work.steps * how.batch_size / n_units
    head = [
        ("method", f"{plan.settings.method} on {plan.settings.base}"),
        (
            "parameters",
            f"{shape.n_trainable:,} of {shape.n_parameters:,} train ({shape.n_trainable / shape.n_parameters:.2%})",
        ),
        (
            "steps",
            f"{work.steps:,} of {how.batch_size} {units}: {passes:.2g} passes over {n_units:,}",
        ),
        ("tokens", f"{work.tokens:,} in all, {share:.0%} of them with loss"),
        ("longest", f"{int(train.lengths[longest]):,} tokens: {train.names[longest]}"),
        (
            "packing",
            f"{work.passes / work.steps:.1f} passes a step, of {how.token_budget:,} tokens at most, {fill:.0%} full",
        ),
    ]
    parts = [
        (name, getattr(memory, name))
        for name in ("process", "weights", "gradients", "optimizer", "activations", "logits")
    ]
    room, whose = memory_here()
    told = [f"{name:<11} {words}" for name, words in head]
    told.append(f"{'memory':<11} {gigabytes(memory.total)} of {gigabytes(room)} on {whose}")
    told += [f"{'':<11}   {name:<11} {gigabytes(size):>9}" for name, size in parts]
    told.append(f"{'':<11}   {'answers':<11} {gigabytes(memory.answers):>9}  afterwards, in place of the four above")
    told.append(f"{'time':<11} {duration(seconds)} of training, without evaluation ({said})")
    return told


def _warning(memory: Memory) -> str | None:
    room, whose = memory_here()
    if memory.total <= room:
        return None
    return (
        f"{gigabytes(memory.total)} are more than the {gigabytes(room)} of {whose}: lower token_budget, set "
        'activation_checkpointing = true, or train an adapter (method = "lora", or "qlora-4bit" on a GPU)'
    )


def gigabytes(size: float) -> str:
    """Return bytes in the unit of memory that people buy."""
    return f"{size / 2**30:,.2f} GiB" if size >= 2**30 else f"{size / 2**20:,.0f} MiB"
