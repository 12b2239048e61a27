"""`tuneloop export`: a tuned model for other tools, checked after it was written."""

import importlib
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from pipeline.recipe import load_recipe
from train.past_run import past_run
from train.talk import Talk


def export(
    run: Annotated[
        str | None, Parameter(help="key of a run, or how it begins; the recipe's newest if left out")
    ] = None,
    *,
    to: Annotated[Path, Parameter(help="folder to write: new or empty")],
    recipe: Annotated[Path | None, Parameter(help="recipe file; the sample recipe if left out")] = None,
    data_root: Annotated[Path, Parameter(help="folder of the store, or s3://bucket/prefix")] = Path("data"),
    precision: Annotated[Literal["fp32", "bf16"], Parameter(help="of the merged weights on disk")] = "fp32",
    force: Annotated[bool, Parameter(help="replace an earlier export")] = False,
    lm_eval: Annotated[bool, Parameter(help="write the test side as tasks of lm-eval too, into lm-eval/")] = False,
) -> None:
    """Write a tuned model for other tools: adapter, merged model, tokenizer, Modelfile, tokens, a TRL script.

    The merged model is loaded again and must answer as base and adapter do.

    Example: tuneloop export --to support-model --precision bf16 --lm-eval
    """
    plan, _ = past_run(load_recipe(recipe), data_root, run)
    with Talk() as talk:
        talk.line(f"export    run {plan.key} of recipe {plan.recipe}: {plan.settings.method} on {plan.settings.base}")
        # torch and transformers take seconds to load, so they are loaded once it is known that they are needed.
        importlib.import_module("train.export").export(plan, to, precision, talk.tell(), force=force, lm_eval=lm_eval)
    sys.stderr.write(f"export: {to}\n")
    sys.stdout.write(f"{to}\n")
