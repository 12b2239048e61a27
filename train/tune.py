"""From a split to a tuned model on disk."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.snapshot import make_folder, sync
from schemas.report import Model
from schemas.training import Train, Tuned
from train import attention, loop, precision
from train.checkpoint import BEST, full_disk, load_weights, put_back, step_of
from train.encode import Encoder
from train.encoding import Encoding, encode_split
from train.exam import Side, read_side
from train.loop import Reading, fit
from train.mix import mix
from train.model import Base, count, load_base, peak_rate, prepare, save_model
from train.objective import Sft
from train.pack import Packed
from train.plan import MODEL, Plan
from train.processes import ALONE, Processes
from train.tiny import build_tiny

TUNED = "tuned.json"


@dataclass(frozen=True)
class Tell:
    """Whom to tell what.

    Attributes:
        line: A sentence.
        reading: Of the loop; the first argument says what is trained.
        asked: What is asked, how many prompts are done, and of how many.
    """

    line: Callable[[str], None]
    reading: Callable[[str, Reading], None]
    asked: Callable[[str, int, int], None]


@dataclass(frozen=True)
class Prepared:
    """The base and the split in its tokens: what is learnt in `encoding`, what is asked in `sides`."""

    source: Path | str
    base: Base
    encoder: Encoder
    sides: dict[str, Side]
    encoding: Encoding


def prepare_run(plan: Plan, tell: Tell) -> Prepared:
    """Return base and split, loaded and checked; the base is made first if it is tiny and not there.

    Raises:
        DataError: The base or a row cannot be used.
    """
    settings = plan.settings
    source: Path | str = settings.base
    if settings.base == "tiny":
        source = build_tiny(settings, plan.tiny, plan.data_root, tell.line, lambda at: tell.reading("base", at))
    elif Path(settings.base).expanduser().is_dir():
        source = Path(settings.base).expanduser()
    base = load_base(settings, source, plan.encode)
    encoder = Encoder(
        base.tokenizer, min(plan.encode.max_length, base.context), f"[train] base = {settings.base!r}",
        plan.encode.chat_template_kwargs, plan.encode.shots,
    )  # fmt: skip
    encoding = encode_split(plan.split, encoder, plan.encode, plan.data_root, plan.recipe, tell.line)
    sides = {
        name: read_side(plan.split, name, encoder, encoding.completions(name))
        for name in ("train", "validation", "test")
    }
    return Prepared(source, base, encoder, sides, encoding)


def tune(plan: Plan, prepared: Prepared, tell: Tell, processes: Processes = ALONE) -> Tuned:
    """Train and save the model in the run's folder, or return what an earlier try left there.

    Of several processes all train, and the first saves.

    Raises:
        DataError: The run cannot go on; the checkpoint stands, and the same command goes on from it.
    """
    folder, settings = make_folder(plan.folder), plan.settings
    if (folder / TUNED).is_file():
        return Tuned.model_validate_json((folder / TUNED).read_bytes())
    base, validation = prepared.base, prepared.sides["validation"].encoded
    longest = min(base.context, plan.encode.max_length)
    numbers = precision.choose(settings.precision, base.model.device)
    kernels = attention.choose(settings.attention, base.model, packed=True, bf16=numbers.bf16, longest=longest)
    kernels.use(base.model)
    layout = Packed(flat=kernels.flat)
    learnt = mix(
        settings,
        prepared.encoding.lessons(),
        prepared.encoding.lesson_templates(),
        plan.templates,
        base.tokenizer,
        longest,
    )
    how = replace(_how(settings, learnt.order.batch_size, learnt.steps), precision=numbers)
    model = prepare(base, settings)
    n_parameters, n_trainable = count(model)
    rate, origin = peak_rate(settings)
    tell.line(
        f"train     {settings.method} on {settings.base}: {n_trainable:,} of {n_parameters:,} parameters, "
        f"{how.steps:,} steps of {how.batch_size} examples, learning rate {rate:g} ({origin})"
    )
    for line in _said(settings, layout.why, kernels.why, numbers.why, processes, learnt.n_documents):
        tell.line(f"train     {line}")
    if (step := step_of(folder / "checkpoint")) is not None:
        tell.line(f"train     goes on from step {step:,}, where it was stopped")
    if settings.activation_checkpointing:
        precision.checkpoint_activations(model)
    processes.spread(model)
    with _events(settings, folder, step or 0, processes) as write_event:

        def read(at: Reading) -> None:
            write_event(at)
            tell.reading("train", at)

        done = fit(
            model, Sft(learnt.data, validation, layout, processes), how, folder, read,
            order=learnt.order, processes=processes, say=lambda line: tell.line(f"train     {line}"),
        )  # fmt: skip
    tuned = Tuned(
        model=Model(
            run=plan.key,
            base=settings.base,
            method=settings.method,
            n_parameters=n_parameters,
            n_trainable=n_trainable,
            steps=done.steps,
            best_step=done.best_step,
            train_seconds=round(done.seconds, 1),
            tokens_per_second=round(done.tokens / max(done.seconds, 1e-9), 1),
        ),
        curve=done.curve,
    )
    tell.line(
        f"train     keeps step {done.best_step:,} of {done.steps:,}, the best by validation NLL {done.best_nll:.4f}"
    )
    if not processes.first:
        return tuned
    if processes.sharded:  # here is a part of each weight; what is saved is the whole model, with the best weights
        model = prepare(load_base(settings, prepared.source, plan.encode), settings)
        put_back(model, load_weights(folder / BEST))
    save_model(model, base.tokenizer, prepared.encoder.stop_id, folder / MODEL)
    write(folder / TUNED, tuned.model_dump_json(indent=1))
    return tuned


@contextmanager
def _events(settings: Train, folder: Path, step: int, processes: Processes) -> Iterator[Callable[[Reading], None]]:
    """Give what writes a reading for TensorBoard, or does nothing if nobody wants it."""
    if not settings.tensorboard or not processes.first:
        yield lambda _: None
        return
    # TensorBoard takes a second to load.
    with importlib.import_module("train.events").Events(folder / "events", step) as events:
        yield events.write


def _said(
    settings: Train, layout: str, kernels: str, numbers: str, processes: Processes, n_documents: int
) -> Iterator[str]:
    """Yield what was chosen and why."""
    yield f"{layout}; {kernels}"
    yield f"numbers: {numbers}"
    if processes.n > 1:
        yield processes.why
    if n_documents:
        yield f"{settings.replay_share:.0%} of each batch is general text, {n_documents:,} documents"
    if settings.dropout:
        yield "dropout draws other numbers when examples are packed in another way: equal on average, not to the bit"


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        SnapshotError: There is no room for it.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(text + "\n", encoding="utf-8")
        sync(draft)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise full_disk(error, path) from error


def _how(settings: Train, batch_size: int, steps: int) -> loop.Plan:
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
    )
