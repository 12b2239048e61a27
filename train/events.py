"""Readings for TensorBoard, beside metrics.jsonl."""

from pathlib import Path
from types import TracebackType

from torch.utils.tensorboard import SummaryWriter

from train.loop import Reading


class Events:
    """Events of one run in a folder; what an earlier try wrote after the checkpoint it goes on from is hidden."""

    def __init__(self, folder: Path, step: int) -> None:
        """Go on after `step`, 0 for a new run."""
        self._writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def __enter__(self) -> "Events":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._writer.close()

    def write(self, at: Reading) -> None:
        """Add a reading."""
        told = {
            "train/loss": at.loss,
            "train/learning_rate": at.learning_rate,
            "train/gradient_norm": at.gradient_norm,
            "train/tokens_per_second": at.tokens_per_second,
        }
        if at.validation_nll is not None:
            told["validation/nll"] = at.validation_nll
        for name, value in told.items():
            self._writer.add_scalar(name, value, at.step)
        self._writer.flush()
