"""What a training run depends on, and whether it has been made. Knows no torch: a done run says so fast."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue, ValidationError

from pipeline import refs
from pipeline.code import Code, code_of
from pipeline.digest import file_digest, value_digest
from pipeline.key import what_changed
from pipeline.recipe import Recipe
from pipeline.snapshot import Snapshot
from pipeline.template import load_templates
from schemas import ConfigError, SnapshotError, SourceError, Strict, Template
from schemas.evaluation import Evaluate
from schemas.training import Encode, Train, TrainingRecord
from train.base_text import Tiny, documents, tiny_key
from train.lm_eval_results import benchmarks, results_digest

RUNS = "runs"
MANIFEST, REPORT, MODEL, SCORES = "manifest.json", "report.json", "model", "scores.parquet"
_MODEL_FILES = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", "*.py")


@dataclass(frozen=True)
class Plan:
    """One run, complete before anything is written.

    Attributes:
        recipe: Name of the recipe.
        settings: Its `[train]`.
        encode: Its `[encode]`.
        evaluate: Its `[evaluate]`.
        tiny: How tiny is made, should it be the base.
        data_root: The store.
        split: What is trained on.
        templates: By name, with their files.
        base: Which base exactly.
        key: Digest of all that can change the model.
        key_parts: What the key is made of.
        evaluation: Digest of all that can change the scores of that model.
        code: Of the run's modules.
        why: What changed since the recipe's last run.
    """

    recipe: str
    settings: Train
    encode: Encode
    evaluate: Evaluate
    tiny: Tiny
    data_root: Path
    split: Snapshot
    templates: dict[str, tuple[Template, Path]]
    base: str
    key: str
    key_parts: dict[str, str]
    evaluation: str
    code: Code
    why: list[str]

    @property
    def folder(self) -> Path:
        """Where the run lies."""
        return self.data_root / RUNS / self.key

    @property
    def record(self) -> TrainingRecord | None:
        """The finished run of this key, if there is one whose scores still hold."""
        record = read_record(self.folder)
        return record if record and record.evaluation == self.evaluation else None


def plan_run(recipe: Recipe, data_root: Path, tiny: Tiny | None = None) -> Plan:
    """Return the run of a recipe on its own newest split.

    Raises:
        ConfigError: There is no split yet, or a file that the recipe names is missing.
        SourceError: The split has no train rows.
    """
    split = newest_split(data_root, recipe.name)
    for side, cure in (
        ("train", "look at `tuneloop log` for what dropped the rows"),
        ("validation", "give validation a share in [split] shares: the best step is chosen by it"),
        ("test", "give test a share in [split] shares: without it nothing can be said of the model"),
    ):
        if not any(file.rows for file in split.manifest.files if file.name.startswith(f"{side}-")):
            raise SourceError(f"the split has no {side} rows", where=str(split.folder), fix=cure)
    settings = recipe.train
    tiny = tiny or Tiny(steps=settings.base_steps)
    documents(Path(settings.base_text))
    templates = load_templates([Path(folder).expanduser() for folder in recipe.template_dirs])
    base = base_identity(settings, tiny)
    code, scoring = code_of("train.tune"), code_of("train.assess")
    parts = {
        **_settings("", settings),
        **_settings("encode.", recipe.encode),
        "value base": value_digest(base),
        "parent split": split.manifest.version,
        **{f"input {path}": file_digest(path) for path in _files(recipe)},
        **{f"package {name}": version for name, version in code.distributions.items()},
        "code train": code.digest,
    }
    metrics: dict[str, JsonValue] = {name: list(template.metrics) for name, (template, _) in templates.items()}
    key = value_digest(parts)
    asked = scoring_settings(recipe.evaluate)
    benchmarks(recipe.evaluate.lm_eval_results)  # files that do not fit are to be said before anything is trained
    asked["files"] = results_digest(recipe.evaluate)
    evaluation = value_digest([key, scoring.digest, dict(scoring.distributions), metrics, asked])
    last = newest_run(data_root, recipe.name)
    why = what_changed(parts, last.key_parts if last else None)
    return Plan(
        recipe.name, settings, recipe.encode, recipe.evaluate, tiny, data_root, split, templates, base, key, parts,
        evaluation, code, why,
    )  # fmt: skip


def scoring_settings(evaluate: Evaluate) -> dict[str, JsonValue]:
    """Return what can change a score: gates and judge look at scores that stand."""
    return evaluate.model_dump(mode="json", exclude={"gates", "judge"})


def newest_split(data_root: Path, recipe: str) -> Snapshot:
    """Return what the recipe's newest `tuneloop data` made.

    Raises:
        ConfigError: There is none yet.
    """
    record = refs.newest(data_root, "split", recipe)
    if record is None:
        raise ConfigError(
            f"recipe {recipe!r} has no split yet",
            where=str(data_root),
            fix="run `make data` (or `tuneloop data` with the same --recipe and --data-root) first",
        )
    return Snapshot.open(data_root / "split", record.version)


def newest_run(data_root: Path, recipe: str) -> TrainingRecord | None:
    """Return the recipe's newest finished run, if there is one."""
    return read_record(data_root / RUNS / f"latest-{recipe}")


def read_record(folder: Path) -> TrainingRecord | None:
    """Return the record of a finished run, or None if the folder holds none.

    Raises:
        SnapshotError: It is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        return TrainingRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise SnapshotError(
            f"record of a training run cannot be read: {str(error).splitlines()[0]}",
            where=str(path),
            fix=f"remove {path}; `tuneloop train` then writes it anew, and trains only if the model is gone too",
        ) from error


def base_identity(settings: Train, tiny: Tiny) -> str:
    """Return which base exactly the recipe names."""
    if settings.base == "tiny":
        return f"tiny-{tiny_key(settings, tiny)}"
    folder = Path(settings.base).expanduser()
    if folder.is_dir():
        files = sorted({path for pattern in _MODEL_FILES for path in folder.glob(pattern)})
        return value_digest([[path.name, file_digest(path)] for path in files])
    return f"{settings.base}@{settings.revision or 'main'}"


def _settings(prefix: str, section: Strict) -> dict[str, str]:
    values = section.model_dump(mode="json")
    return {f"setting {prefix}{name}": value_digest(value) for name, value in values.items()}


def _files(recipe: Recipe) -> list[Path]:
    """Return the files besides the base that can change a run."""
    named = [recipe.train.base_text, recipe.encode.chat_template, recipe.train.replay_text, recipe.train.preferences]
    return [path for path in (Path(name) for name in named if name) if path.is_file()]
