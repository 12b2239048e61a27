"""Twenty kills: a training run is killed at random moments, goes on, and must end with the bits of a run left alone.

Every kill is shown to hit: the process was alive when SIGKILL was sent and died of it, and the step it had come to (by
its own tick, written at every step) and the step of the checkpoint it left are printed. Some kills wait for a file
that exists only while a checkpoint or the best weights are being written.

    python tests/bench/training_kills.py [kills]
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from figures import tell
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from train.checkpoint import BEST, STATE, WEIGHTS  # noqa: E402
from train.encoded import Encoded  # noqa: E402
from train.loop import Plan, fit  # noqa: E402
from train.objective import Sft  # noqa: E402
from train.order import Wishes, arrange  # noqa: E402
from train.pack import Packed  # noqa: E402

STEPS = 400
TICK = "tick"
# The same number of threads for all.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def run(folder: Path) -> None:
    """Train in a folder, from the start or from what is there; dropout, tasks and a sequence, so that all state counts."""
    # Of transformers about itself.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    torch.set_num_threads(1)
    torch.manual_seed(7)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=300, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=128, initializer_range=0.2,
        )
    )  # fmt: skip
    model = get_peft_model(model, LoraConfig(r=8, lora_dropout=0.2, target_modules="all-linear"))
    draws = np.random.default_rng(3)
    pairs = [tuple(draws.integers(3, 300, n).tolist() for n in draws.integers(1, 40, 2)) for _ in range(120)]
    data = Encoded.of(pairs[:100], [f"row {n}" for n in range(100)])
    validation = Encoded.of(pairs[100:], [f"row {n}" for n in range(100, 120)])
    order, _ = arrange(
        ["a", "b"] * 50, {}, Wishes({"a": 1.5}, [["a"], ["b"]]),
        batch_size=8, epochs=32, max_steps=STEPS, n_documents=0, seed=5,
    )  # fmt: skip
    plan = Plan(
        steps=STEPS, batch_size=8, learning_rate=0.003, warmup=20, weight_decay=0.01, clip=1.0, token_budget=256,
        evaluate_every=8, seed=5, patience=1000,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    tick = os.open(folder / TICK, os.O_CREAT | os.O_WRONLY)
    fit(
        model, Sft(data, validation, Packed()), plan, folder, lambda _: None,
        order=order, check=lambda _, step: os.pwrite(tick, f"{step:6d}".encode(), 0),
    )  # fmt: skip


def begin(folder: Path) -> subprocess.Popen[bytes]:
    """Begin a run in a process of its own."""
    return subprocess.Popen(
        [sys.executable, __file__, "--run", str(folder)], env={**os.environ, "OMP_NUM_THREADS": "1"}
    )


def step_at(path: Path) -> int:
    """Return the step a process has come to, 0 if none."""
    try:
        return int(path.read_text() or 0)
    except (OSError, ValueError):
        return 0


def checkpoint_of(folder: Path) -> int:
    """Return the step of the checkpoint there is."""
    for name in ("checkpoint", "checkpoint.old"):
        try:
            return int(json.loads((folder / name / STATE).read_text())["step"])
        except (OSError, ValueError):
            continue
    return 0


def kill(folder: Path, ready: Callable[[], bool], first_step: Callable[[], bool]) -> bool:
    """Begin a run and kill it once it has taken a step and `ready()`; return whether it was alive until then."""
    process = begin(folder)
    while process.poll() is None and not first_step():
        time.sleep(0.001)
    while process.poll() is None and not ready():
        time.sleep(0.0002)
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL and alive


def main() -> None:
    """Kill and compare; prints a table."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    draws = random.Random()
    with tempfile.TemporaryDirectory() as place:
        whole, folder = Path(place) / "whole", Path(place) / "killed"
        started = time.monotonic()
        assert begin(whole).wait() == 0
        print(f"a run left alone: {STEPS} steps, {time.monotonic() - started:.1f} s with loading\n")
        print(f"{'kill':>4}  {'when':<40} {'hit':<4} {'at step':>7} {'checkpoint':>10}")
        hits = 0
        while hits < kills:
            writing = {
                "while the checkpoint's weights are written": folder / "checkpoint.draft" / WEIGHTS,
                "while the old checkpoint is moved away": folder / "checkpoint.old",
                "while the best weights are written": folder / "best.draft",
            }
            # A part of the steps that are left, so that all kills fit in.
            left = max(1, (STEPS - checkpoint_of(folder)) // (kills - hits + 1))
            if hits % 2:
                when, path = draws.choice(list(writing.items()))
                ready = path.exists
            else:
                wanted = checkpoint_of(folder) + draws.randint(1, max(1, 2 * left))
                when = f"at step {wanted}"

                def ready(wanted: int = wanted) -> bool:
                    return step_at(folder / TICK) >= wanted

            (folder / TICK).unlink(missing_ok=True)
            hit = kill(folder, ready, lambda: step_at(folder / TICK) > 0)
            if not hit:
                raise SystemExit(f"the run ended before kill {hits + 1} ({when}): nothing is shown by it")
            hits += 1
            print(
                f"{hits:>4}  {when:<40} {'yes':<4} {step_at(folder / TICK):>7} {checkpoint_of(folder):>10}", flush=True
            )
        assert checkpoint_of(folder) < STEPS
        assert begin(folder).wait() == 0
        same = {
            "best weights": (folder / BEST).read_bytes() == (whole / BEST).read_bytes(),
            "last weights and moments": all(
                torch.equal(one, load_file(whole / "checkpoint" / WEIGHTS)[name])
                for name, one in load_file(folder / "checkpoint" / WEIGHTS).items()
            ),
            "readings": told(folder) == told(whole),
        }
        print(f"\n{hits} kills, all hit; then equal to the run left alone, bit for bit:")
        for what, equal in same.items():
            print(f"  {what:<26} {'yes' if equal else 'NO'}")
        tell("kills that hit", hits)
        what = "equal to the bit: best weights, last weights and moments, readings"
        tell(what, sum(same.values()), of=len(same), headline=True)
        if not all(same.values()):
            raise SystemExit(1)


def told(folder: Path) -> list[dict[str, object]]:
    """Return the readings without what depends on the clock."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: line[name] for name in ("step", "train_loss", "validation_nll", "gradient_norm")} for line in lines]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(Path(sys.argv[2]))
    else:
        main()
