"""How near `tuneloop train --dry-run` comes to what training then needs: peak memory and seconds.

    python tests/bench/estimate_against_runs.py

One thread, and seconds of processor instead of the clock's, so that others at work on the machine change little.
Trains tiny and a Llama-shaped model of 14 million parameters on 300 rows of the sample's kind, each in a process of
its own, and prints estimate beside measurement. Evaluation is not run: the estimate is of training.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from figures import tell
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "sample"
RUNS = [
    # name, base, method, epochs, token_budget, other settings
    ("tiny full", "tiny", "full", 2, 4096, ""),
    ("tiny lora", "tiny", "lora", 2, 4096, ""),
    ("14M full", "middle", "full", 0.25, 4096, ""),
    ("14M lora", "middle", "lora", 0.25, 4096, ""),
    ("14M full, small budget", "middle", "full", 0.25, 1024, ""),
    ("14M lora, small budget", "middle", "lora", 0.25, 1024, ""),
    ("14M lora, checkpointing", "middle", "lora", 0.25, 4096, "activation_checkpointing = true"),
]
INSIDE = """
import json, resource, sys, time
import torch
torch.set_num_threads(1)
from pathlib import Path
from pipeline.recipe import load_recipe
from train.plan import plan_run
from train.talk import Talk
plan = plan_run(load_recipe(Path(sys.argv[2])), Path("data"))
if sys.argv[1] == "estimate":
    from train.dry_run import dry_run
    found = dry_run(plan)
    print(json.dumps({"bytes": found.memory.total, "seconds": found.seconds, "how": found.how,
                      "parts": {name: getattr(found.memory, name) for name in found.memory.__dataclass_fields__}}))
else:
    from train.prepared import prepare_run
    from train.tune import tune
    with Talk() as talk:
        prepared = prepare_run(plan, talk.tell())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        began = time.process_time()
        tuned = tune(plan, prepared, talk.tell())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"bytes": peak, "seconds": time.process_time() - began, "before": before}))
"""


def main() -> None:
    """Print a line a run."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make_project(folder)
        print(
            f"{'run':<26}{'memory est.':>12}{'measured':>10}{'ratio':>7}{'time est.':>11}{'measured':>10}{'ratio':>7}"
        )
        for number, (name, base, method, epochs, budget, other) in enumerate(RUNS):
            recipe = folder / f"{number}.toml"
            write_recipe(recipe, base, method, epochs, budget, other)
            guess, truth = inside(folder, "estimate", recipe), inside(folder, "run", recipe)
            print(
                f"{name:<26}{guess['bytes'] / 2**20:>8,.0f} MiB{truth['bytes'] / 2**20:>6,.0f} MiB"
                f"{guess['bytes'] / truth['bytes']:>7.2f}{guess['seconds']:>9.1f} s{truth['seconds']:>8.1f} s"
                f"{guess['seconds'] / truth['seconds']:>7.2f}   {guess['how']}",
                flush=True,
            )
            tell(f"{name}: memory estimated over measured", guess["bytes"] / truth["bytes"])
            tell(f"{name}: seconds estimated over measured", guess["seconds"] / truth["seconds"])


def inside(folder: Path, what: str, recipe: Path) -> dict:
    """Return what a fresh process prints last."""
    words = [sys.executable, "-c", INSIDE, what, recipe.name]
    env = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def make_project(folder: Path) -> None:
    """Make data and the larger base."""
    words = [
        sys.executable,
        str(SAMPLE / "generator"),
        "--rows",
        "300",
        "--seed",
        "3",
        "--rows-only",
        "--to",
        "data/sample",
    ]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    documents = (SAMPLE / "base.txt").read_text("utf-8").split("\n\n")[:400]
    (folder / "base.txt").write_text("\n\n".join(documents), encoding="utf-8")
    write_recipe(folder / "data.toml", "tiny", "full", 1, 4096, "")
    subprocess.run(
        [sys.executable, "-m", "pipeline", "data", "--recipe", "data.toml"], cwd=folder, check=True, capture_output=True
    )
    tokenizer = AutoTokenizer.from_pretrained(SAMPLE / "tokenizer")
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=384, intermediate_size=1024, num_hidden_layers=6, num_attention_heads=6,
        num_key_value_heads=6, max_position_embeddings=512, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(1)
    LlamaForCausalLM(config).save_pretrained(folder / "middle")
    tokenizer.save_pretrained(folder / "middle")


def write_recipe(path: Path, base: str, method: str, epochs: float, budget: int, other: str) -> None:
    """Write the sample's recipe with another [train]."""
    text = (ROOT / "pipeline" / "recipes" / "sample.toml").read_text("utf-8").partition("[train]")[0]
    text = text.replace('"data/sample/tokenizer"', f'"{SAMPLE / "tokenizer"}"')
    base = base if base == "tiny" else f"./{base}"
    path.write_text(
        f'{text}[train]\nbase = "{base}"\nmethod = "{method}"\nepochs = {epochs}\nbatch_size = 16\nbase_text = "base.txt"\n'
        f'base_tokenizer = "{SAMPLE / "tokenizer"}"\nbase_steps = 40\ntoken_budget = {budget}\n{other}\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
