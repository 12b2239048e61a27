"""Our loop against TRL's, on the same base, rows, batch and steps, on this machine's CPU: `make bench-train`.

    python tests/bench/train_against_trl.py [--steps 40] [--method full|lora] [--folder FOLDER]

A Llama-shaped base of 14 million parameters begins from random weights; the rows are real instructions, and every
trainer learns the completion alone. Useful tokens are prompt and completion, no padding. The clock runs from the first
step to the end of the last and stands still while the plain judge reads the validation rows; what is saved on the way
counts. "to NLL" is the time to the validation loss that the slowest of them ends with at the most, read off between two
judgements. TRL "as it comes" is its default configuration with the batch and rate of the task; it refuses to start on a
CPU until told `use_cpu`. Its other settings are those that make it faster here; its best is the fastest. Nothing is
asserted.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from figures import tell
from peers.venv import python_of
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from training_task import BATCH, TEMPLATE
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
N_TRAIN, N_VALIDATION = 1600, 64
FASTER = {"bf16": False, "activation_checkpointing": False}
TRL = {
    "TRL as it comes": {},
    "TRL fp32": FASTER,
    "TRL fp32, lengths grouped": {**FASTER, "train_sampling_strategy": "group_by_length"},
    "TRL fp32, padding-free": {**FASTER, "padding_free": True, "max_length": None},
    # A packed row holds several examples: these two see about as many tokens a step as 16 examples have.
    "TRL fp32, packed 2 x 600": {**FASTER, "packing": True, "max_length": 600, "batch": 2},
    "TRL fp32, packed 1 x 1200": {**FASTER, "packing": True, "max_length": 1200, "batch": 1},
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--method", default="full")
    parser.add_argument("--only", default="")
    default = os.environ.get("TUNELOOP_SHARED", str(ROOT.parent / "shared" / "data"))
    parser.add_argument("--folder", type=Path, default=Path(default))
    asked = parser.parse_args()
    source = asked.folder / "stanford_alpaca" / "alpaca_first5019.json"
    if not source.is_file():
        print(f"train_against_trl: skipped, no {source}")
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(source, folder)
        words = [str(folder), str(asked.steps), str(asked.every), asked.method]
        found = {"ours": run([sys.executable, str(HERE / "our_training.py"), *words], {"PYTHONPATH": str(ROOT)})}
        print(f"ours: {found['ours']['tokens'] / found['ours']['seconds']:,.0f} tokens/s", flush=True)
        for name, settings in TRL.items():
            if asked.only in name:
                worker = [str(python_of("trl")), str(HERE / "peers" / "run_trl.py"), *words, json.dumps(settings)]
                found[name] = run(worker, {})
                print(f"{name}: {found[name]['tokens'] / found[name]['seconds']:,.0f} tokens/s", flush=True)
    goal = max(one["curve"][-1][2] for one in found.values())
    ours = found["ours"]
    print(
        f"{asked.steps} steps of {BATCH} examples, {asked.method}, {ours['threads']} threads; loss to reach {goal:.3f}"
    )
    print(
        f"{'':28} {'tokens/s':>9} {'ours is':>8} {'seconds':>8} {'peak MB':>8} {'last NLL':>9} {'to NLL':>8} {'ours is':>8}"
    )
    for name, one in found.items():
        speed, reach = one["tokens"] / one["seconds"], seconds_to(goal, one["curve"])
        times = (ours["tokens"] / ours["seconds"]) / speed
        print(
            f"{name:28} {speed:9,.0f} {times:7.2f}x {one['seconds']:8.1f} {one['peak_mb']:8,.0f}"
            f" {one['curve'][-1][2]:9.3f} {reach:8.1f} {reach / seconds_to(goal, ours['curve']):7.2f}x"
        )
        if name != "ours":
            mine = ours["tokens"] / ours["seconds"]
            tell(
                f"{asked.method}: useful tokens a second",
                mine,
                peer=name,
                theirs=speed,
                better="more",
                headline="padding-free" in name,
            )
            mine = seconds_to(goal, ours["curve"])
            tell(f"{asked.method}: to NLL {goal:.2f}", mine, "s", peer=name, theirs=reach, better="less")
            what = f"{asked.method}: peak memory"
            tell(what, ours["peak_mb"], "MB", peer=name, theirs=one["peak_mb"], better="less")


def prepare(source: Path, folder: Path) -> None:
    """Write rows, tokenizer and base."""
    rows = [
        {
            "prompt": [{"role": "user", "content": "\n\n".join(filter(None, (row["instruction"], row["input"])))}],
            "completion": [{"role": "assistant", "content": row["output"]}],
        }
        for row in json.loads(source.read_text("utf-8"))
        if row["output"].strip()
    ]
    # The judge's rows come first, so that more train rows do not change them.
    for name, some in (
        ("validation", rows[:N_VALIDATION]),
        ("train", rows[N_VALIDATION : N_VALIDATION + N_TRAIN]),
    ):
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in some) + "\n", encoding="utf-8")
    special = ["<|bos|>", "<|eos|>", "<|pad|>", "<|user|>", "<|assistant|>", "<|system|>"]
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    texts = [row[side][0]["content"] for row in rows for side in ("prompt", "completion")]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    raw.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=16_000, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<|bos|>", eos_token="<|eos|>", pad_token="<|pad|>",
        additional_special_tokens=special[3:], chat_template=TEMPLATE,
    )  # fmt: skip
    tokenizer.save_pretrained(folder / "base")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=320, intermediate_size=896, num_hidden_layers=7, num_attention_heads=5,
        num_key_value_heads=5, max_position_embeddings=2048, tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    print(
        f"base: {sum(weight.numel() for weight in model.parameters()) / 1e6:.1f}M parameters, {len(tokenizer):,} tokens"
    )
    model.save_pretrained(folder / "base")


def run(command: list[str], environment: dict[str, str]) -> dict:
    """Return the last line that a worker printed, as JSON."""
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def seconds_to(goal: float, curve: list) -> float:
    """Return when a falling curve of (step, seconds, nll) reaches a loss, on the line between two readings."""
    before = None
    for _, seconds, nll in curve:
        if nll <= goal + 1e-9:
            if before is None or before[1] <= nll:
                return seconds
            share = (before[1] - goal) / (before[1] - nll)
            return before[0] + share * (seconds - before[0])
        before = (seconds, nll)
    return float("nan")


if __name__ == "__main__":
    main()
