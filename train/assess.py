"""From a tuned model to scores and a report."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.report import Arm, Report, ScoreArm
from schemas.training import Tuned
from train.answer_cache import AnswerCache
from train.asking import AskTuned, Examinee, Judgement, base_of, tuned_model
from train.base_text import documents
from train.checkpoint import full_disk
from train.encoded import Encoded
from train.evaluate import forgetting_of, report_of
from train.exam import Result, Side, ask_floors, metric_names, score_table
from train.floors import Floors
from train.folds import out_of_fold
from train.lm_eval_results import benchmarks
from train.model import Base
from train.plan import REPORT, SCORES, Plan
from train.prepared import Prepared, Tell
from train.prompted import Prompts, copied, prompts_of
from train.slice_facts import slice_facts
from train.tiny import encode_documents
from train.tune import write

FLOORS: tuple[Arm, ...] = ("majority", "nearest")
# Where the recipe does not say: so many folds, for models of fewer parameters than that.
FOLDS, MOST_FOLDED = 2, 1_000_000_000


def assess(
    plan: Plan,
    prepared: Prepared,
    tuned: Tuned,
    tell: Tell,
    ask_tuned: AskTuned | None = None,
    external: str | None = None,
) -> Report:
    """Score every arm, write scores.parquet and report.json in the run's folder, and return the report.

    Both models are loaded as anybody would load them, so what is judged is what was saved. An arm that fails is left
    out with its reason, unless it is the base or the model that is judged.

    Args:
        plan: Of the run.
        prepared: Its base and split.
        tuned: What training left.
        tell: Whom to tell.
        ask_tuned: Asks what is judged in place of the run's own model.
        external: What that is.

    Raises:
        ConfigError: A template that a row names is gone, or its metric is not known.
        SnapshotError: There is no room to write.
    """
    sides = prepared.sides
    metrics = metric_names(list(sides.values()), plan.templates)
    cache = AnswerCache.of(plan.data_root, tell.line)
    tell.line(f"evaluate  {', '.join(plan.evaluate.arms)} and the tuned model; NLL of train rows")
    general = _general(plan, prepared.base)
    if prepared.labels:
        tell.line("evaluate  the base's classification head is new and untrained: that arm is what chance makes of it")
    results: dict[str, dict[ScoreArm, Result]] = {name: {} for name in sides}
    prompts = prompts_of(plan, prepared, sides["test"])
    _floors(plan, prepared, results, prompts)
    untuned = Examinee(base_of(plan, prepared).model, plan, prepared, tell, cache)
    for name, side in sides.items():
        results[name]["base"] = untuned.on(side, "base")
    for arm, asked in prompts.asked.items():
        try:
            results["test"][arm] = untuned.on(replace(sides["test"], encoded=asked.encoded), arm)
        except Exception as error:  # noqa: BLE001 - one arm that fails must not take the report with it
            prompts.drop(arm, error)
    before = None if general is None else untuned.general_nll(general)
    del untuned  # two large models would not fit at once
    judged = (ask_tuned or partial(_ask_own, plan, prepared, tell))(sides, general, cache)
    for name, result in judged.results.items():
        results[name]["tuned"] = result
    if ask_tuned is None and (held := _held(plan, prepared, tuned.model.n_parameters, tell)):
        results["train"]["held"] = held
    for arm, why in prompts.left_out.items():
        tell.line(f"evaluate  {arm} is left out: {why}")
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
        if general is None or before is None or judged.general is None
        else forgetting_of(plan.settings.base_text, before, judged.general, general.n_supervised),
        curve=tuned.curve,
        left_out=prompts.left_out,
        arm_notes=prompts.notes,
        external=external,
        notes=judged.notes,
        facts=slice_facts(plan.split, "test"),
        templates=plan.templates,
    ).model_copy(update={"benchmarks": benchmarks(plan.evaluate.lm_eval_results)})
    write(plan.folder / REPORT, report.model_dump_json(indent=1))
    return report


def _floors(plan: Plan, prepared: Prepared, results: dict[str, dict[ScoreArm, Result]], prompts: Prompts) -> None:
    """Add what the arms without a model make of validation and test, as far as the recipe wants them."""
    sides = prepared.sides
    n_tokens = len(prepared.labels.numbers) if prepared.labels else len(prepared.base.tokenizer)
    templates = {name: template for name, (template, _) in plan.templates.items()}
    found: list[tuple[str, dict[ScoreArm, Result]]] = []
    try:
        floors = Floors.fit(sides["train"].floor_rows(), sides["validation"].floor_rows(), n_tokens)
        found += [(name, ask_floors(floors, sides[name])) for name in ("validation", "test")]
    except Exception as error:  # noqa: BLE001 - as for every arm
        for arm in FLOORS:
            if arm in plan.evaluate.arms:
                prompts.drop(arm, error)
    try:
        if "copy" in plan.evaluate.arms:
            copy: list[ScoreArm] = ["copy"]
            said = [(name, copied(plan, sides[name], templates)) for name in ("validation", "test")]
            found += [(name, dict.fromkeys(copy, Result(None, some))) for name, some in said]
    except Exception as error:  # noqa: BLE001 - as for every arm
        prompts.drop("copy", error)
    for name, one in found:
        results[name].update({arm: result for arm, result in one.items() if arm in plan.evaluate.arms})


def _ask_own(
    plan: Plan, prepared: Prepared, tell: Tell, sides: dict[str, Side], general: Encoded | None, cache: AnswerCache
) -> Judgement:
    return Examinee(tuned_model(plan, prepared), plan, prepared, tell, cache).judgement(sides, general)


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
