"""From a split to a tuned model on disk."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.snapshot import make_folder, sync
from schemas.report import Model
from schemas.training import Train, Tuned
from train import loop
from train.checkpoint import full_disk, step_of
from train.encode import Encoder
from train.encoding import Encoding, encode_split
from train.exam import Side, read_side
from train.loop import Reading, fit
from train.model import Base, count, load_base, peak_rate, prepare, save_model
from train.objective import Sft
from train.pack import Packed
from train.plan import MODEL, Plan
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


def tune(plan: Plan, prepared: Prepared, tell: Tell) -> Tuned:
    """Train and save the model in the run's folder, or return what an earlier try left there.

    Raises:
        DataError: The run cannot go on; the checkpoint stands, and the same command goes on from it.
    """
    folder, settings = make_folder(plan.folder), plan.settings
    if (folder / TUNED).is_file():
        return Tuned.model_validate_json((folder / TUNED).read_bytes())
    train, validation = prepared.encoding.lessons(), prepared.sides["validation"].encoded
    model = prepare(prepared.base, settings)
    how = _how(settings, len(train))
    rate, origin = peak_rate(settings)
    n_parameters, n_trainable = count(model)
    tell.line(
        f"train     {settings.method} on {settings.base}: {n_trainable:,} of {n_parameters:,} parameters, "
        f"{how.steps:,} steps of {how.batch_size} examples, learning rate {rate:g} ({origin})"
    )
    if (step := step_of(folder / "checkpoint")) is not None:
        tell.line(f"train     goes on from step {step:,}, where it was stopped")
    done = fit(model, Sft(train, validation, Packed()), how, folder, lambda at: tell.reading("train", at))
    save_model(model, prepared.base.tokenizer, prepared.encoder.stop_id, folder / MODEL)
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
    write(folder / TUNED, tuned.model_dump_json(indent=1))
    return tuned


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


def _how(settings: Train, n: int) -> loop.Plan:
    """Return the loop's plan for n examples."""
    batch_size = min(settings.batch_size, n)
    steps = max(1, round(settings.epochs * n / batch_size))
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
    )
