"""doctor: will the commands work here, with this store and this recipe? Every finding comes with its cure.

    BAD recipe my.toml: no file at 'nws.csv' (recipe my, source news, /home/ann/nws.csv)
        fix: mend `path`: did you mean 'news.csv'?

What is installed is looked at in `pipeline.installation`.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pipeline import refs
from pipeline.finding import Finding
from pipeline.installation import installation
from pipeline.recipe import load_recipe
from pipeline.run import plan_data
from schemas import DataError

_LITTLE_DISK = 5 << 30


def findings(data_root: Path, recipe: Path | None = None) -> list[Finding]:
    """Return everything doctor looked at, in order; the recipe, its templates and sources too if one is named."""
    found = [*installation(), *_disk(data_root), *_store(data_root), *_labels(data_root)]
    return found if recipe is None else [*found, *_recipe(recipe, data_root)]


def _disk(data_root: Path) -> Iterator[Finding]:
    there = next(path for path in [data_root.absolute(), *data_root.absolute().parents] if path.exists())
    free = shutil.disk_usage(there).free
    ok = free >= _LITTLE_DISK
    yield Finding(ok, f"{free >> 30} GiB free under {there}", "" if ok else "free space or choose another --data-root")
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield Finding(
            False,
            f"{there} cannot be written by user {os.getuid()}",
            f"`chmod g+rwxs {there}` by its owner, and your group must be its group; or choose another --data-root",
        )


def _store(data_root: Path) -> Iterator[Finding]:
    for stage in refs.stages_in(data_root):
        for recipe in refs.recipes_with(data_root, stage):
            try:
                refs.newest(data_root, stage, recipe)
            except DataError as error:
                yield Finding(False, error.what, error.fix)
    recipes = refs.recipes_with(data_root, "split")
    yield Finding(True, f"finished splits: {', '.join(recipes) or 'none yet'} in {data_root}")


def _labels(data_root: Path) -> Iterator[Finding]:
    """Say whether people's answers are newer than the last backup: the one thing that cannot be made again."""
    answers = [path.stat().st_mtime for path in (data_root / "annotations").glob("*.jsonl")]
    backups = [path.stat().st_mtime for path in (data_root / "backups").glob("*.jsonl.gz")]
    if not answers:
        return
    if not backups or max(answers) > max(backups):
        told = "there is no backup" if not backups else "the last backup is older"
        yield Finding(
            True,
            f"people's answers in {data_root / 'annotations'}: {told}",
            "`tuneloop annotate backup`, and copy the folder to another disk",
        )
    else:
        yield Finding(True, f"people's answers in {data_root / 'annotations'} are in the last backup")


def _recipe(path: Path, data_root: Path) -> Iterator[Finding]:
    """Say all that is wrong with a recipe, its templates and the files it names."""
    try:
        stages = plan_data(load_recipe(path), data_root)
    except DataError as error:
        for one in (error, *error.also):
            yield Finding(False, f"recipe {path}: {one.what} ({one.where})", one.fix)
        return
    n = sum(bool(why) for _, why in stages)
    yield Finding(True, f"recipe {path}, its templates and sources are in order; {n} of {len(stages)} stages would run")
