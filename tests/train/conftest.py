"""A base small enough to train in a second, real in every other way: files on disk, loaded as any base is."""

import json
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from schemas.training import Train
from tests.conftest import NOTES, QUESTIONS, RECIPE, Project, write_tokenizer
from train.encode import Encoder
from train.encoded import Encoded

# One thread: the same bits everywhere, and nothing that a forked process could wait for.
torch.set_num_threads(1)
os.environ["TOKENIZERS_PARALLELISM"] = "false"
logging.disable_progress_bar()

CONTEXT = 128
TEMPLATE = (
    "{{ bos_token }}{% for tool in tools or [] %}{{ '[' + tool['function']['name'] + ']' }}{% endfor %}"
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% for call in message['tool_calls'] or [] %}"
    "{{ 'CALL ' + call['function']['name'] + ' ' + call['function']['arguments'] | tojson }}{% endfor %}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def write_chat_tokenizer(folder, template=TEMPLATE):
    write_tokenizer(folder)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|bos|>",
        "eos_token": "<|eos|>",
        "pad_token": "<|pad|>",
        "additional_special_tokens": ["<|user|>", "<|assistant|>", "<|system|>", "<|tool|>"],
        "clean_up_tokenization_spaces": False,
        **({"chat_template": template} if template else {}),
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")


@pytest.fixture(scope="session")
def template() -> str:
    """Return the chat template of the base."""
    return TEMPLATE


@pytest.fixture(scope="session")
def make_tokenizer(tmp_path_factory):
    """Return a function that gives a new tokenizer with the chat template it is given, or none."""

    def make(template=TEMPLATE):
        folder = tmp_path_factory.mktemp("tokenizer")
        write_chat_tokenizer(folder, template)
        return AutoTokenizer.from_pretrained(folder)

    return make


@pytest.fixture(scope="session")
def tokenizer(make_tokenizer):
    """Return the tokenizer of the base; not to be changed."""
    return make_tokenizer()


@pytest.fixture(scope="session")
def encoder(tokenizer):
    """Return an encoder for long examples."""
    return Encoder(tokenizer, 100_000, "base")


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory, tokenizer) -> Path:
    """Return a folder with a Llama of two layers and its tokenizer; not to be changed."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=CONTEXT,
            # Large enough that what a place says depends on what stands before it.
            initializer_range=0.2, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def make_model(base_folder):
    """Return a function that loads the base anew, every weight wanting a gradient."""
    return lambda: LlamaForCausalLM.from_pretrained(base_folder, dtype=torch.float32)


@pytest.fixture(scope="session")
def row():
    """Return a function that makes a row of a split from a question and an answer."""

    def make(prompt, answer, origin="file:1", calls=None, system=None):
        turns = [{"role": "system", "content": system}] if system else []
        turns.append({"role": "user", "content": prompt})
        empty = {"name": None, "tool_calls": None, "tool_call_id": None, "weight": None}
        said = {"role": "assistant", "content": answer, **empty}
        return {
            "origin": origin,
            "prompt": [{**turn, **empty} for turn in turns],
            "completion": [said | {"tool_calls": json.dumps(calls) if calls else None}],
            "tools": None,
        }

    return make


@pytest.fixture(scope="session")
def make_examples():
    """Return a function that gives examples of random ids with the given (prompt, target) lengths."""

    def make(sizes, n_vocabulary=300, seed=0):
        draws = np.random.default_rng(seed)
        pairs = [tuple(draws.integers(3, n_vocabulary, n).tolist() for n in both) for both in sizes]
        return Encoded.of(pairs, [f"row {i}" for i in range(len(pairs))])

    return make


@pytest.fixture(scope="session")
def examples(make_examples):
    """Return twelve examples of very different lengths, 222 tokens in all."""
    return make_examples(
        [(1, 1), (3, 2), (40, 5), (2, 30), (9, 9), (4, 1), (17, 3), (1, 12), (25, 25), (6, 2), (5, 8), (10, 1)]
    )


@pytest.fixture(scope="session")
def base_text(tmp_path_factory) -> Path:
    """Return a text of 60 documents."""
    path = tmp_path_factory.mktemp("text") / "base.txt"
    path.write_text("\n\n".join(f"Document {n} tells of {n * n} ships." for n in range(60)), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def train_settings(base_folder, base_text):
    """Return a function that makes the settings of a run on the base."""
    return lambda **changes: Train(
        **{"base": str(base_folder), "base_text": str(base_text), "base_tokenizer": str(base_folder)} | changes
    )


@pytest.fixture(scope="session")
def split_project(tmp_path_factory) -> Project:
    """Return the tiny project after `data`; not to be changed."""
    root = tmp_path_factory.mktemp("project")
    lines = [json.dumps({"q": q, "a": a}) for q, a in QUESTIONS]
    (root / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    notes = ["id,text,short", *(f'n{n},"{text}",{short}' for n, (text, short) in enumerate(NOTES))]
    (root / "notes.csv").write_text("\n".join(notes) + "\n", encoding="utf-8")
    write_tokenizer(root / "tokenizer")
    (root / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    project = Project(root)
    project.run()
    return project


@pytest.fixture
def no_file_over() -> Callable[[int], AbstractContextManager[None]]:
    """Return what lets every write beyond a size of a file fail, as a full disk does."""

    @contextmanager
    def limited(n_bytes: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)

    return limited
