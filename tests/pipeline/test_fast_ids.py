"""Ids through tiktoken where a tokenizer has added tokens: those that are not special are tokens in any text."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from pipeline.fast_ids import fast_ids

ADDED = ["<think>", "</think>", "<tool>", "<tool>call", "k><e"]
SPECIAL = ["<|end|>", "<|e", "<|<tool"]  # the last begins before an added token and covers it
PIECES = st.lists(st.sampled_from([*ADDED, *SPECIAL, "<", "think", "|end|>", " ", "\n", "é", "the "])).map("".join)


def trained() -> Tokenizer:
    """Train a byte-level BPE with added tokens of both kinds; some begin like others."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["the cat sat on the mat, the end"] * 2, trainer)
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=text != "<tool>") for text in ADDED])
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in SPECIAL])
    return tokenizer


@pytest.fixture(scope="module")
def both():
    """Return the fast way and the slow one."""
    slow = trained()
    raw = slow.to_str()
    slow.encode_special_tokens = True
    fast, engine = fast_ids(raw, slow)
    assert engine.startswith("tiktoken: ids are the same")
    return fast, slow


@given(PIECES | st.text())
@example("<|end|><think>the<|e<tool>call</think>")
@example("<think><end|>")
@example("a<|<tool>b<|<think>")
def test_ids_are_those_of_tokenizers(both, text):
    fast, slow = both
    assert fast.ids(text) == slow.encode(text, add_special_tokens=False).ids


def test_an_added_token_is_one_token_and_a_special_one_is_text(both):
    fast, slow = both
    number = slow.token_to_id("<think>")
    assert fast.ids("<think>") == [number]
    assert fast.ids("a<think>") == [*fast.ids("a"), number]
    assert slow.token_to_id("<|end|>") not in fast.ids("<|end|>")


@given(PIECES | st.text(st.characters(exclude_categories=["Cs"])))
def test_ids_read_back_as_the_text_control_tokens_written_out(both, text):
    fast, slow = both
    assert fast.text(fast.ids(text)) == text
    assert fast.text([slow.token_to_id("<|end|>")]) == "<|end|>"
