"""TRL on the task of `training_task`, in its own environment: prints one line of JSON.

python run_trl.py FOLDER STEPS EVERY METHOD '{"bf16": false, ...}'
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1", TRL_DISABLE_TELEMETRY="1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from datasets import Dataset
from memory import PeakMemory
from peft import LoraConfig
from torch.optim.lr_scheduler import LambdaLR
from training_task import BATCH, RATE, SEED, ids_of, plain_nll, rate_at, read
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer


class Watch(TrainerCallback):
    """Reads clock and judge every so many steps, with the clock stopped while judging."""

    def __init__(self, every, pairs):
        self.every, self.pairs, self.outside, self.curve = every, pairs, 0.0, []

    def on_train_begin(self, args, state, control, **rest):
        self.began = time.monotonic()

    def on_step_end(self, args, state, control, model=None, **rest):
        if state.global_step % self.every and state.global_step != state.max_steps:
            return
        at = time.monotonic()
        nll = plain_nll(model, self.pairs)
        self.curve.append((state.global_step, at - self.began - self.outside, nll))
        self.outside += time.monotonic() - at


class Counted(SFTTrainer):
    """Counts the tokens that are no padding, and those that carry loss."""

    tokens = supervised = 0

    def training_step(self, model, inputs, *rest, **more):
        mask = inputs.get("attention_mask")
        self.tokens += int(mask.sum()) if mask is not None else inputs["input_ids"].numel()
        self.supervised += int((inputs["labels"] != -100).sum())
        return super().training_step(model, inputs, *rest, **more)


def main(folder, steps, every, method, changes):
    """Train and print what it took."""
    batch = changes.pop("batch", BATCH)
    with PeakMemory() as memory, tempfile.TemporaryDirectory() as place:
        tokenizer = AutoTokenizer.from_pretrained(folder / "base")
        model = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
        watch = Watch(every, [ids_of(tokenizer, row) for row in read(folder / "validation.jsonl")])
        config = SFTConfig(
            output_dir=place, use_cpu=True, report_to="none", save_strategy="no", disable_tqdm=True, seed=SEED,
            per_device_train_batch_size=batch, max_steps=steps, learning_rate=RATE, weight_decay=0.01,
            adam_beta2=0.95, **changes,
        )  # fmt: skip
        adapter = LoraConfig(r=16, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
        optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.01)
        own = (
            {"optimizers": (optimizer, LambdaLR(optimizer, lambda at: rate_at(at, steps)))} if method == "full" else {}
        )
        trainer = Counted(
            model=model, args=config, train_dataset=Dataset.from_list(read(folder / "train.jsonl")),
            processing_class=tokenizer, callbacks=[watch], peft_config=None if method == "full" else adapter, **own,
        )  # fmt: skip
        trainer.train()
        seconds = time.monotonic() - watch.began - watch.outside
    print(
        json.dumps(
            {
                "tokens": trainer.tokens,
                "supervised": trainer.supervised,
                "seconds": seconds,
                "peak_mb": memory.rss_bytes / 1e6,
                "curve": watch.curve,
                "threads": torch.get_num_threads(),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], json.loads(sys.argv[5]))
