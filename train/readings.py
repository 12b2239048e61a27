"""What is told while training goes on, and metrics.jsonl, which keeps it."""

import json
from dataclasses import dataclass
from pathlib import Path

from train.checkpoint import full_disk


@dataclass(frozen=True)
class Reading:
    """What is told while training goes on.

    Attributes:
        step: Steps taken.
        steps: Of how many.
        loss: Mean over the steps since the last reading.
        learning_rate: Of the last step.
        gradient_norm: Of the last step, before clipping.
        validation_nll: If there was a validation.
        tokens_per_second: Since the run began, prompts included, padding not.
        seconds: Since the run began, pauses left out.
        seconds_left: At that speed.
        measure: What `validation_nll` is: NLL, or another loss of the objective.
    """

    step: int
    steps: int
    loss: float
    learning_rate: float
    gradient_norm: float
    validation_nll: float | None
    tokens_per_second: float
    seconds: float
    seconds_left: float
    measure: str = "NLL"


def append(path: Path, reading: Reading) -> None:
    """Add a line to metrics.jsonl.

    Raises:
        SnapshotError: There is no room for it.
    """
    line = {
        "step": reading.step,
        "train_loss": reading.loss,
        "validation_nll": reading.validation_nll,
        "learning_rate": reading.learning_rate,
        "gradient_norm": reading.gradient_norm,
        "seconds": round(reading.seconds, 3),
        "tokens_per_second": round(reading.tokens_per_second),
    }
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise full_disk(error, path) from error
