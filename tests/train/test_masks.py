"""Masks of real conversations, every row of every chat shape, held against what transformers itself renders.

The argument is another one than the encoder's: the tokens with loss, read back, are what the assistant said, in order;
what stands before each run of them is, token for token, the prompt that transformers makes of the turns before; and
nothing else carries loss.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from pipeline.recipe import load_recipe
from pipeline.run import run_data
from pipeline.snapshot import Snapshot
from tests.conftest import ROOT, Quiet
from tests.train.chat_templates import CHATML, LLAMA3, QWEN3, SPECIAL, chat_tokenizer, spans
from train.encode import Encoder

DEMOS = "llama-factory-demos"
SOURCES = {
    "alpaca_en": (f"{DEMOS}/alpaca_en_demo.json", "instruct", {}),
    "alpaca_zh": (f"{DEMOS}/alpaca_zh_demo.json", "instruct", {}),
    "identity": (f"{DEMOS}/identity.json", "instruct", {}),
    "calls_en": (f"{DEMOS}/glaive_toolcall_en_demo.json", "chat", {}),
    "calls_zh": (f"{DEMOS}/glaive_toolcall_zh_demo.json", "chat", {}),
    "kto": (f"{DEMOS}/kto_en_demo.json", "chat", {}),
    "weighed": (f"{DEMOS}/v1_sft_demo.jsonl", "chat", {}),
    "chosen": (f"{DEMOS}/v1_dpo_demo.jsonl", "chat", {"turns": "chosen_messages"}),
    "sharegpt": ("sharegpt-format/dummy_conversation.json", "chat", {}),
    "openai": ("openai-chat-format/toy_chat_fine_tuning.jsonl", "chat", {}),
}
KINDS = {
    "chatml": (CHATML, "<|im_end|>", None),
    "llama3": (LLAMA3, "<|eot_id|>", "<|begin_of_text|>"),
    "qwen3": (QWEN3, "<|im_end|>", None),
}
# Less than the files hold: equal rows stand once, and the readers refuse what is no conversation (calls without
# answers, no turn of the user).
N_ROWS = {
    "alpaca_en": 985, "alpaca_zh": 992, "identity": 91, "calls_en": 265, "calls_zh": 255, "kto": 300, "weighed": 499,
    "chosen": 10, "sharegpt": 500, "openai": 4, "dpo_en": 293, "dpo_zh": 289, "reasoning": 47,
}  # fmt: skip
# Turns with loss, and the examples they take: one for each of the 4,530 rows but where history is rewritten.
N_TURNS = {"chatml": (6648, 4530), "llama3": (6648, 4530), "qwen3": (6648, 4548)}


@pytest.fixture(scope="module")
def rows(shared_data, tmp_path_factory):
    """Return every row of every set, as `tuneloop data` reads and formats it."""
    root = tmp_path_factory.mktemp("masks")
    sources = []
    for name, (path, template, fields) in SOURCES.items():
        columns = "".join(f"fields = {{ {field} = {column!r} }}\n" for field, column in fields.items())
        sources.append(
            f'[[ingest.sources]]\nname = "{name}"\npath = "{shared_data / path}"\ntemplate = "{template}"\n{columns}'
        )
    for name, conversations in made(shared_data / DEMOS).items():
        (root / f"{name}.json").write_text(json.dumps(conversations), encoding="utf-8")
        sources.append(f'[[ingest.sources]]\nname = "{name}"\npath = "{root}/{name}.json"\ntemplate = "chat"\n')
    settings = f"""
        name = "masks"
        [ingest]
        max_bad_share = 0.9
        [dedupe]
        near = 1.0
        [format]
        tokenizer = "{ROOT / "data" / "sample" / "tokenizer"}"
        max_tokens = 10_000_000
    """
    (root / "masks.toml").write_text(settings + "\n".join(sources), encoding="utf-8")
    *_, formatted = run_data(load_recipe(root / "masks.toml"), root / "data", Quiet(), to="format")
    found = Snapshot.open(root / "data" / "format", formatted.record.version).table().to_pylist()
    found = [row for row in found if row["completion"]]
    assert Counter(row["source"] for row in found) == N_ROWS
    return found


def made(demos):
    """Return conversations whose columns the readers do not join: preferred answers, and reasoning beside text."""
    found = {}
    for language in ("en", "zh"):
        pairs = json.loads((demos / f"dpo_{language}_demo.json").read_text("utf-8"))
        found[f"dpo_{language}"] = [{"conversations": [*pair["conversations"], pair["chosen"]]} for pair in pairs]
    lines = (demos / "reason_tool_use_demo_50.jsonl").read_text("utf-8").splitlines()
    found["reasoning"] = [
        {"messages": [as_text(message) for message in one["messages"]], "tools": one["tools"]}
        for one in map(json.loads, lines)
    ]
    return found


def as_text(message):
    """Return a message of typed parts with its reasoning as Qwen3 writes it."""
    parts = [(part["type"], part["value"]) for part in message["content"]]
    written = {"reasoning": "<think>\n{}\n</think>\n\n", "text": "{}"}
    calls = [{"function": json.loads(value)} for kind, value in parts if kind == "tool_call"]
    content = "".join(written[kind].format(value) for kind, value in parts if kind in written)
    return {"role": message["role"], "content": content, **({"tool_calls": calls} if calls else {})}


def shown(message):
    """Return a message as transformers takes it."""
    calls = {"tool_calls": json.loads(message["tool_calls"])} if message["tool_calls"] else {}
    return {"role": message["role"], "content": message["content"], **calls}


def rendered(tokenizer, messages, tools, *, answered=False):
    """Return what transformers makes of messages: ids ready for an answer, or the text of an answered conversation."""
    return tokenizer.apply_chat_template(
        [shown(message) for message in messages], tools=json.loads(tools) if tools else None,
        add_generation_prompt=not answered, tokenize=not answered, **({} if answered else {"return_dict": False}),
    )  # fmt: skip


def check(tokenizer, row, encoded, places, learnt, stop):
    """Return how many runs of tokens with loss the examples `places` of a row have, all of them right."""
    messages = [*row["prompt"], *row["completion"]]
    runs = [(i, *span) for i in places for span in spans(encoded, i)]
    assert len(runs) == len(learnt), row["origin"]
    for (i, start, end), place in zip(runs, learnt, strict=True):
        ids = encoded.example(i).tolist()
        text = tokenizer.decode(ids[start:end])
        assert ids[:start] == rendered(tokenizer, messages[:place], row["tools"]), row["origin"]
        if messages[place]["tool_calls"]:
            whole = rendered(tokenizer, messages[: place + 1], row["tools"], answered=True)
            assert text == whole[len(tokenizer.decode(ids[:start])) :].removesuffix("\n"), row["origin"]
        else:
            assert text == messages[place]["content"] + stop, row["origin"]
        assert ids[start:end].count(tokenizer.eos_token_id) == 1
    return len(runs)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_every_row_is_on_what_the_assistant_says_and_nowhere_else(rows, kind):
    template, stop, bos = KINDS[kind]
    tokenizer = chat_tokenizer(template, eos=stop, bos=bos)
    encoder = Encoder(tokenizer, 10_000_000, kind)
    assert not any(token in json.dumps(rows) for token in SPECIAL)  # so transformers can be asked as it is
    whole, lessons = encoder.encode(rows), encoder.encode_turns(rows)
    examples: dict[int, list[int]] = {}
    for i, place in enumerate(lessons.row.tolist()):
        examples.setdefault(place, []).append(i)
    n_completions = n_turns = 0
    for place, row in enumerate(rows):
        messages = [*row["prompt"], *row["completion"]]
        said = [k for k, one in enumerate(messages) if one["role"] == "assistant" and one["weight"] != 0]
        n_completions += check(tokenizer, row, whole, [place], [len(messages) - 1], stop)
        n_turns += check(tokenizer, row, lessons.encoded, examples[place], said, stop)
    evaluated = lessons.encoded.of_completions(lessons.completion_at)
    assert evaluated.ids.tolist() == whole.ids.tolist()
    assert evaluated.weights.tolist() == whole.weights.tolist()
    assert n_completions == len(rows)
    assert (n_turns, len(lessons.encoded)) == N_TURNS[kind]


def test_every_named_set_is_a_file(shared_data):
    assert not [path for path, _, _ in SOURCES.values() if not Path(shared_data / path).is_file()]
