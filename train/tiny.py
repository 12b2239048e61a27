"""The embedded base: a Llama-shaped model of about a million parameters, made here from one text file.

It stands in the place of a downloaded base, saved and loaded the same way, so that the whole loop can be seen on a
laptop without a network. It depends on the text, the tokenizer and the constants below, and on nothing else: two
versions of the data that train on it differ in the data only.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from pipeline.lock import locked
from pipeline.snapshot import make_folder, sync
from schemas.training import Train
from train.base_text import Tiny, documents, tiny_key
from train.copying import start_with_copying
from train.encoded import Encoded
from train.loop import Plan, Reading, fit
from train.model import write_folder
from train.objective import Sft
from train.pack import Packed


def encode_documents(tokenizer: PreTrainedTokenizerBase, texts: list[str], context: int, name: str) -> Encoded:
    """Return whole documents as examples whose every token but the first carries loss; what is over context is cut."""
    bos = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    ids = tokenizer(texts, add_special_tokens=False, truncation=False)["input_ids"] if texts else []
    pairs = [([bos], [*one[: context - 2], tokenizer.eos_token_id]) for one in ids]
    return Encoded.of(pairs, [f"{name}, document {place}" for place in range(1, len(pairs) + 1)])


def build_tiny(
    settings: Train, tiny: Tiny, data_root: Path, begin: Callable[[str], None], tell: Callable[[Reading], None]
) -> Path:
    """Return the folder of tiny, made if it is not there yet.

    Args:
        settings: Names the text and the tokenizer.
        tiny: How it is made.
        data_root: It is cached in `bases/` there, under its key.
        begin: Called with a sentence if it must be made.
        tell: Called with every reading while it is made.
    """
    folder = data_root / "bases" / f"tiny-{tiny_key(settings, tiny)}"
    if (folder / "config.json").is_file():
        return folder
    with locked(make_folder(folder.with_name(f".{folder.name}")), "the base tiny"):
        if not (folder / "config.json").is_file():
            begin(f"base      tiny is not made yet: {tiny.steps:,} steps on {settings.base_text}, once")
            _make(settings, tiny, folder, tell)
    return folder


def tiny_config(tokenizer: PreTrainedTokenizerBase, tiny: Tiny) -> LlamaConfig:
    """Return the shape of tiny."""
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=tiny.hidden_size,
        intermediate_size=tiny.intermediate_size,
        num_hidden_layers=tiny.layers,
        num_attention_heads=tiny.heads,
        num_key_value_heads=tiny.heads,
        max_position_embeddings=tiny.context,
        tie_word_embeddings=True,
        # The usual 0.02 is for models ten times as wide.
        initializer_range=tiny.init,
        rope_parameters={"rope_type": "default", "rope_theta": tiny.rope_theta},
        attention_bias=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _make(settings: Train, tiny: Tiny, folder: Path, tell: Callable[[Reading], None]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(settings.base_tokenizer)
    learn, _ = documents(Path(settings.base_text))
    data = encode_documents(tokenizer, learn, tiny.context, settings.base_text)
    torch.manual_seed(tiny.seed)
    model = LlamaForCausalLM(tiny_config(tokenizer, tiny))
    start_with_copying(model, tiny.rope_theta)
    plan = Plan(
        steps=tiny.steps,
        batch_size=tiny.batch_size,
        learning_rate=tiny.learning_rate,
        warmup=max(1, tiny.steps // 30),
        weight_decay=0.05,
        clip=1.0,
        token_budget=2048,
        evaluate_every=tiny.steps,
        seed=tiny.seed,
    )
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as place:
        work = Path(place)
        fit(model, Sft(data, Encoded.of([], []), Packed()), plan, work / "steps", tell)
        write_folder(model, tokenizer, work / "model")
        for path in (work / "model").iterdir():
            sync(path)
        if folder.exists():
            shutil.rmtree(folder)  # without config.json: the leftover of a kill
        (work / "model").rename(folder)
        sync(folder.parent)
