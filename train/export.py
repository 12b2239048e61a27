"""A tuned model as a folder that other tools take as it is: weights, tokenizer, template, stops, tokens, and proof.

data/runs/9f3c.../model  ->  adapter/ merged/ golden.jsonl Modelfile tokens/*.parquet train_trl.py export.json
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from peft import PeftConfig
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from pipeline.snapshot import make_folder, sync
from schemas import ConfigError, SnapshotError, Strict
from schemas.method import Family, Method
from schemas.training import Train
from train.asking import tuned_model
from train.checkpoint import full_disk, trained
from train.encoded import Encoded
from train.exam import Side
from train.golden import Asking, ask_golden, write_golden
from train.lesson import how_long, how_to
from train.lm_eval_task import FOLDER as LM_EVAL_FOLDER
from train.lm_eval_task import write_lm_eval
from train.merge import Precision, Written, write_whole
from train.methods import METHODS
from train.model import release
from train.modelfile import chat_shape, modelfile
from train.plan import MODEL, Plan
from train.prepared import Prepared, Tell, prepare_run
from train.run import quiet_transformers
from train.serving_tokenizer import adds_bos, leave_bos_to_template, settle
from train.token_table import has_weights, write_tokens
from train.trainable import prepare
from train.trl_script import trl_script

EXPORT, GOLDEN, MODELFILE, SCRIPT, TOKENS = "export.json", "golden.jsonl", "Modelfile", "train_trl.py", "tokens"
ADAPTER, MERGED, WHOLE = "adapter", "merged", "model"
N_GOLDEN, N_ASKED = 3, 8


class Exported(Strict):
    """What an export holds: `export.json`, written last."""

    run: str
    recipe: str
    base: str
    method: Method
    family: Family
    split: str
    precision: Precision | None
    largest_logit_difference: float | None
    tolerance: float | None
    n_asked: int
    n_stopped: int
    left_out: list[str]
    files: list[str]


@dataclass(frozen=True)
class _Run:
    """A run ready to be exported."""

    plan: Plan
    prepared: Prepared
    family: Family
    how: Asking

    @property
    def settings(self) -> Train:
        return self.plan.settings


def export(
    plan: Plan, to: Path, precision: Precision, tell: Tell, *, force: bool = False, lm_eval: bool = False
) -> Exported:
    """Write a run's model and data into a folder, whole or not at all, and return what is in it.

    Args:
        plan: Of a finished run.
        to: Folder; new, empty, or with `force` an earlier export.
        precision: Of the merged weights on disk.
        tell: Whom to tell.
        force: Replace an earlier export.
        lm_eval: Write the test side as tasks of lm-eval too.

    Raises:
        ConfigError: The folder holds something, or the base cannot be loaded.
        GateError: The merged model is another one.
        SnapshotError: There is no room.
    """
    _may_write(to, force=force)
    to = to.resolve()  # `.` has no name
    quiet_transformers()
    draft = to.with_name(f".{to.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        exported = _write(plan, draft, precision, tell, lm_eval=lm_eval)
        for path in sorted(draft.rglob("*")):
            sync(path)
        _put(draft, to)
    except (OSError, SnapshotError) as error:
        if isinstance(error, SnapshotError) and not error.where.startswith(str(draft)):
            raise
        what = error.what if isinstance(error, SnapshotError) else full_disk(error, to).what
        fix = "make room there, or name a folder that you may write to, and export again"
        raise SnapshotError(what, where=f"--to {to}", fix=fix) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return exported


def _write(plan: Plan, folder: Path, precision: Precision, tell: Tell, *, lm_eval: bool) -> Exported:
    run = _open(plan, tell)
    left_out: list[str] = []
    trains = _trains(run)
    release(run.prepared.base.model)  # of the base no more than its names is needed beside the tuned model
    adapter = _copy_adapter(run, folder, left_out)
    tokenizer = _tokenizer(run, left_out)
    written = _write_model(run, tokenizer, folder, precision, left_out, tell)
    n_asked, n_stopped = _stops(run, written.model) if written else (0, 0)
    if n_asked:
        tell.line(f"export    {n_stopped} of {n_asked} answers to train prompts stop by themselves")
    tokens = make_folder(folder / TOKENS)
    lessons = run.prepared.encoding.lessons()  # of one row there may be several
    write_tokens(lessons, lessons.names, run.family, tokens / "train.parquet")
    for name in ("validation", "test"):
        side = run.prepared.sides[name]
        write_tokens(side.encoded, [row["origin"] for row in side.rows], run.family, tokens / f"{name}.parquet")
    _write_modelfile(run, tokenizer, folder, left_out)
    _write_script(run, folder, adapter, trains, left_out)
    if lm_eval:
        left_out += _write_tasks(run, tokenizer, folder)
    for line in left_out:
        tell.line(f"export    {line}")
    exported = Exported(
        run=plan.key, recipe=plan.recipe, base=run.settings.base, method=run.settings.method, family=run.family,
        split=plan.split.manifest.version, precision=precision if written else None,
        largest_logit_difference=written.difference if written else None,
        tolerance=written.tolerance if written else None, n_asked=n_asked, n_stopped=n_stopped, left_out=left_out,
        files=sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()),
    )  # fmt: skip
    (folder / EXPORT).write_text(exported.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return exported


def _open(plan: Plan, tell: Tell) -> _Run:
    prepared = prepare_run(plan, tell)
    family = prepared.base.family
    stop = prepared.encoder.stop_id
    how = Asking(family, -1 if stop is None else stop, prepared.base.context)  # a classifier says nothing that stops
    return _Run(plan, prepared, family, how)


def _trains(run: _Run) -> list[str]:
    """Return the names of the weights that train where the model itself does in part; else none."""
    if run.settings.method not in ("last-k", "head"):
        return []
    return sorted(trained(prepare(run.prepared.base, run.settings)))


def _copy_adapter(run: _Run, folder: Path, left_out: list[str]) -> PeftConfig | None:
    if not METHODS[run.settings.method].is_adapter:
        return None
    shutil.copytree(run.plan.folder / MODEL, folder / ADAPTER)
    if run.settings.method == "loftq":
        left_out.append(f"{ADAPTER}/ belongs on the base rounded to NF4: on the base as it came it is another model")
    return cast("PeftConfig", PeftConfig.from_pretrained(str(folder / ADAPTER)))


def _tokenizer(run: _Run, left_out: list[str]) -> PreTrainedTokenizerBase:
    tokenizer = run.prepared.base.tokenizer
    if run.family == "causal":
        left_out += settle(tokenizer, run.plan.encode.chat_template_kwargs, run.how.stop)
    return tokenizer


def _write_model(
    run: _Run, tokenizer: PreTrainedTokenizerBase, folder: Path, precision: Precision, left_out: list[str], tell: Tell
) -> Written | None:
    """Write golden.jsonl, and the model without adapter if there can be one."""
    model = _tuned(run)
    golden = ask_golden(model, _prompts(run.prepared.sides["train"], N_GOLDEN), run.how)
    write_golden(golden, tokenizer, run.prepared.encoder.read_back, folder / GOLDEN)
    method = run.settings.method
    # Learnt places before the prompt, or gates beside attention: there is no matrix to add them to.
    if METHODS[method].kind in ("prompt", "adapters"):
        left_out.append(
            f"no merged model: what {method} learns cannot be worked into the weights; use adapter/ with its base"
        )
        return None
    place = folder / (MERGED if METHODS[method].is_adapter else WHOLE)
    written = write_whole(model, tokenizer, golden, run.how, place, precision)
    leave_bos_to_template(tokenizer, place)
    same = "base and adapter do" if METHODS[method].is_adapter else "the tuned model does"
    tell.line(
        f"export    {place.name}/ ({precision}) answers as {same}: {len(golden)} golden prompts, "
        f"largest logit difference {written.difference:.2g} (at most {written.tolerance:.2g})"
    )
    return written


def _tuned(run: _Run) -> PreTrainedModel:
    """Return the tuned model as it lies on disk, in float32, none of its weights quantised."""
    method = run.settings.method
    plain: Method = "lora" if method.startswith("qlora-") else method
    settings = run.settings.model_copy(update={"method": plain, "precision": "fp32"})
    return tuned_model(replace(run.plan, settings=settings), run.prepared)


def _stops(run: _Run, model: PreTrainedModel) -> tuple[int, int]:
    """Return how many train prompts were asked of the written model, and how many answers ended by themselves."""
    if run.family == "classify":
        return 0, 0
    how = Asking(run.family, run.how.stop, run.how.context, run.settings.max_new_tokens)
    said = ask_golden(model, _prompts(run.prepared.sides["train"], N_ASKED), how)
    return len(said), sum(one.answer[-1:] == [run.how.stop] for one in said)


def _prompts(side: Side, n: int) -> list[tuple[str, Sequence[int]]]:
    """Return examples spread over a side, with their prompts."""
    encoded: Encoded = side.encoded
    places = sorted({round(share * (len(encoded) - 1) / max(1, n - 1)) for share in range(n)})
    return [(str(side.rows[i]["id"]), encoded.prompt(i).tolist()) for i in places]


def _write_modelfile(run: _Run, tokenizer: PreTrainedTokenizerBase, folder: Path, left_out: list[str]) -> None:
    model = next((name for name in (MERGED, WHOLE) if (folder / name).is_dir()), None)
    if run.family != "causal" or model is None:
        why = (
            "there is no merged model"
            if run.family == "causal"
            else f"Ollama serves causal models, this is {run.family}"
        )
        left_out.append(f"no {MODELFILE}: {why}")
        return
    stop = str(tokenizer.convert_ids_to_tokens(run.how.stop))
    try:
        shape = chat_shape(tokenizer, stop, f"chat template of {run.settings.base}")
        text = modelfile(shape, stop, model, adds_bos=str(tokenizer.bos_token) if adds_bos(tokenizer) else None)
    except ConfigError as error:
        # The rest of the export is as good without it.
        left_out.append(f"no {MODELFILE}: {error}")
        return
    (folder / MODELFILE).write_text(text, encoding="utf-8")


def _write_script(run: _Run, folder: Path, adapter: PeftConfig | None, trains: list[str], left_out: list[str]) -> None:
    if run.family != "causal" or run.settings.objective != "sft":
        left_out.append(f"no {SCRIPT}: it is written for causal models trained on answers (sft)")
        return
    train = run.prepared.encoding.lessons()
    source = run.prepared.source
    text = trl_script(
        run.settings,
        how_to(run.settings, *how_long(run.plan, run.prepared.encoding, run.prepared.base)),
        run=run.plan.key,
        source=str(source.absolute()) if isinstance(source, Path) else source,
        tokenizer=ADAPTER if adapter else WHOLE,
        adapter=adapter,
        modules=[name for name, _ in run.prepared.base.model.named_modules()],
        trained=trains,
        longest=int(train.lengths.max()),
        weighted=has_weights(train),
    )
    (folder / SCRIPT).write_text(text, encoding="utf-8")


def _write_tasks(run: _Run, tokenizer: PreTrainedTokenizerBase, folder: Path) -> list[str]:
    """Write the test side for lm-eval, and return what is to be known of it."""
    if run.family != "causal":
        return [f"no {LM_EVAL_FOLDER}/: its prompts are written for causal models, this is {run.family}"]
    whole = next((name for name in (MERGED, WHOLE) if (folder / name).is_dir()), None)
    return write_lm_eval(
        run.prepared.sides["test"],
        {name: template for name, (template, _) in run.plan.templates.items()},
        tokenizer,
        folder / LM_EVAL_FOLDER,
        recipe=run.plan.recipe,
        stop=run.how.stop,
        context=run.how.context,
        max_new_tokens=run.settings.max_new_tokens,
        model=f"../{whole}" if whole else None,
    )


def _may_write(to: Path, *, force: bool) -> None:
    """Return if the folder may be written.

    Raises:
        ConfigError: It holds something that is not ours to replace.
    """
    if not to.exists() or (to.is_dir() and not any(to.iterdir())):
        return
    ours = (to / EXPORT).is_file()
    if not (ours and force):
        raise ConfigError(
            "the folder holds an earlier export" if ours else "the folder holds something else",
            where=f"--to {to}",
            fix="add --force to replace it, or name another" if ours else "name a new or an empty one",
        )


def _put(draft: Path, to: Path) -> None:
    """Move the draft to its place; an earlier export goes once the new one stands."""
    old = to.with_name(f".{to.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if to.exists():
        to.rename(old)
    draft.rename(to)
    sync(to.absolute().parent)
    shutil.rmtree(old, ignore_errors=True)
