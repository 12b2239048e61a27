"""A finished training run, as far as feedback reads it: which data it saw, and how likely it finds each answer.

    data/runs/5b1e.../manifest.json     {"key": "5b1e...", "recipe": "sample", "parents": {"split": "9f3c..."},
                                         "model": {"family": "causal", ...}, ...}
    data/runs/5b1e.../scores.parquet    example, arm, split, nll, score, answer, ...: see schemas.report.Score
    data/runs/latest-sample             a link to the newest finished run of the recipe

The manifest is written last: a folder without it is a run that has not finished.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from pipeline.snapshot import MANIFEST, Snapshot
from schemas import ConfigError, SnapshotError, nearest
from schemas.arrow import arrow_schema
from schemas.method import Family
from schemas.report import Score

SCORES = "scores.parquet"
_COST, _ANSWER = ("example", "nll"), ("example", "nll", "score", "answer", "metric")
_DOUBT = ("example", "doubt", "answer")
_READ = [*_ANSWER, "doubt", "split", "arm"]
_RUN_AGAIN = "run `make train`: it makes the run again"


class _Model(BaseModel):
    family: Family | None = None


class _Said(BaseModel):
    """What is read of a run's manifest, which holds more."""

    key: str
    recipe: str
    parents: dict[str, str]
    base: str = ""
    started_at: str = ""
    model: _Model = _Model()

    @classmethod
    def read(cls, manifest: Path) -> "_Said":
        return cls.model_validate(json.loads(manifest.read_bytes()))

    def run(self, folder: Path) -> "TrainingRun":
        return TrainingRun(folder, self.key, self.parents["split"], self.base, self.started_at, self.model.family)


class Scores(NamedTuple):
    """What the models did, without a row of the test side.

    Attributes:
        base: Columns example and nll, of the base model on train rows.
        tuned: The same of the tuned model.
        answers: Columns example, nll, score, answer and metric, of the tuned model on validation rows.
        doubt: Columns example, doubt and answer, of the tuned model on train rows, which it has seen. A classifier's
            doubt of a label is what the label costs it, which is its self-confidence (Northcutt et al., 2021): a label
            is one token of few, and none of them is another way to say the same.
        held: The same of models that have not seen them; without rows where the run has none.
    """

    base: pa.Table
    tuned: pa.Table
    answers: pa.Table
    doubt: pa.Table
    held: pa.Table

    def doubts_of(self, ids: pa.ChunkedArray) -> list[NDArray[np.float64]]:
        """Return the doubt of each row in nats, of the tuned model and of one that has not seen it; NaN without."""
        return [
            np.asarray(arm["doubt"].take(pc.index_in(ids, value_set=arm["example"])), float)
            for arm in (self.doubt, self.held)
        ]


@dataclass(frozen=True)
class TrainingRun:
    """A run that has finished."""

    folder: Path
    key: str
    split_version: str
    base: str = ""
    started_at: str = ""
    family: Family | None = None

    def scores(self) -> Scores:
        """Return what feedback needs of the scores; the rest stays in the file.

        Raises:
            SnapshotError: The file of scores is missing, damaged or lacks a column.
        """
        path = self.folder / SCORES
        parts: list[Scores] = []
        try:
            for batch in Snapshot.read_part(path, _READ):
                if self.family == "classify":
                    batch = batch.set_column(batch.column_names.index("doubt"), "doubt", batch.column("nll"))
                parts.append(
                    Scores(
                        base=_some(batch, "base", "train", _COST),
                        tuned=_some(batch, "tuned", "train", _COST),
                        answers=_some(batch, "tuned", "validation", _ANSWER),
                        doubt=_some(batch, "tuned", "train", _DOUBT),
                        held=_some(batch, "held", "train", _DOUBT),
                    )
                )
        except (KeyError, pa.ArrowException) as error:
            raise SnapshotError(f"not the scores of a run: {error}", where=str(path), fix=_RUN_AGAIN) from error
        none = Scores(*(_schema(columns).empty_table() for columns in (_COST, _COST, _ANSWER, _DOUBT, _DOUBT)))
        return Scores(*(pa.concat_tables(tables) for tables in zip(none, *parts, strict=True)))

    def rows(self, data_root: Path) -> Snapshot:
        """Return the version of the split that the run was trained on.

        Raises:
            SnapshotError: It is gone or damaged.
        """
        folder = data_root / "split"
        if not (folder / self.split_version).is_dir():
            raise SnapshotError(
                f"run {self.key} was trained on version {self.split_version}, which is gone",
                where=str(folder),
                fix="run `make train` to train on the newest version, or name another --run",
            )
        return Snapshot.open(folder, self.split_version)


def find_run(data_root: Path, recipe: str, key: str | None = None) -> TrainingRun:
    """Return a recipe's newest finished run, or the one whose key is, or begins with, `key`.

    Raises:
        ConfigError: There is no such run, it has not finished, or it is another recipe's.
        SnapshotError: Its manifest cannot be read.
    """
    runs = data_root / "runs"
    folder = runs / f"latest-{recipe}" if key is None else runs / _whole_key(runs, key)
    if key is None and not folder.is_dir():
        raise ConfigError(
            f"recipe {recipe!r} has no finished training run",
            where=str(runs),
            fix=f"run `make train` first, or name another --recipe or --data-root; {_recipes_with_runs(runs)}",
        )
    path = folder.resolve() / MANIFEST
    if not path.is_file():
        raise ConfigError(
            f"run {path.parent.name} has not finished",
            where=str(path.parent),
            fix="run `make train` to bring it to its end, or name another --run",
        )
    try:
        said = _Said.read(path)
    except (OSError, ValueError) as error:
        what = f"manifest of a run cannot be read: {_first_line(error)}"
        raise SnapshotError(what, where=str(path), fix=_RUN_AGAIN) from error
    if said.recipe != recipe:
        raise ConfigError(
            f"run {said.key} is one of recipe {said.recipe!r}, not of {recipe!r}",
            where=str(path.parent),
            fix=f"give the --recipe file of {said.recipe!r}, or another --run",
        )
    if "split" not in said.parents:
        raise SnapshotError("the run does not say what it was trained on", where=str(path), fix=_RUN_AGAIN)
    return said.run(path.parent)


def finished_runs(data_root: Path, recipe: str) -> list[TrainingRun]:
    """Return a recipe's finished runs that can be read, the oldest first."""
    found = []
    for path in (data_root / "runs").glob(f"*/{MANIFEST}"):
        if path.parent.is_symlink():
            continue
        try:
            said = _Said.read(path)
        except (OSError, ValueError):
            continue
        if said.recipe == recipe and "split" in said.parents:
            found.append(said.run(path.parent))
    return sorted(found, key=lambda run: (run.started_at, run.key))


def _some(batch: pa.RecordBatch, arm: str, side: str, columns: tuple[str, ...]) -> pa.Table:
    is_wanted = pc.and_(pc.equal(batch.column("arm"), arm), pc.equal(batch.column("split"), side))
    return pa.Table.from_batches([batch.filter(is_wanted).select(list(columns))]).cast(_schema(columns))


def _schema(columns: tuple[str, ...]) -> pa.Schema:
    return pa.schema([arrow_schema(Score).field(name) for name in columns])


def _whole_key(runs: Path, key: str) -> str:
    known = sorted(path.name for path in runs.glob("*") if path.is_dir() and not path.is_symlink())
    found = [name for name in known if name == key] or [name for name in known if key and name.startswith(key)]
    if len(found) == 1:
        return found[0]
    what = f"{key!r} begins the keys of {len(found)} runs" if found else f"there is no run {key!r}"
    raise ConfigError(what, where=str(runs), fix=f"give --run a whole key; {nearest(key, known)}")


def _recipes_with_runs(runs: Path) -> str:
    names = sorted(path.name.removeprefix("latest-") for path in runs.glob("latest-*") if path.is_dir())
    return f"recipes with a finished run: {', '.join(names) or 'none'}"


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error).splitlines()[0]
