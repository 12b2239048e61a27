"""Gradients of a T5-shaped model from one forward pass and from eight: ours, and those of transformers' Trainer.

    python tests/bench/t5_accumulation.py

Prints, for each, the norm of the gradient of the same sixteen rows and its quotient. Equal means 1.00.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import AutoModelForSeq2SeqLM, Seq2SeqTrainer, Seq2SeqTrainingArguments

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "bench")]

from figures import tell  # noqa: E402 - a script finds the checkout first

from tests.train.shapes import write_base  # noqa: E402
from train.encoded import Encoded  # noqa: E402
from train.loop import _gradient  # noqa: E402
from train.objective import Sft  # noqa: E402
from train.padded import PaddedPairs  # noqa: E402

N, LENGTHS = 16, (2, 9)


class Rows(Dataset):
    """The rows as Trainer takes them, padded, -100 where there is no token."""

    def __init__(self, data: Encoded) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, i: int) -> dict[str, list[int]]:
        prompt, target = self.data.prompt(i).tolist(), self.data.target(i).tolist()
        return {
            "input_ids": prompt + [0] * (12 - len(prompt)),
            "attention_mask": [1] * len(prompt) + [0] * (12 - len(prompt)),
            "labels": target + [-100] * (12 - len(target)),
        }


class Watched(Seq2SeqTrainer):
    """Trainer, with the norm of the gradient of its first step."""

    found = 0.0

    def _clip(self) -> float:
        squares = [weight.grad.double().square().sum() for weight in self.model.parameters() if weight.grad is not None]
        return float(torch.stack(squares).sum().sqrt())

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        optimizer = super().create_optimizer()
        optimizer.register_step_pre_hook(lambda *_: setattr(self, "found", self._clip()))
        return optimizer


def main() -> None:
    """Print the table."""
    draws = np.random.default_rng(0)
    pairs = [tuple(draws.integers(3, 300, n).tolist() for n in draws.integers(*LENGTHS, 2)) for _ in range(N)]
    data = Encoded.of(pairs, [f"row {i}" for i in range(N)])
    with tempfile.TemporaryDirectory() as place:
        folder = write_base("t5", Path(place) / "t5", ROOT / "data" / "sample" / "tokenizer")
        found = {"ours": ours(folder, data), "Trainer": theirs(folder, data, Path(place))}
        for name, (one, many) in found.items():
            sys.stdout.write(f"{name:8} 1 pass {one:.5f}   8 passes {many:.5f}   {many / one:.5f}\n")
    mine, other = (found[name][1] / found[name][0] for name in ("ours", "Trainer"))
    tell("norm of the gradient from eight passes over that from one", mine, peer="Trainer", theirs=other)


def ours(folder: Path, data: Encoded) -> list[float]:
    """Return the norm of the gradient from one forward pass and from eight."""
    norms = []
    for budget in (4096, 30):
        model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).train()
        layout = PaddedPairs("", model.config.decoder_start_token_id)
        n_passes = len(list(layout.micro_batches(data, range(N), budget)))
        if n_passes != (1 if budget == 4096 else 8):
            raise SystemExit(f"{n_passes} forward passes: the budget does not cut these rows as the table says")
        _gradient(model, Sft(data, Encoded.of([], []), layout), range(N), budget)
        squares = [weight.grad.double().square().sum() for weight in model.parameters() if weight.grad is not None]
        norms.append(float(torch.stack(squares).sum().sqrt()))
    return norms


def theirs(folder: Path, data: Encoded, place: Path) -> list[float]:
    """Return the same of Trainer."""
    norms = []
    for steps in (1, 8):
        arguments = Seq2SeqTrainingArguments(
            output_dir=str(place / "out"), max_steps=1, per_device_train_batch_size=N // steps, max_grad_norm=0.0,
            gradient_accumulation_steps=steps, report_to="none", use_cpu=True, disable_tqdm=True, save_strategy="no",
        )  # fmt: skip
        model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32)
        trainer = Watched(model=model, args=arguments, train_dataset=Rows(data))
        trainer.train()
        norms.append(trainer.found)
    return norms


if __name__ == "__main__":
    main()
