"""From a split to a tuned model on disk."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.snapshot import make_folder, sync
from schemas.report import Model
from schemas.training import Train, Tuned
from train.checkpoint import BEST, full_disk, load_weights, put_back, step_of
from train.lesson import lesson_of
from train.loop import Reading, fit
from train.methods import peak_rate
from train.model import count, load_base, save_model
from train.moved import Moved
from train.plan import MODEL, Plan
from train.prepared import Prepared, Tell
from train.processes import ALONE, Processes
from train.trainable import prepare

TUNED = "tuned.json"


def tune(plan: Plan, prepared: Prepared, tell: Tell, processes: Processes = ALONE) -> Tuned:
    """Train and save the model in the run's folder, or return what an earlier try left there.

    Of several processes all train, and the first saves.

    Raises:
        DataError: The run cannot go on; the checkpoint stands, and the same command goes on from it.
    """
    folder, settings, base = make_folder(plan.folder), plan.settings, prepared.base
    if (folder / TUNED).is_file():
        return Tuned.model_validate_json((folder / TUNED).read_bytes())
    lesson = lesson_of(plan, prepared, processes)
    model = lesson.model
    n_parameters, n_trainable = count(model)
    rate, origin = peak_rate(settings)

    def say(line: str) -> None:
        tell.line(f"train     {line}")

    units = "pairs" if settings.objective == "dpo" else "examples"
    say(
        f"{settings.method} on {settings.base}: {n_trainable:,} of {n_parameters:,} parameters, "
        f"{lesson.how.steps:,} steps of {lesson.how.batch_size} {units}, learning rate {rate:g} ({origin})"
    )
    for line in lesson.said:
        say(line)
    processes.spread(model)
    # Shards of a tensor may stay as they are while the whole moves.
    look = (lambda *_: None) if processes.sharded else Moved(model)
    step = step_of(folder / "checkpoint") or 0
    with _events(settings, folder, step, processes) as write_event:

        def read(at: Reading) -> None:
            write_event(at)
            tell.reading("train", at)

        done = fit(
            model, lesson.objective, lesson.how, folder, read, order=lesson.order, processes=processes, say=say,
            check=look,
        )  # fmt: skip
    tuned = Tuned(
        model=Model(
            run=plan.key,
            base=settings.base,
            method=settings.method,
            family=base.family,
            n_parameters=n_parameters,
            n_trainable=n_trainable,
            steps=done.steps,
            best_step=done.best_step,
            train_seconds=round(done.seconds, 1),
            tokens_per_second=round(done.tokens / max(done.seconds, 1e-9), 1),
        ),
        curve=done.curve,
    )
    best = f"{lesson.objective.measure} {done.best_nll:.4f}"
    say(f"keeps step {done.best_step:,} of {done.steps:,}, the best by validation {best}")
    if not processes.first:
        return tuned
    if processes.sharded:  # here is a part of each weight; what is saved is the whole model, with the best weights
        labels = prepared.labels.known if prepared.labels else None
        model = prepare(load_base(settings, prepared.source, plan.encode, labels), settings)
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
