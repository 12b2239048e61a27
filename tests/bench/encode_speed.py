"""How fast rows become ids and masks: ours, and the same work through the transformers tokenizer, in one run.

    python tests/bench/encode_speed.py [FOLDER]     (FOLDER: $TUNELOOP_SHARED or ../shared/data)

Three things are timed over the same real rows (stanford_alpaca, gsm8k, sharegpt), every one three times in turn; the
best of each counts, by the clock and by the work of all threads (on a machine that others use, the second says more):

    ours     prompts rendered, ids, every target read back and compared, all rules checked, flat arrays
    theirs   the same, with `tokenizer(list of texts)` for the ids and `tokenizer.batch_decode` to read back
    bare     one call a row, nothing checked: `apply_chat_template(prompt, tokenize=True)`, `tokenizer(answer)`

with two tokenizers: that of the sample, and a byte-level BPE of 32,000 tokens cut as Qwen's, made here from that text.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from figures import tell
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from pipeline.fast_ids import PATTERNS
from train.chat_template import bare
from train.encode import Encoder
from train.encoded import Encoded
from train.row_checks import Said

ROOT = Path(__file__).resolve().parents[2]
ROUNDS, BLOCK = 3, 2048
CLOCKS = {"clock": time.perf_counter, "work": time.process_time}
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
ROLES = {"human": "user", "gpt": "assistant", "system": "system"}
Row = dict[str, Any]


def main() -> None:
    """Time all three and print a table."""
    default = os.environ.get("TUNELOOP_SHARED", str(ROOT.parent / "shared" / "data"))
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else default)
    if not folder.is_dir():
        print(f"encode_speed: skipped, no data at {folder}")
        return
    rows = read_rows(folder)
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    print(f"{len(rows):,} rows; seconds, best of {ROUNDS}; {cores} cores, load {load:.1f} before")
    print(f"{'tokenizer':<22} {'tokens':>10} {'':<6}{'ours':>7} {'theirs':>7} {'bare':>7}  theirs/ours  bare/ours")
    for name, tokenizer in (("sample, 2,048", sample_tokenizer()), ("made here, Qwen's cut", made_tokenizer(rows))):
        encoder = Encoder(tokenizer, 1 << 20, name)
        assert encoder.engine.startswith("tiktoken"), encoder.engine
        ways: dict[str, Callable[[], Encoded | int]] = {
            "ours": lambda encoder=encoder: encoder.encode(rows),
            "theirs": lambda encoder=encoder: through_transformers(encoder, rows),
            "bare": lambda tokenizer=tokenizer: one_call_a_row(tokenizer, rows),
        }
        spent: dict[tuple[str, str], list[float]] = {(way, clock): [] for way in ways for clock in CLOCKS}
        made: dict[str, Any] = {}
        for _ in range(ROUNDS):
            for way, run in ways.items():
                began = {clock: read() for clock, read in CLOCKS.items()}
                made[way] = run()
                for clock, read in CLOCKS.items():
                    spent[way, clock].append(read() - began[clock])
        assert np.array_equal(made["ours"].ids, made["theirs"].ids)
        assert np.array_equal(made["ours"].weights, made["theirs"].weights)
        n = len(made["ours"].ids)
        assert made["bare"] + len(rows) == n
        for clock in CLOCKS:
            ours, theirs, alone = (min(spent[way, clock]) for way in ways)
            print(
                f"{name:<22} {n:>10,} {clock:<6}{ours:>7.2f} {theirs:>7.2f} {alone:>7.2f}"
                f"  {theirs / ours:>10.1f}x  {alone / ours:>8.1f}x"
            )
            for way, peer in (("theirs", "transformers"), ("bare", "tokenizers row by row")):
                what = f"{name}: seconds by the {clock}"
                tell(what, spent["ours", clock], "s", peer=peer, theirs=spent[way, clock], better="less")


def through_transformers(encoder: Encoder, rows: list[Row]) -> Encoded:
    """Return the same examples with the ids and the reading back of transformers."""
    tokenizer, template = encoder.tokenizer, encoder.template
    pairs: list[tuple[list[int], list[int]]] = []
    problems = []
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        prompts = [template.render(row["prompt"], None, "", for_generation=True) for row in block]
        texts = [template.guarded(row["completion"][0]["content"]) for row in block]
        assert not any("\ue0a1" in text for text in (*prompts, *texts)), "a row that needs more than one call"
        asked = tokenizer(prompts, add_special_tokens=False)["input_ids"]
        said = tokenizer(texts, add_special_tokens=False)["input_ids"]
        back = tokenizer.batch_decode(said, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        for row, prompt, target, text, read in zip(block, asked, said, texts, back, strict=True):
            pairs.append((prompt, [*target, encoder.stop_id]))
            problems += encoder.rules.problems(
                row["origin"], [*prompt, *pairs[-1][1]], [Said(target, bare(text), read)]
            )
    assert not problems, problems[0]
    return Encoded.of(pairs, [row["origin"] for row in rows])


def one_call_a_row(tokenizer: PreTrainedTokenizerBase, rows: list[Row]) -> int:
    """Return the number of tokens, taken the way most training scripts do."""
    n = 0
    for row in rows:
        messages = [{"role": message["role"], "content": message["content"]} for message in row["prompt"]]
        n += len(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False))
        n += len(tokenizer(row["completion"][0]["content"], add_special_tokens=False)["input_ids"])
    return n


def read_rows(folder: Path) -> list[Row]:
    """Return the rows as a split has them; those with a control token in them or no answer are left out."""
    found: list[list[tuple[str, str]]] = []
    for one in json.loads((folder / "stanford_alpaca" / "alpaca_first5019.json").read_text("utf-8")):
        found.append([("user", f"{one['instruction']}\n\n{one['input']}".strip()), ("assistant", one["output"])])
    for line in (folder / "gsm8k" / "train.jsonl").read_text("utf-8").splitlines():
        one = json.loads(line)
        found.append([("user", one["question"]), ("assistant", one["answer"])])
    for one in json.loads((folder / "sharegpt-format" / "dummy_conversation.json").read_text("utf-8")):
        found.append([(ROLES[turn["from"]], turn["value"]) for turn in one["conversations"]])
    rows = []
    for place, turns in enumerate(found):
        if turns[-1][0] == "assistant" and turns[-1][1] and not any("<|" in text for _, text in turns):
            messages = [{"role": role, "content": text, "tool_calls": None} for role, text in turns]
            rows.append({"origin": str(place), "prompt": messages[:-1], "completion": messages[-1:], "tools": None})
    return rows


def sample_tokenizer() -> PreTrainedTokenizerBase:
    """Return the tokenizer of the sample's base."""
    return AutoTokenizer.from_pretrained(ROOT / "data" / "sample" / "tokenizer")


def made_tokenizer(rows: list[Row]) -> PreTrainedTokenizerBase:
    """Return a byte-level BPE of 32,000 tokens, cut as Qwen's, with ChatML."""
    pattern = next(one for one in PATTERNS if r"\p{N}|" in one)
    bpe = Tokenizer(models.BPE())
    cut = pre_tokenizers.Split(Regex(pattern), "isolated")
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=32_000,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        show_progress=False,
    )
    bpe.train_from_iterator((m["content"] for row in rows for m in [*row["prompt"], *row["completion"]]), trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.chat_template = CHATML
    return tokenizer


if __name__ == "__main__":
    main()
