"""From a tuned model to scores and a report."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers import PreTrainedModel

from schemas.report import Arm, Judged, Report, ScoreArm
from schemas.training import Tuned
from train.base_text import documents
from train.checkpoint import full_disk
from train.encoded import Encoded
from train.evaluate import forgetting_of, report_of
from train.exam import Result, Side, ask, ask_floors, metric_names, score_table
from train.families import layout_of
from train.floors import Floors
from train.folds import out_of_fold
from train.forward import Layout
from train.judge import judge_side
from train.likelihood import example_nll
from train.lm_eval_results import benchmarks
from train.memory import within_memory
from train.methods import METHODS
from train.model import Base, load_base
from train.plan import MODEL, REPORT, SCORES, Plan
from train.prepared import Prepared, Tell
from train.reload import load_adapter, load_whole
from train.slice_facts import slice_facts
from train.tiny import encode_documents
from train.tune import write

# Where the recipe does not say: so many folds, for models of fewer parameters than that.
FOLDS, MOST_FOLDED = 2, 1_000_000_000


def assess(plan: Plan, prepared: Prepared, tuned: Tuned, tell: Tell) -> Report:
    """Score every arm, write scores.parquet and report.json in the run's folder, and return the report.

    Both models are loaded as anybody would load them, so what is judged is what was saved.

    Raises:
        ConfigError: A template that a row names is gone, or its metric is not known.
        SnapshotError: There is no room to write.
    """
    sides = prepared.sides
    metrics = metric_names(list(sides.values()), plan.templates)
    tell.line("evaluate  floors, base and tuned model on validation and test; NLL of train rows")
    general = _general(plan, prepared.base)
    n_classes = len(prepared.labels.numbers) if prepared.labels else None
    if n_classes:
        tell.line("evaluate  the base's classification head is new and untrained: that arm is what chance makes of it")
    results: dict[str, dict[ScoreArm, Result]] = {name: {} for name in sides}
    forgotten: dict[Arm, np.ndarray] = {}
    floors = Floors.fit(
        sides["train"].floor_rows(), sides["validation"].floor_rows(), n_classes or len(prepared.base.tokenizer)
    )
    for name in ("validation", "test"):
        results[name].update(ask_floors(floors, sides[name]))
    arms: tuple[Arm, ...] = ("base", "tuned")
    for arm in arms:
        model = _base(plan, prepared).model if arm == "base" else tuned_model(plan, prepared)
        with _numbers(model):
            for name, side in sides.items():
                results[name][arm] = _ask(model, plan, prepared, side, arm, tell)
            if general is not None:
                layout = _layout(model, plan, prepared)
                forgotten[arm] = example_nll(model, general, layout, token_budget=plan.settings.token_budget)
        del model  # two large models would not fit at once
    if held := _held(plan, prepared, tuned.model.n_parameters, tell):
        results["train"]["held"] = held
    table = pa.concat_tables([score_table(side, results[name], metrics) for name, side in sides.items()])
    try:
        draft = plan.folder / f".{SCORES}.draft"
        pq.write_table(table, draft, compression="zstd", write_page_checksum=True)
        draft.replace(plan.folder / SCORES)
    except OSError as error:
        raise full_disk(error, plan.folder / SCORES) from error
    report = report_of(
        table.to_pandas(),
        sides,
        recipe=plan.recipe,
        data_version=plan.split.manifest.version,
        model=tuned.model,
        forgetting=None
        if general is None
        else forgetting_of(plan.settings.base_text, forgotten["base"], forgotten["tuned"], general.n_supervised),
        curve=tuned.curve,
        facts=slice_facts(plan.split, "test"),
        templates=plan.templates,
    ).model_copy(
        update={
            "judge": _judged(plan, sides["validation"], results["validation"], tell),
            "benchmarks": benchmarks(plan.evaluate.lm_eval_results),
        }
    )
    write(plan.folder / REPORT, report.model_dump_json(indent=1))
    return report


def _judged(plan: Plan, side: Side, results: Mapping[ScoreArm, Result], tell: Tell) -> Judged | None:
    """Return what the judge says, if the recipe names one; one that does not answer is a warning and no error."""
    tuned, base, settings = results["tuned"].answers, results["base"].answers, plan.evaluate.judge
    if settings is None or tuned is None or base is None:
        return None
    tell.line(f"evaluate  the judge {settings.model} compares tuned with base on the validation side")
    said = [[answer or "" for answer in arm] for arm in (tuned, base)]
    judged = judge_side(settings, plan.split, side, said[0], said[1], plan.folder)
    if judged.failed:
        tell.line(f"evaluate  warning: the report is made without the judge: {judged.failed}")
    return judged


def _numbers(model: PreTrainedModel) -> AbstractContextManager[object]:
    """Return what a forward pass must run in: a bfloat16 base beside a float32 adapter or head needs autocast."""
    held = {weight.dtype for weight in model.parameters()}
    return torch.autocast(model.device.type, torch.bfloat16) if torch.bfloat16 in held else nullcontext()


def _held(plan: Plan, prepared: Prepared, n_parameters: int, tell: Tell) -> Result | None:
    """Return what models that have not seen them make of the train rows, if the recipe wants that."""
    if plan.settings.objective != "sft":
        return None
    k = plan.evaluate.folds
    if k is None:
        k = FOLDS if n_parameters < MOST_FOLDED else 0
        if not k:
            tell.line(f"folds     none, which would train {FOLDS} more models of this size: [evaluate] folds = {FOLDS}")
    if not k:
        return None
    judged = out_of_fold(plan, prepared, k, tell)
    nll = judged.nll / prepared.sides["train"].encoded.n_supervised
    return Result(nll, judged.answers, doubt=judged.doubt)


def _general(plan: Plan, base: Base) -> Encoded | None:
    """Return held general text; None for models that write no text of their own accord."""
    if base.family != "causal":
        return None
    _, held = documents(Path(plan.settings.base_text))
    return encode_documents(base.tokenizer, held, min(base.context, plan.encode.max_length), plan.settings.base_text)


def _ask(model: PreTrainedModel, plan: Plan, prepared: Prepared, side: Side, arm: Arm, tell: Tell) -> Result:
    """Return what a model makes of a side; train rows are not answered, since the model has seen their answers."""
    base = prepared.base

    def attempt(token_budget: int) -> Result:
        return ask(
            model,
            prepared.encoder,
            side,
            tokenizer=base.tokenizer,
            layout=_layout(model, plan, prepared),
            family=base.family,
            token_budget=token_budget,
            context=base.context,
            max_new_tokens=None if side.name == "train" else plan.settings.max_new_tokens,
            tell=lambda done, of: tell.asked(f"{arm} on {side.name}", done, of),
        )

    longest = int(side.encoded.lengths.max(initial=1))
    found, _ = within_memory(attempt, plan.settings.token_budget, longest, lambda line: tell.line(f"evaluate  {line}"))
    return found


def _layout(model: PreTrainedModel, plan: Plan, prepared: Prepared) -> Layout:
    base, n_train = prepared.base, len(prepared.sides["train"].encoded)
    return layout_of(base.family, plan.settings.method, model, n_train, packs=base.packs)


def _base(plan: Plan, prepared: Prepared) -> Base:
    labels = prepared.labels.known if prepared.labels else None
    return load_base(plan.settings, prepared.source, plan.encode, labels)


def tuned_model(plan: Plan, prepared: Prepared) -> PreTrainedModel:
    """Return the tuned model as it lies on disk."""
    folder = plan.folder / MODEL
    if METHODS[plan.settings.method].is_adapter:
        return load_adapter(_base(plan, prepared), plan.settings.method, folder)
    return load_whole(prepared.base.family, folder)
