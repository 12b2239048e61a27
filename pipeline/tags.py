"""Tags: a name for one recipe's finished split and everything it came from."""

import json
import re
from pathlib import Path

from pipeline import refs
from pipeline.ledger import point
from pipeline.recipe import STAGES
from pipeline.snapshot import make_folder, sync
from pipeline.working_copy import share_tag
from schemas import ConfigError, SnapshotError


def tag(data_root: Path, recipe: str, name: str) -> Path:
    """Name the recipe's newest split; return the link `data/split/<name>`.

    The tag file in `data/tags/` names every stage's run, so that gc keeps them. A tag never moves.

    Raises:
        ConfigError: The name is not a plain word, or is taken by another version.
        SnapshotError: The recipe has no split yet, or somebody gave the bucket this tag at this moment.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) or name.startswith("latest-"):
        raise ConfigError(
            f"{name!r} cannot be a tag", where="tag NAME", fix="use letters, digits, dots and dashes, such as v1"
        )
    runs: dict[str, str] = {}
    versions: dict[str, str] = {}
    for stage in STAGES:
        paths = refs.record_paths(data_root, stage, recipe)
        if not paths:
            raise SnapshotError(
                f"recipe {recipe} has no {stage} yet", where=str(data_root), fix="run `tuneloop data` first"
            )
        runs[stage], versions[stage] = paths[0].name, refs.read_record(paths[0]).version
    link, file = data_root / "split" / name, make_folder(data_root / "tags") / f"{name}.json"
    text = json.dumps({"recipe": recipe, "runs": runs, "versions": versions}, indent=1) + "\n"
    if file.exists():
        if json.loads(file.read_text("utf-8"))["versions"] == versions:
            return link
        raise ConfigError(
            f"tag {name} names another version", where=str(file), fix="choose another name, such as the next number"
        )
    share_tag(data_root, name, text)
    file.write_text(text, encoding="utf-8")
    sync(file)
    return point(link, versions["split"])
