"""Every turn of the assistant stands in the context that inference would see, in as few examples as that takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import SourceError
from tests.train.chat_templates import (
    CHATML,
    LLAMA3,
    MARKED,
    PLAIN,
    QWEN3,
    chat_tokenizer,
    conversation,
    message,
    spans,
)
from train.encode import Encoder

TALK = (("user", "2 + 2?"), ("assistant", "4"), ("user", "And 3 + 3?"), ("assistant", "6"))
THOUGHT = (
    ("user", "2 + 2?"),
    ("assistant", "<think>easy</think>4"),
    ("user", "3 + 3?"),
    ("assistant", "<think>so</think>6"),
)


def encoder_of(template, **options):
    return Encoder(chat_tokenizer(template, **options), 10_000, "base")


def said(encoder, lessons):
    """Return the texts with loss, example by example, each with its stop token."""
    encoded = lessons.encoded
    return [
        [encoder.tokenizer.decode(encoded.example(i)[a:b].tolist()) for a, b in spans(encoded, i)]
        for i in range(len(encoded))
    ]


def asked(encoder, row, place):
    """Return what transformers itself makes of the context of a turn."""
    messages = [{"role": m["role"], "content": m["content"]} for m in [*row["prompt"], *row["completion"]][:place]]
    return encoder.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)


@pytest.mark.parametrize("template", [CHATML, QWEN3, MARKED])
def test_a_conversation_that_only_grows_is_one_example_with_every_turn_in_its_loss(template):
    encoder, row = encoder_of(template), conversation(*TALK)
    lessons = encoder.encode_turns([row])
    assert said(encoder, lessons) == [["4<|im_end|>", "6<|im_end|>"]]
    ids = lessons.encoded.example(0).tolist()
    for (start, _), place in zip(spans(lessons.encoded, 0), (1, 3), strict=True):
        assert ids[:start] == asked(encoder, row, place)
    assert lessons.encoded.n_prompt.tolist() == [len(asked(encoder, row, 1))]
    assert lessons.completion_at.tolist() == [len(asked(encoder, row, 3))]


def test_a_template_that_rewrites_history_makes_one_example_a_turn_each_in_its_own_context():
    encoder, row = encoder_of(QWEN3), conversation(*THOUGHT)
    lessons = encoder.encode_turns([row, conversation(*TALK)])
    assert said(encoder, lessons) == [
        ["<think>easy</think>4<|im_end|>"],
        ["<think>so</think>6<|im_end|>"],
        ["4<|im_end|>", "6<|im_end|>"],
    ]
    assert lessons.row.tolist() == [0, 0, 1]
    assert lessons.encoded.prompt(0).tolist() == asked(encoder, row, 1)
    assert lessons.encoded.prompt(1).tolist() == asked(encoder, row, 3)
    assert "easy" not in encoder.tokenizer.decode(lessons.encoded.prompt(1).tolist())
    # The completion of a row is in its last example, and in no other.
    assert lessons.completion_at.tolist()[:2] == [-1, len(asked(encoder, row, 3))]


def test_turns_of_one_question_stay_together_where_the_next_question_rewrites_them():
    encoder = encoder_of(QWEN3)
    call = '[{"id":"1","type":"function","function":{"name":"add","arguments":"{}"}}]'
    row = conversation(
        ("user", "2 + 2?"), message("assistant", "<think>add</think>", calls=call), ("tool", "4"),
        ("assistant", "<think>so</think>4"), ("user", "Sure?"), ("assistant", "Yes"),
    )  # fmt: skip
    lessons = encoder.encode_turns([row])
    called = '<think>add</think>\n<tool_call>\n{"name": "add", "arguments": "{}"}\n</tool_call><|im_end|>'
    assert said(encoder, lessons) == [[called, "<think>so</think>4<|im_end|>"], ["Yes<|im_end|>"]]


def test_thinking_switched_off_is_switched_off_in_every_context():
    tokenizer = chat_tokenizer(QWEN3)
    encoder = Encoder(tokenizer, 10_000, "base", {"enable_thinking": False})
    lessons = encoder.encode_turns([conversation(*TALK)])
    # The empty thought stands before the turn that is asked for, and not before earlier ones: two examples.
    assert said(encoder, lessons) == [["4<|im_end|>"], ["6<|im_end|>"]]
    for i in range(2):
        text = tokenizer.decode(lessons.encoded.prompt(i).tolist())
        assert text.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
        assert text.count("<think>") == 1


def test_an_answer_that_melts_into_its_context_makes_examples_of_its_own():
    # "assistant\n" and "\n4" are tokens apart; in one text the two line breaks are one token.
    def join_breaks(bpe):
        bpe.add_tokens(["\n\n"])

    encoder = encoder_of(CHATML, change=join_breaks)
    row = conversation(("user", "a"), ("assistant", "\n4"), ("user", "b"), ("assistant", "5"))
    lessons = encoder.encode_turns([row])
    assert said(encoder, lessons) == [["\n4<|im_end|>"], ["5<|im_end|>"]]
    assert lessons.encoded.prompt(1).tolist() == asked(encoder, row, 3)


def test_a_template_that_trims_makes_an_example_of_its_own_where_it_does():
    encoder = encoder_of(LLAMA3, eos="<|eot_id|>", bos="<|begin_of_text|>")
    row = conversation(("user", "a"), ("assistant", " 4 "), ("user", "b"), ("assistant", "5"))
    lessons = encoder.encode_turns([row])
    assert said(encoder, lessons) == [[" 4 <|eot_id|>"], ["5<|eot_id|>"]]
    assert said(encoder, encoder.encode_turns([conversation(*TALK)])) == [["4<|eot_id|>", "6<|eot_id|>"]]


def test_a_plain_text_template_learns_every_turn_with_the_end_of_text():
    encoder = encoder_of(PLAIN, eos="<|endoftext|>")
    lessons = encoder.encode_turns([conversation(*TALK)])
    assert said(encoder, lessons) == [["4<|endoftext|>", "6<|endoftext|>"]]
    text = encoder.tokenizer.decode(lessons.encoded.example(0).tolist())
    assert text == (
        "### User:\n2 + 2?\n### Response:\n4<|endoftext|>\n### User:\nAnd 3 + 3?\n### Response:\n6<|endoftext|>"
    )


def test_a_message_counts_as_much_as_its_weight_and_not_at_all_at_0():
    encoder = encoder_of(CHATML)
    row = conversation(
        ("user", "a"), message("assistant", "x", weight=0.5), ("user", "b"), message("assistant", "y", weight=0.0),
        ("user", "c"), message("assistant", "z", weight=1.0),
    )  # fmt: skip
    lessons = encoder.encode_turns([row])
    assert said(encoder, lessons) == [["x<|im_end|>", "z<|im_end|>"]]
    weights = lessons.encoded.weights.tolist()
    assert sorted(set(weights)) == [0.0, 0.5, 1.0]
    assert (weights.count(0.5), weights.count(1.0)) == (2, 2)  # a letter and the stop token
    assert "y<|im_end|>" in encoder.tokenizer.decode(lessons.encoded.example(0).tolist())


def test_the_completion_stays_in_an_example_even_where_its_weight_is_0():
    encoder = encoder_of(CHATML)
    row = conversation(("user", "a"), ("assistant", "x"), ("user", "b"), message("assistant", "y", weight=0.0))
    lessons = encoder.encode_turns([row])
    assert said(encoder, lessons) == [["x<|im_end|>"]]
    whole = encoder.encode([row])
    evaluated = lessons.encoded.of_completions(lessons.completion_at)
    for name in ("ids", "starts", "n_prompt", "weights"):
        assert getattr(evaluated, name).tolist() == getattr(whole, name).tolist()


WORDS = st.text(st.sampled_from("ab \n<|>4"), max_size=8) | st.sampled_from(["<|im_end|>", "<think>c</think>d"])


@given(
    st.lists(st.tuples(WORDS, WORDS.map(lambda text: text + "e")), min_size=1, max_size=4),
    st.sampled_from([CHATML, QWEN3]),
)
def test_whatever_is_said_every_turn_is_learnt_once_and_completions_are_those_of_evaluation(talk, template):
    encoder = encoder_of(template)
    row = conversation(*(turn for q, a in talk for turn in (("user", q), ("assistant", a))))
    lessons = encoder.encode_turns([row])
    found = [text for texts in said(encoder, lessons) for text in texts]
    assert found == [f"{answer}<|im_end|>" for _, answer in talk]
    whole, evaluated = encoder.encode([row]), lessons.encoded.of_completions(lessons.completion_at)
    assert evaluated.ids.tolist() == whole.ids.tolist()
    assert evaluated.weights.tolist() == whole.weights.tolist()


def test_turns_that_break_a_rule_name_their_rows_all_at_once():
    encoder = Encoder(chat_tokenizer(CHATML), 30, "base")
    rows = [
        conversation(("user", "a"), ("assistant", ""), ("user", "b"), ("assistant", "c"), origin="file:1"),
        conversation(("user", "a"), ("assistant", "b"), origin="file:2"),
        conversation(("user", "a"), ("assistant", "b" * 30), origin="file:3"),
    ]
    with pytest.raises(SourceError) as caught:
        encoder.encode_turns(rows)
    found = [(one.where, one.what) for one in (caught.value, *caught.value.also)]
    assert ("file:1", "no token to learn: the answer is empty once rendered") in found
    assert {where for where, _ in found} == {"file:1", "file:3"}
    assert "more than max_length = 30" in dict(found)["file:3"]
