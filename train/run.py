"""One training run from plan to scores and report; what is done is not done again."""

import shutil
import time
import warnings
from contextlib import nullcontext
from datetime import UTC, datetime

from transformers.utils import logging

from pipeline.execute import git_commit, peak_memory_bytes
from pipeline.lock import locked
from pipeline.snapshot import make_folder
from schemas.report import Report
from schemas.training import TrainingRecord
from train.assess import assess
from train.folds import FOLDER
from train.model import release
from train.plan import MANIFEST, Plan
from train.prepared import Tell, prepare_run
from train.processes import join, leave
from train.tune import tune, write


def make(plan: Plan, tell: Tell) -> Report | None:
    """Train and evaluate a run, its record last; return its report, or None in all processes but the first.

    Raises:
        DataError: What, where and how to mend; a checkpoint stands, and the same command goes on from it.
    """
    quiet_transformers()
    began, started_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    processes = join()
    with locked(make_folder(plan.folder), f"training run {plan.key}") if processes.first else nullcontext():
        with processes.first_alone():
            prepared = prepare_run(plan, tell)
        tuned = tune(plan, prepared, tell, processes)
        leave(processes)
        if not processes.first:
            return None
        release(prepared.base.model)  # what is judged is loaded from disk, and two would not fit
        report = assess(plan, prepared, tuned, tell)
        record = TrainingRecord(
            key=plan.key,
            key_parts=plan.key_parts,
            evaluation=plan.evaluation,
            recipe=plan.recipe,
            parents={"split": plan.split.manifest.version, "encode": prepared.encoding.version},
            settings=plan.settings.model_dump(mode="json"),
            encode=plan.encode.model_dump(mode="json"),
            base=plan.base,
            code=plan.code.digest,
            distributions=plan.code.distributions,
            git_commit=git_commit(),
            started_at=started_at,
            seconds=round(time.monotonic() - began, 1),
            peak_memory_bytes=peak_memory_bytes(),
            model=tuned.model,
        )
        write(plan.folder / MANIFEST, record.model_dump_json(indent=1))
        # What resuming would need; the model is saved.
        for spent in (plan.folder / "checkpoint", *plan.folder.glob(f"{FOLDER}-*")):
            shutil.rmtree(spent, ignore_errors=True)
        (plan.folder / "best.safetensors").unlink(missing_ok=True)
    return report


def quiet_transformers() -> None:
    """Keep transformers from drawing bars of its own and from warning of what no user could act on."""
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
