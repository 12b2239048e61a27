"""The settings of a past run, made whole again from its record, and what has changed since."""

import json
from pathlib import Path

from pydantic import ValidationError

from pipeline import refs
from pipeline.dedupe import Dedupe
from pipeline.plan import place_of
from pipeline.recipe import Recipe
from pipeline.stage import Place
from schemas import ConfigError, RunRecord


def past_settings(record: RunRecord, today: Recipe | None, data_root: Path, root: Path) -> tuple[Dedupe, Place]:
    """Return the settings that a run of dedupe had, and the place with its sources and their templates.

    Args:
        record: The run.
        today: The recipe as it is now, if its file is known: folders of templates come from there.
        data_root: The store.
        root: Folder that relative paths start from.

    Raises:
        ConfigError: The settings are of another release, or a template is not found.
    """
    ingest = _ingest_record(data_root, record)
    dirs = today.template_dirs if today else []
    whole = {"name": record.recipe, "template_dirs": dirs, "ingest": ingest.settings, "dedupe": record.settings}
    try:
        recipe = Recipe.model_validate_json(json.dumps(whole))
    except ValidationError as error:
        raise ConfigError(
            f"the settings of run {record.number} cannot be read: {error.errors()[0]['msg']}",
            where=str(refs.refs_folder(data_root, record.stage, record.recipe)),
            fix="the run is of another release: run `tuneloop data` once more",
        ) from error
    place = place_of(recipe, data_root, root, {})
    named = {name for source in recipe.ingest.sources for name in source.template_names}
    if missing := sorted(named - place.templates.keys()):
        raise ConfigError(
            f"template {missing[0]!r} is not found",
            where=f"run {record.number} of recipe {record.recipe}; folders: {', '.join(dirs) or 'our own only'}",
            fix="name the recipe's file, as in --recipe my.toml, so that its template_dirs are read",
        )
    return recipe.dedupe, place


def changed_since(record: RunRecord, today: Recipe, data_root: Path) -> list[str]:
    """Return the settings of ingest and dedupe that are others now than in a run."""
    now = {"ingest": today.ingest.model_dump(mode="json"), "dedupe": today.dedupe.model_dump(mode="json")}
    then = {"ingest": _ingest_record(data_root, record).settings, "dedupe": record.settings}
    return [
        f"{stage}.{name}"
        for stage in now
        for name in sorted(now[stage].keys() | then[stage].keys())
        if now[stage].get(name) != then[stage].get(name)
    ]


def _ingest_record(data_root: Path, record: RunRecord) -> RunRecord:
    """Return the run of ingest whose rows dedupe read."""
    for path in refs.record_paths(data_root, "ingest", record.recipe):
        found = refs.read_record(path)
        if found.version == record.parents["ingest"]:
            return found
    raise ConfigError(
        f"no record tells how the rows of run {record.number} were read",
        where=str(refs.refs_folder(data_root, "ingest", record.recipe)),
        fix="run `tuneloop data`: it makes the record again",
    )
