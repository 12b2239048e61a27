"""A run that is done, found again by its key or as its recipe's newest, as a plan that says all it depended on."""

from pathlib import Path

from pydantic import ValidationError

from pipeline.code import code_of
from pipeline.digest import file_digest
from pipeline.recipe import Recipe
from pipeline.snapshot import Snapshot
from pipeline.template import load_templates
from schemas import ConfigError, SnapshotError, nearest
from schemas.training import Encode, Train, TrainingRecord
from train.base_text import Tiny
from train.plan import MODEL, RUNS, Plan, base_identity, newest_run, read_record


def past_run(recipe: Recipe, data_root: Path, key: str | None = None) -> tuple[Plan, TrainingRecord]:
    """Return a finished run as the plan it was made from, with its record.

    Settings and data are those of the run, whatever the recipe says today.

    Args:
        recipe: Whose newest run is meant; its template folders are read.
        data_root: The store.
        key: Of the run, or the beginning of it; the recipe's newest if left out.

    Raises:
        ConfigError: There is no such run, or its base or chat template is another one today.
        SnapshotError: Its record is damaged, or of settings that are no more.
    """
    record = found_run(data_root, key) if key else newest_run(data_root, recipe.name)
    if record is None:
        raise ConfigError(
            f"recipe {recipe.name!r} has no finished training run",
            where=str(data_root / RUNS),
            fix="run `tuneloop train` with the same --recipe and --data-root first",
        )
    where = str(data_root / RUNS / record.key)
    if record.external:
        raise ConfigError(
            f"run {record.key} only judged {record.external}, which was trained elsewhere: there is no model in it",
            where=where,
            fix="name the key of a run of `tuneloop train`",
        )
    try:
        settings, encode = Train.model_validate(record.settings), Encode.model_validate(record.encode)
    except ValidationError as error:
        raise SnapshotError(
            f"the run was made with settings that are no more: {str(error).splitlines()[1]}",
            where=where,
            fix="train again with `tuneloop train`",
        ) from error
    tiny = Tiny(steps=settings.base_steps)
    if (base := base_identity(settings, tiny)) != record.base:
        raise ConfigError(
            f"the base has changed since the run: it was {record.base}, today it is {base}",
            where=f"{where}, base = {settings.base!r}",
            fix="bring the base back as it was, or train again with `tuneloop train`",
        )
    _same_template(record, encode, where)
    split = Snapshot.open(data_root / "split", record.parents["split"])
    templates = load_templates([Path(folder).expanduser() for folder in recipe.template_dirs])
    return (
        Plan(
            record.recipe, settings, encode, recipe.evaluate, tiny, data_root, split, templates, record.base,
            record.key, record.key_parts, record.evaluation, code_of("train.tune"), [],
        ),
        record,
    )  # fmt: skip


def _same_template(record: TrainingRecord, encode: Encode, where: str) -> None:
    """Return if the file of the chat template, should there be one, is as it was.

    Raises:
        ConfigError: It is not.
    """
    path = Path(encode.chat_template or "")
    if path.is_file() and file_digest(path) != record.key_parts.get(f"input {path}"):
        raise ConfigError(
            "the chat template has changed since the run",
            where=f"{where}, chat_template = {encode.chat_template!r}",
            fix=f"bring it back as {record.key}/{MODEL}/chat_template.jinja has it, or `tuneloop train` again",
        )


def found_run(data_root: Path, key: str) -> TrainingRecord:
    """Return the record of the finished run whose key begins with `key`.

    Raises:
        ConfigError: None or several begin so, or the run is not finished.
    """
    known = sorted(path.name for path in (data_root / RUNS).glob("*") if path.is_dir() and not path.is_symlink())
    alike = [name for name in known if name.startswith(key)]
    record = read_record(data_root / RUNS / alike[0]) if len(alike) == 1 else None
    if record is None:
        raise ConfigError(
            f"{len(alike)} runs begin with {key!r}" if len(alike) != 1 else f"run {alike[0]} is not finished",
            where=str(data_root / RUNS),
            fix=f"give the whole key of a finished run; {nearest(key, known)}",
        )
    return record
