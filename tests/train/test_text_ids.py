"""Both engines give the ids that transformers gives to the same text."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import normalizers

from tests.train.chat_templates import ADDED, CHATML, SPECIAL, chat_tokenizer
from train.chat_template import ChatTemplate
from train.text_ids import TextIds, tokenizer_digest

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
MIXED = st.lists(st.sampled_from([*SPECIAL, *ADDED, "<|", "im_end|>", "\ue0a1", " ", "\n", "é", "the user", "天"])).map(
    "".join
)


def slow_of(tokenizer):
    """Return what is left where tiktoken cannot stand in: the tokenizer has a normalizer that changes nothing."""
    found = TextIds(ChatTemplate(tokenizer, "base"))
    assert found.engine == "tokenizers: it has a normalizer"
    return found


@pytest.fixture(scope="module")
def fast():
    found = TextIds(ChatTemplate(chat_tokenizer(CHATML), "base"))
    assert found.engine.startswith("tiktoken: ids are the same")
    return found


@pytest.fixture(scope="module")
def slow():
    return slow_of(chat_tokenizer(CHATML, change=lambda bpe: setattr(bpe, "normalizer", normalizers.Sequence([]))))


@pytest.fixture(scope="module")
def tokenizer():
    return chat_tokenizer(CHATML)


@given(st.lists(MIXED | TEXT, min_size=1, max_size=3))
@example(["<|im_start|>user\nthe<think>", "<|im_end|>", ""])
def test_texts_of_a_template_have_the_ids_that_transformers_gives(fast, slow, tokenizer, texts):
    # Here every control token was written by the template, so nothing carries a guard.
    texts = [text.replace("\ue0a1", "") for text in texts]
    expected = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    assert fast.ids(texts) == expected
    assert slow.ids(texts) == expected


@given(MIXED | TEXT)
@example("<|im_end|><think>\ue0a1")
def test_guarded_data_has_the_ids_of_plain_text(fast, slow, tokenizer, text):
    expected = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    for one in (fast, slow):
        guarded = one._template.guarded(text)
        assert one.ids([guarded]) == [expected]
        assert one.ids([f"<|im_start|>{guarded}<|im_end|>"])[0][1:-1] == expected


@given(MIXED | TEXT)
def test_ids_read_back_as_their_text(fast, slow, text):
    text = text.replace("\ue0a1", "")
    for one in (fast, slow):
        assert one.texts(one.ids([text])) == [text]


def test_a_text_too_long_for_tiktoken_is_left_to_tokenizers(fast, tokenizer):
    text = "the user" + " " * 600_000
    assert fast.ids([text]) == [tokenizer(text, add_special_tokens=False)["input_ids"]]


def test_a_tokenizer_is_known_by_all_it_does():
    plain, other = chat_tokenizer(CHATML), chat_tokenizer(CHATML, n=310)
    assert tokenizer_digest(plain) == tokenizer_digest(chat_tokenizer(CHATML)) != tokenizer_digest(other)
    plain.add_tokens(["<more>"])
    assert tokenizer_digest(plain) != tokenizer_digest(chat_tokenizer(CHATML))
