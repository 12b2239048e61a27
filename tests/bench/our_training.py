"""Our loop on the task of `training_task`, in a process of its own: prints one line of JSON.

python tests/bench/our_training.py FOLDER STEPS EVERY METHOD
"""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from memory import PeakMemory
from training_task import BATCH, MAX_LENGTH, RATE, SEED, WARMUP, ids_of, plain_nll, read

from schemas.training import Train
from train.encode import Encoder
from train.loop import Plan, Reading, fit
from train.model import load_base
from train.objective import Sft
from train.pack import Packed
from train.segment_attention import SEGMENTS, register
from train.trainable import prepare


class Judged(Sft):
    """Supervised fine-tuning, judged by the plain judge, with the clock stopped meanwhile."""

    pairs: Sequence[tuple[list[int], list[int]]] = ()
    outside = 0.0

    def judge(self, model, token_budget):
        del token_budget
        began = time.monotonic()
        trains_with = model.config._attn_implementation
        model.set_attn_implementation("sdpa")
        nll = plain_nll(model, self.pairs)
        model.set_attn_implementation(trains_with)
        self.outside += time.monotonic() - began
        return nll


def main(folder: Path, steps: int, every: int, method: str) -> None:
    """Train and print what it took."""
    settings = Train(base=str(folder / "base"), method=method, rank=16, batch_size=BATCH)
    with PeakMemory() as memory:
        base = load_base(settings, folder / "base")
        encoder = Encoder(base.tokenizer, MAX_LENGTH, "bench")
        rows = read(folder / "train.jsonl")
        nothing = {"name": None, "tool_calls": None, "tool_call_id": None, "weight": None}
        data = encoder.encode(
            [
                {
                    "origin": f"row {n}",
                    "tools": None,
                    **{side: [{**nothing, **one} for one in row[side]] for side in row},
                }
                for n, row in enumerate(rows)
            ]
        )
        register()
        model = prepare(base, settings)
        model.set_attn_implementation(SEGMENTS)
        objective = Judged(data, data, Packed(flat=True))
        objective.pairs = [ids_of(base.tokenizer, row) for row in read(folder / "validation.jsonl")]
        plan = Plan(
            steps=steps, batch_size=BATCH, learning_rate=RATE, warmup=WARMUP, weight_decay=0.01, clip=1.0,
            token_budget=4096, evaluate_every=every, seed=SEED,
        )  # fmt: skip
        began = time.monotonic()
        seen: list[tuple[int, float, float | None]] = []

        def tell(at: Reading) -> None:
            seen.append((at.step, time.monotonic() - began - objective.outside, at.validation_nll))

        with tempfile.TemporaryDirectory() as place:
            done = fit(model, objective, plan, Path(place), tell)
            seconds = time.monotonic() - began - objective.outside
    print(
        json.dumps(
            {
                "tokens": done.tokens,
                "supervised": int(data.n_supervised.sum()),
                "seconds": seconds,
                "peak_mb": memory.rss_bytes / 1e6,
                "curve": [(step, at, nll) for step, at, nll in seen if nll is not None],
                "threads": torch.get_num_threads(),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
