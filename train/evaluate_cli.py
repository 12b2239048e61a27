"""`tuneloop evaluate`: the report of a run for a model that was trained anywhere, or for answers in a file."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.recipe import load_recipe
from pipeline.snapshot import Snapshot
from schemas import ConfigError, nearest
from train.cli import summary
from train.gates import refusal
from train.plan import plan_run
from train.talk import Talk


def evaluate(
    *,
    model: Annotated[
        str | None, Parameter(help="folder with a model or an adapter, hub id, or http(s) address up to /v1")
    ] = None,
    generations: Annotated[
        Path | None, Parameter(help='lines of {"id": ..., "answer": ...} instead of a model')
    ] = None,
    name: Annotated[str, Parameter(help="of a served model, as its server knows it")] = "",
    base: Annotated[str | None, Parameter(help="what it is compared with; the recipe's base if left out")] = None,
    split: Annotated[
        str | None, Parameter(help="version of the split, or its beginning; the newest if left out")
    ] = None,
    recipe: Annotated[Path | None, Parameter(help="recipe file; the sample recipe if left out")] = None,
    data_root: Annotated[Path, Parameter(help="folder of the store, or s3://bucket/prefix")] = Path("data"),
    latest: Annotated[bool, Parameter(help="make it the newest run of the recipe, which feedback takes")] = False,
) -> None:
    """Judge a model that was trained anywhere, as a run of `tuneloop train` is: report, comparisons, scores.

    The exit code is 4 where a gate of [evaluate] gates fails; the report is written all the same.

    Example: tuneloop evaluate --model out/merged --recipe my.toml
    """
    read = load_recipe(recipe)
    if base is not None:
        changed = {"base": base, "method": "full", "revision": None}
        read = read.model_copy(update={"train": read.train.model_copy(update=changed)})
    plan = plan_run(read, data_root)
    if split is not None:
        plan = replace(plan, split=_version(data_root, split))
    # torch and transformers take seconds to load: what is wrong with the words above is said before.
    external = importlib.import_module("train.external")
    what = external.External.of(model, generations, name)
    with Talk() as talk:
        report, page = external.judge_external(plan, what, talk.tell(), latest=latest)
    for line in summary(report):
        sys.stderr.write(f"{line}\n")
    key = report.model.run
    sys.stderr.write(f"report: {page}\nback to the annotators: tuneloop feedback --run {key[:8]}\n")
    sys.stdout.write(f"{page}\n")
    if refused := refusal(report.gates, str(page)):
        raise refused


def _version(data_root: Path, version: str) -> Snapshot:
    folder = data_root / "split"
    if (folder / version).is_symlink():
        return Snapshot.open(folder, (folder / version).resolve().name)
    known = sorted(path.parent.name for path in folder.glob("*/manifest.json") if not path.parent.is_symlink())
    found = [one for one in known if version and one.startswith(version)]
    if len(found) != 1:
        what = f"{version!r} begins {len(found)} versions" if found else f"there is no version {version!r}"
        raise ConfigError(what, where=str(folder), fix=f"see `tuneloop log`; {nearest(version, known)}")
    return Snapshot.open(folder, found[0])
