"""Weights and optimizer state on disk, whole or not at all, as safetensors: nothing here can run code on loading."""

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pipeline.snapshot import make_folder, sync
from schemas import SnapshotError, Strict
from schemas.report import CurvePoint
from train.processes import part_like, whole

STATE, WEIGHTS, BEST = "state.json", "weights.safetensors", "best.safetensors"


class Progress(Strict):
    """Where a run stands after a whole step; with the weights, all that the rest of the run depends on."""

    step: int = Field(title="optimizer steps taken")
    token_budget: int = Field(title="packing changes the rounding, so a resumed run keeps the budget it has come to")
    threads: int = Field(title="so do the threads of matrix products")
    processes: int = Field(title="and the processes, whose gradients are summed; a run may go on with another number")
    best_step: int
    best_nll: float | None
    since_best: int = Field(title="validations since the best one, for early stopping")
    seconds: float = Field(title="time spent training so far")
    tokens: int = Field(title="tokens trained on so far")
    curve: list[CurvePoint]
    losses: list[float] = Field(default=[], title="of the steps since the last reading, where a run was stopped")


@dataclass(frozen=True)
class Checkpoint:
    """What `load` found.

    Attributes:
        progress: Where the run stands.
        weights: That train.
        optimizer: Its moments.
        said: A sentence for the log.
    """

    progress: Progress
    weights: dict[str, torch.Tensor]
    optimizer: dict[str, torch.Tensor]
    said: str


def trained(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights that train, by name; a weight used in two places has one name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def put_back(model: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Overwrite the weights that train; the names must be the same."""
    here = trained(model)
    if here.keys() != weights.keys():
        raise ValueError(f"weights of another model: {sorted(here.keys() ^ weights.keys())[:5]}")
    with torch.no_grad():
        for name, weight in here.items():
            weight.copy_(part_like(weight, weights[name]))


def weights_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights that train, whole and ready to be written; all processes must ask at once."""
    return {name: _ready(weight) for name, weight in trained(model).items()}


def state_of(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Return weights and moments, whole and ready to be written; all processes must ask at once."""
    tensors = {f"weight.{name}": weight for name, weight in weights_of(model).items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": _ready(value) for name, value in moments.items()}
    return tensors


def save(folder: Path, progress: Progress, tensors: Mapping[str, torch.Tensor]) -> None:
    """Replace the checkpoint in `folder`; a kill at any moment leaves the old one or the new one.

    Args:
        folder: Of the checkpoint.
        progress: Where the run stands.
        tensors: From `state_of`. The random state is not among them: it is set anew at every step.

    Raises:
        SnapshotError: It cannot be written, such as for a full disk; the old checkpoint stands.
    """
    draft, final, old = (folder.with_name(f"{folder.name}{end}") for end in (".draft", "", ".old"))
    try:
        _clear(draft)
        make_folder(draft)
        save_file(dict(tensors), draft / WEIGHTS)
        (draft / STATE).write_text(progress.model_dump_json(indent=1) + "\n", encoding="utf-8")
        for path in (draft / WEIGHTS, draft / STATE, draft):
            sync(path)
        if final.exists():
            _clear(old)
            final.rename(old)
        draft.rename(final)
        sync(final.parent)
        _clear(old)
    except (OSError, SafetensorError) as error:
        _clear(draft)
        raise full_disk(error, folder) from error


def save_best(path: Path, weights: Mapping[str, torch.Tensor]) -> None:
    """Replace the best weights so far, from `weights_of`, whole or not at all.

    Raises:
        SnapshotError: They cannot be written.
    """
    draft = path.with_suffix(".draft")
    try:
        save_file(dict(weights), draft)
        sync(draft)
        os.replace(draft, path)
    except (OSError, SafetensorError) as error:
        draft.unlink(missing_ok=True)
        raise full_disk(error, path) from error


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors in a file.

    Raises:
        SnapshotError: It is damaged or gone.
    """
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise SnapshotError(
            f"weights cannot be read: {error}",
            where=str(path),
            fix=f"remove {path.parent} and run `tuneloop train` again; it starts from the first step",
        ) from error


def step_of(folder: Path) -> int | None:
    """Return the step the checkpoint in `folder` was taken at, or None if there is none that can be read."""
    for place in (folder, folder.with_name(f"{folder.name}.old")):
        if (place / STATE).is_file():
            with suppress(ValidationError):
                return Progress.model_validate_json((place / STATE).read_bytes()).step
    return None


def load(folder: Path) -> Checkpoint | None:
    """Return the checkpoint in `folder`, or None if there is none.

    Where a kill left the one before beside it, and this one is damaged, it is that one.

    Raises:
        SnapshotError: It is damaged.
    """
    old = folder.with_name(f"{folder.name}.old")
    if not folder.exists() and old.exists():
        old.rename(folder)  # killed between the two renames of `save`
    if not folder.exists():
        return None
    try:
        return _read(folder)
    except SnapshotError as error:
        with suppress(SnapshotError):
            found = _read(old)
            _clear(folder)
            old.rename(folder)
            return replace(found, said=f"{found.said}; the checkpoint after it is damaged: {error.what}")
        raise


def restore(checkpoint: Checkpoint, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put weights and optimizer moments back as they were when the checkpoint was written."""
    put_back(model, checkpoint.weights)
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in checkpoint.optimizer.items():
        index, _, moment = name.partition(".")
        weight = weights[int(index)]
        # A moment is cut up as its weight is; the count of steps is one number, and whole everywhere.
        mine = part_like(weight, value) if value.shape == weight.shape else value
        state.setdefault(int(index), {})[moment] = mine
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})


def cut_metrics(path: Path, step: int) -> None:
    """Drop the lines of metrics.jsonl that tell of steps after `step`; they will be taken again.

    Raises:
        SnapshotError: There is no room to write the others; the file stands as it was.
    """
    if not path.exists():
        return
    before = path.read_text("utf-8")
    after = "".join(f"{line}\n" for line in before.splitlines() if _step_of(line) <= step)
    if after == before:
        return
    draft = path.with_suffix(".draft")
    try:
        draft.write_text(after, encoding="utf-8")
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise full_disk(error, path) from error


def full_disk(error: Exception, path: Path) -> SnapshotError:
    """Return the error to raise when something of a run could not be written."""
    space = shutil.disk_usage(path.parent if path.parent.exists() else Path.cwd())
    return SnapshotError(
        f"cannot be written: {error}; {space.free / 1e6:,.0f} MB are free there",
        where=str(path),
        fix="make room, then run the same command: it goes on from the last whole checkpoint",
    )


def _read(folder: Path) -> Checkpoint:
    tensors = load_weights(folder / WEIGHTS)
    try:
        progress = Progress.model_validate_json((folder / STATE).read_bytes())
    except (OSError, ValidationError) as error:
        raise SnapshotError(
            f"checkpoint cannot be read: {str(error).splitlines()[0]}",
            where=str(folder),
            fix=f"remove {folder} and run `tuneloop train` again; it starts from the first step",
        ) from error
    said = f"goes on from step {progress.step:,}, where it was stopped"
    return Checkpoint(progress, _under(tensors, "weight."), _under(tensors, "optimizer."), said)


def _ready(tensor: torch.Tensor) -> torch.Tensor:
    return whole(tensor.detach()).contiguous().cpu()


def _step_of(line: str) -> float:
    try:
        found: dict[str, Any] = json.loads(line)
        return float(found["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")  # a line cut short by the kill


def _under(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
