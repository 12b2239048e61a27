"""What a run learns and how: the objective, the order, the layout and the kernels, each with its reason."""

from collections.abc import Callable
from dataclasses import dataclass

from transformers import PreTrainedModel

from pipeline.snapshot import Snapshot
from schemas import ConfigError
from schemas.training import Train
from train import attention, loop, precision
from train.dpo import Dpo
from train.encoded import Encoded
from train.encoding import Encoding
from train.families import is_packed, layout_of
from train.forward import Layout
from train.isolation import TOLERANCE, leak_of
from train.methods import peak_rate
from train.mix import Mix, mix
from train.model import Base
from train.objective import Objective, Sft
from train.order import Order, plain
from train.pairs import Pairs, pairs_in, part_pairs, read_pairs
from train.plan import Plan
from train.prepared import Prepared
from train.processes import Processes
from train.trainable import prepare, without_length
from train.untrained import check_untrained, untrained_tokens


@dataclass(frozen=True)
class Lesson:
    """All that `train.loop.fit` is given.

    Attributes:
        model: With the weights that train wanting a gradient.
        objective: What a step minimises.
        order: Which units a step learns from.
        how: Steps, rates and the like.
        said: What was chosen and why, a sentence each.
    """

    model: PreTrainedModel
    objective: Objective
    order: Order
    how: loop.Plan
    said: list[str]


def lesson_of(plan: Plan, prepared: Prepared, processes: Processes) -> Lesson:
    """Return what a run learns and how.

    Raises:
        ConfigError: Settings exclude each other, or cannot be had here.
        SourceError: There is nothing to learn from.
    """
    settings, base = plan.settings, prepared.base
    numbers = precision.choose(settings.precision, base.model.device)
    longest = min(base.context, plan.encode.max_length)
    train = prepared.encoding.lessons()
    packed = is_packed(base.family, settings.method, packs=base.packs)
    kernels = attention.choose(settings.attention, base.model, packed=packed, bf16=numbers.bf16, longest=longest)
    if packed or settings.attention != "auto":
        kernels.use(base.model)
    said = _notes(base, settings)
    model = prepare(base, settings, _untrained(prepared, settings, said.append))
    layout = layout_of(base.family, settings.method, model, len(train), flat=kernels.flat, packs=base.packs)
    said += [f"{layout.why}; {kernels.why}" if packed else layout.why, f"numbers: {numbers.why}"]
    if packed:
        with numbers.forward(model.device):
            _prove_apart(model, layout, train, bf16=numbers.bf16)
    if settings.activation_checkpointing:
        precision.checkpoint_activations(model)
    if processes.n > 1:
        said.append(processes.why)
    if settings.dropout:
        said.append(
            "dropout draws other numbers when examples are packed in another way: equal on average, not to the bit"
        )
    objective: Objective
    if settings.objective == "dpo":
        objective, order, steps = _preferences(plan, prepared, model, layout, processes, said.append)
    else:
        learnt = mixed(plan, prepared.encoding, base)
        order, steps = learnt.order, learnt.steps
        objective = Sft(learnt.data, prepared.sides["validation"].encoded, layout, processes)
        if learnt.n_documents:
            said.append(f"{settings.replay_share:.0%} of each batch is general text, {learnt.n_documents:,} documents")
    return Lesson(model, objective, order, how_to(settings, order.batch_size, steps, numbers), said)


def mixed(plan: Plan, encoding: Encoding, base: Base) -> Mix:
    """Return what supervised fine-tuning learns from and in which order; only tokenizer and context of `base` count."""
    longest = min(base.context, plan.encode.max_length)
    templates = encoding.lesson_templates()
    return mix(plan.settings, encoding.lessons(), templates, plan.templates, base.tokenizer, longest, base.family)


def how_long(plan: Plan, encoding: Encoding, base: Base) -> tuple[int, int]:
    """Return batch size and steps of a run."""
    if plan.settings.objective == "sft":
        learnt = mixed(plan, encoding, base)
        return learnt.order.batch_size, learnt.steps
    return _rounds(plan.settings, len(pairs_of(plan).learn))


def pairs_of(plan: Plan) -> Pairs:
    """Return the pairs of the file that is named, or those in the split, parted by its sides."""
    if plan.settings.preferences is None:
        return pairs_in(plan.split)
    return part_pairs(read_pairs(plan.settings.preferences), _prompts(plan.split))


def _rounds(settings: Train, n: int) -> tuple[int, int]:
    """Return batch size and steps over n pairs."""
    batch_size = min(settings.batch_size, n)
    steps = max(1, round(settings.epochs * n / batch_size))
    return batch_size, min(steps, settings.max_steps or steps)


def _preferences(
    plan: Plan,
    prepared: Prepared,
    model: PreTrainedModel,
    layout: Layout,
    processes: Processes,
    say: Callable[[str], None],
) -> tuple[Dpo, Order, int]:
    """Return the objective over people's pairs, their order and the steps it takes."""
    settings = plan.settings
    if wrong := _not_for_pairs(settings, prepared, processes):
        raise ConfigError(
            f"objective = 'dpo' does not go with {wrong}",
            where="[train] objective",
            fix="leave that out, or set objective = 'sft'",
        )
    pairs = pairs_of(plan)
    encode = prepared.encoder.encode
    learn, judge = (encode([row for pair in some for row in pair.rows()]) for some in (pairs.learn, pairs.judge))
    say(
        f"learns from {len(pairs.learn):,} preference pairs, {len(pairs.judge):,} choose the best step; "
        f"{pairs.n_test:,} have a test prompt and are left out; log 2 = 0.693 is the loss of the base"
    )
    objective = Dpo(model, learn, judge, layout, beta=settings.beta, token_budget=settings.token_budget)
    batch_size, steps = _rounds(settings, len(objective))
    return objective, plain(len(objective), batch_size, settings.seed), steps


def _not_for_pairs(settings: Train, prepared: Prepared, processes: Processes) -> str | None:
    """Return the first setting that preference tuning cannot honour."""
    if prepared.base.family == "classify":
        return "a classifier: it has no answers to prefer, only classes"
    if processes.n > 1:
        return "several processes"
    for name in ("task_weights", "sequence", "replay_share", "replay_text"):
        if getattr(settings, name):
            return f"{name}: pairs are learnt alike"
    return None


def _prompts(split: Snapshot) -> dict[str, list[object]]:
    """Return the prompts of the validation and test sides, as lists of messages."""
    found: dict[str, list[object]] = {"validation": [], "test": []}
    for file in split.manifest.files:
        side = file.name.partition("-")[0]
        if side in found:
            for batch in Snapshot.read_part(split.folder / file.name, ["prompt"]):
                found[side] += batch.column("prompt").to_pylist()
    return found


def _prove_apart(model: PreTrainedModel, layout: Layout, train: Encoded, *, bf16: bool) -> None:
    """Return if packed examples are as likely as each alone, on this model and with these kernels.

    Raises:
        ConfigError: They are not, though the base as it came kept them apart.
    """
    leak = leak_of(model, layout, train)
    if not leak <= TOLERANCE[bf16]:  # nor a leak that is no number
        raise ConfigError(
            f"packed examples see each other with these kernels: together they change by {leak:.3f} nats a token",
            where=f"a model of type {model.config.model_type}, attention {model.config._attn_implementation}",
            fix="set [train] attention = 'eager'",
        )


def _notes(base: Base, settings: Train) -> list[str]:
    """Return what the method does to this base that nobody would expect."""
    notes = []
    if base.made:
        notes.append(f"new, and trained in full: {', '.join(base.made)}")
    if settings.method in ("head", "last-k") and base.model.config.tie_word_embeddings and base.family != "classify":
        notes.append("the output layer shared the weights of the embeddings; it has its own now, and these stand still")
    if settings.method == "dora" and (left := without_length(base.model)):
        notes.append(
            f"DoRA leaves out {len(left)} layers with rows of zeros, whose length it cannot divide by: {left[0]}"
        )
    return notes


def _untrained(prepared: Prepared, settings: Train, say: Callable[[str], None]) -> tuple[int, ...]:
    """Return the control tokens whose embeddings train beside an adapter; none for tiny, which never saw any."""
    base = prepared.base
    if settings.base == "tiny" or base.family != "causal":
        return ()
    found = untrained_tokens(base.model, base.tokenizer, [prepared.sides["train"].encoded])
    if found:
        say(check_untrained(settings, [str(name) for name in base.tokenizer.convert_ids_to_tokens(list(found))]))
    return found


def how_to(settings: Train, batch_size: int, steps: int, numbers: precision.Precision = precision.FP32) -> loop.Plan:
    """Return the loop's plan for so many steps."""
    return loop.Plan(
        steps=steps,
        batch_size=batch_size,
        learning_rate=peak_rate(settings)[0],
        warmup=max(1, round(settings.warmup_share * steps)),
        weight_decay=settings.weight_decay,
        clip=settings.clip,
        token_budget=settings.token_budget,
        evaluate_every=settings.evaluate_every or max(1, steps // 8),
        seed=settings.seed,
        schedule=settings.schedule,
        final_share=settings.final_share,
        patience=settings.patience,
        precision=numbers,
    )
