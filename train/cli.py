"""`tuneloop train`: from the newest split to a model, its report, and the table its feedback is made of."""

import importlib
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.recipe import load_recipe
from schemas.report import Report
from train.evidence_words import finds_from, p_words
from train.finish import finish
from train.gates import refusal
from train.plan import plan_run
from train.rank import rank
from train.talk import Talk


def train(
    *,
    recipe: Annotated[Path | None, Parameter(help="recipe file; the sample recipe if left out")] = None,
    data_root: Annotated[Path, Parameter(help="folder of the store, or s3://bucket/prefix")] = Path("data"),
    dry_run: Annotated[bool, Parameter(help="only say what the run would do and need; no weight is loaded")] = False,
) -> None:
    """Train on the recipe's newest split, judge the model on the test side, and write the report.

    A run that was stopped goes on where it was; a run that is done is not done again. The exit code is 4 where a gate
    of [evaluate] gates fails; report and model are written all the same. On several GPUs:
    accelerate launch --multi_gpu --num_processes 2 .venv/bin/tuneloop train

    Example: tuneloop train --recipe my.toml
    """
    plan = plan_run(load_recipe(recipe), data_root)
    if dry_run:
        found = importlib.import_module("train.dry_run").dry_run(plan)
        sys.stdout.write("".join(f"{line}\n" for line in found.lines))
        if found.warning:
            sys.stderr.write(f"warning: {found.warning}\n")
        return
    with Talk(silent=rank() > 0) as talk:
        done = plan.record
        if done is None:
            talk.line(f"train     runs: {'; '.join(plan.why[:4]) or 'the run before was not finished'}")
            # torch and transformers take seconds to load, so they are loaded once it is known that they are needed.
            importlib.import_module("train.run").make(plan, talk.tell())
        else:
            talk.line(f"train     skipped: nothing changed since {done.started_at}")
        if rank() > 0:
            return  # `accelerate launch` began several processes, and the first finishes the run
        report, page = finish(plan, talk.line, talk.asked)
    for line in summary(report):
        sys.stderr.write(f"{line}\n")
    sys.stderr.write(f"report: {page}\n")
    sys.stdout.write(f"{page}\n")
    if refused := refusal(report.gates, str(page)):
        raise refused


def summary(report: Report) -> list[str]:
    """Return the closing lines: arms, what holds against what, forgetting, verdict."""
    lines = [
        "",
        f"{'arm':<10} {'score':>7} {'NLL':>7}   on {report.n:,} test rows, {report.n_reviewed:,} checked by people",
    ]
    lines += [
        f"{mean.arm:<10} {mean.score:>7.3f} {'-' if mean.nll is None else f'{mean.nll:.3f}':>7}"
        for mean in report.means
    ]
    for one in report.comparisons:
        sign = "no evidence" if one.reading == "unclear" else one.reading
        numbers = f"{one.difference:+.3f} ({one.low:+.3f} to {one.high:+.3f})"
        lines.append(
            f"tuned - {one.than:<10} {one.measure:<5} {numbers}  {sign:<11}"
            f"  p {p_words(one.p) or 'unknown':<7}  finds differences from {finds_from(one.detectable)} on"
        )
    if forgot := report.forgetting:
        lines.append(f"forgetting: NLL of held text {forgot.base_nll:.3f} before, {forgot.tuned_nll:.3f} after")
    lines += [f"{arm} is left out: {why}" for arm, why in report.left_out.items()]
    lines += [f"{arm}: {note}" for arm, note in report.arm_notes.items()]
    lines += [f"gate {one.gate} {'holds' if one.holds else 'fails'}: {one.words}" for one in report.gates]
    return [*lines, *report.notes, report.verdict, *([report.advice.words] if report.advice else [])]
