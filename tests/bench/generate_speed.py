"""Generated tokens a second: ours, and `generate` of transformers with its usual batching, on the same prompts.

    python tests/bench/generate_speed.py [DATA_ROOT] [PROMPTS]   (data, whose newest run of the sample is asked; 1,000)

1,000 prompts (train rows of the split in their order), at most 64 new tokens, greedy, fp32, two threads. Theirs is
asked as people ask it: left-padded batches of 64 and of 8 in the given order, until all of a batch have ended. The tiny
base hardly ever stops, the tuned model mostly does: both are asked. A token counts up to the stop token, that included.
Every round asks all in turn; the best counts, by the clock and by the work of all threads (on a machine that others
use, the second says more). Tokens are counted where theirs are: where the outputs are the same texts, so are they.
"""

import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from figures import tell
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PreTrainedModel

from pipeline.snapshot import Snapshot
from train.encode import Encoder
from train.encoded import Encoded
from train.exam import COLUMNS
from train.generate import answers

N, NEW, ROUNDS, CONTEXT = 1_000, 64, 2, 1024
CLOCKS: dict[str, Callable[[], float]] = {"clock": time.perf_counter, "work": time.process_time}


def main() -> None:
    """Print the table."""
    torch.set_num_threads(2)
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "data")
    run = root / "runs" / "latest-sample" / "model"
    tokenizer = AutoTokenizer.from_pretrained(run)
    encoder = Encoder(tokenizer, CONTEXT, "bench")
    n = int(sys.argv[2]) if len(sys.argv) > 2 else N
    asked = prompts(Snapshot.open(root / "split", (root / "split" / "latest-sample").resolve().name), encoder, n)
    print(f"{len(asked):,} prompts of {asked.n_prompt.mean():.0f} tokens on the average, {NEW} new tokens at most")
    for name, folder in (("base", next((root / "bases").glob("tiny-*/config.json")).parent), ("tuned", run)):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        ways: dict[str, Callable[[], tuple[list[str], int]]] = {
            "ours": lambda model=model: ours(model, encoder, asked),
            "generate, 64 at once": lambda model=model: theirs(model, encoder, asked, 64),
            "generate, 8 at once": lambda model=model: theirs(model, encoder, asked, 8),
        }
        said: dict[str, tuple[list[str], int]] = {}
        spent: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _, (way, go) in itertools.product(range(ROUNDS), ways.items()):
            began = {clock: read() for clock, read in CLOCKS.items()}
            said[way] = go()
            spent[way].append({clock: read() - began[clock] for clock, read in CLOCKS.items()})
        n_tokens = max(n for _, n in said.values())
        for way, (texts, _) in said.items():
            best = {clock: min(one[clock] for one in spent[way]) for clock in CLOCKS}
            same = sum(one == other for one, other in zip(texts, said["ours"][0], strict=True))
            rates = ", ".join(f"{n_tokens / best[clock]:>7,.0f} tokens/s by {clock}" for clock in CLOCKS)
            print(f"{name:<6} {way:<21} {rates}   same outputs {same:,} of {len(texts):,}", flush=True)
            if way != "ours":
                mine, other = ([n_tokens / one["clock"] for one in spent[who]] for who in ("ours", way))
                tell(f"{name}: tokens a second", mine, peer=way, theirs=other, better="more", headline=name == "tuned")
                tell(f"{name}: same outputs as {way}", same, of=len(texts))


def prompts(split: Snapshot, encoder: Encoder, n: int) -> Encoded:
    """Return the first prompts of the train side."""
    rows: list[dict] = []
    for file in split.manifest.files:
        if file.name.startswith("train-") and len(rows) < n:
            for batch in Snapshot.read_part(split.folder / file.name, list(COLUMNS)):
                rows += batch.to_pylist()
    return encoder.encode(rows[:n])


def ours(model: PreTrainedModel, encoder: Encoder, asked: Encoded) -> tuple[list[str], int]:
    """Answer as evaluation does, which does not say how many tokens that took."""
    said = answers(
        model, encoder.tokenizer, asked, stop=encoder.stop_id, context=CONTEXT, max_new_tokens=NEW, token_budget=4096,
        tell=lambda *_: None,
    )  # fmt: skip
    return said.texts, 0


def theirs(model: PreTrainedModel, encoder: Encoder, asked: Encoded, at_once: int) -> tuple[list[str], int]:
    """Answer with `generate`, in padded batches in the given order; return the texts, and tokens with their stops."""
    how = GenerationConfig(
        do_sample=False, max_new_tokens=NEW, eos_token_id=encoder.stop_id, pad_token_id=encoder.stop_id
    )
    model.generation_config = GenerationConfig()
    texts: list[str] = []
    n_tokens = 0
    for start in range(0, len(asked), at_once):
        batch = [asked.prompt(i) for i in range(start, min(start + at_once, len(asked)))]
        width = max(map(len, batch))
        ids = torch.full((len(batch), width), encoder.stop_id)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(batch):
            ids[row, width - len(prompt) :] = torch.from_numpy(prompt.astype(np.int64))
            mask[row, width - len(prompt) :] = 1
        with torch.inference_mode():
            out = model.generate(input_ids=ids, attention_mask=mask, generation_config=how)  # type: ignore[operator]
        for new in out[:, width:].tolist():
            ended = new[: new.index(encoder.stop_id)] if encoder.stop_id in new else new
            n_tokens += min(len(ended) + 1, len(new))
            texts.append(encoder.read_back(ended))
    return texts, n_tokens


if __name__ == "__main__":
    main()
