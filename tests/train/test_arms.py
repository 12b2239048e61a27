import pytest

from pipeline.template import load_templates
from schemas import ConfigError
from schemas.training import Encode
from tests.train.chat_templates import message
from tests.train.small_split import split_row, write_split
from train.arms import Room, engineered, few_shot, read_rows, retrieved
from train.retrieval import Retrieval
from train.shots import Shots

TEMPLATES = {name: template for name, (template, _) in load_templates([]).items()}


@pytest.fixture
def split(tmp_path):
    rows = [split_row(f"say {word}", word) for word in ("one", "two", "three", "four")]
    turns = [message("user", "hi"), message("assistant", "ho"), message("user", "say five")]
    tests = [
        split_row("say nine", "nine", "test"),
        split_row("say ten", "ten", "test"),
        split_row("talk", "x", "test", prompt=turns),
    ]
    return write_split(tmp_path, [*rows, *tests])


def said(encoder, asked):
    return [encoder.tokenizer.decode(asked.encoded.prompt(i)) for i in range(len(asked.encoded))]


def room(encoder, context=1000):
    return Room(encoder, context, max_new_tokens=8)


def test_few_shot_puts_the_same_answered_examples_before_every_row_and_none_before_a_conversation(split, encoder):
    rows = read_rows(split, "test")
    asked = few_shot(rows, Shots(split, Encode(shots=2)), 2, room(encoder))
    first, second, talk = said(encoder, asked)
    assert first.count("<|assistant|>") == second.count("<|assistant|>") == 3
    assert first.partition("<|user|>say nine")[0] == second.partition("<|user|>say ten")[0] != ""
    assert talk == "<|bos|><|user|>hi<|assistant|>ho<|eos|><|user|>say five<|assistant|>"
    assert asked.note == (
        "2 of 3 rows have all 2 worked examples; 1 have none: conversations, or templates without train rows"
    )


def test_what_the_system_says_stays_before_the_worked_examples(split, encoder):
    row = split_row("q", "a", prompt=[message("system", "Be kind."), message("user", "q")])
    (text,) = said(encoder, few_shot([row], Shots(split, Encode(shots=1)), 1, room(encoder)))
    assert text.startswith("<|bos|><|system|>Be kind.<|user|>say ")
    assert text.endswith("<|user|>q<|assistant|>")
    assert text.count("<|system|>") == 1


def test_the_references_stay_what_they_are(split, encoder):
    rows = read_rows(split, "test")
    asked = few_shot(rows, Shots(split, Encode(shots=2)), 2, room(encoder))
    assert [encoder.read_back(asked.encoded.target(i).tolist()) for i in range(3)] == ["nine", "ten", "x"]


def test_more_examples_than_train_has_are_as_many_as_it_has_and_said(split, encoder):
    rows = read_rows(split, "test")[:2]
    asked = few_shot(rows, Shots(split, Encode(shots=9)), 9, room(encoder))
    assert [text.count("<|assistant|>") for text in said(encoder, asked)] == [5, 5]
    assert asked.note == "0 of 2 rows have all 9 worked examples; 2 have fewer, since train has no more"


def test_as_many_examples_are_given_as_fit_and_the_nearest_stays(split, encoder):
    rows = read_rows(split, "test")[:1]
    search = Retrieval(split, Encode())
    whole = retrieved(rows, search, 3, room(encoder))
    least = int(whole.encoded.n_prompt[0]) + 8  # prompt and longest answer
    cut = retrieved(rows, search, 3, room(encoder, least - 1))
    (text,), (short,) = said(encoder, whole), said(encoder, cut)
    assert short.count("<|assistant|>") == text.count("<|assistant|>") - 1
    assert text.endswith(short.removeprefix("<|bos|>"))
    assert cut.note == "0 of 1 rows have all 3 worked examples; 1 have fewer, since the context of the base ends"
    assert retrieved(rows, search, 3, room(encoder, least)).note == ""


def test_an_arm_that_fits_no_row_is_refused_with_its_cure(split, encoder):
    rows = read_rows(split, "test")
    with pytest.raises(ConfigError) as caught:
        few_shot(rows, Shots(split, Encode(shots=2)), 2, room(encoder, 20))
    assert caught.value.what == "no row has room for a worked example: the context of the base is 20 tokens"
    with pytest.raises(ConfigError, match="they are conversations"):
        few_shot(rows[2:], Shots(split, Encode(shots=2)), 2, room(encoder))


def test_engineered_says_the_instruction_or_else_the_guideline(split, encoder):
    rows = read_rows(split, "test")[:1]
    (own,) = said(encoder, engineered(rows, TEMPLATES, {"instruct": "Be brief."}, room(encoder)))
    assert own == "<|bos|><|system|>Be brief.<|user|>say nine<|assistant|>"
    (guideline,) = said(encoder, engineered(rows, TEMPLATES, {}, room(encoder, 100_000)))
    assert "Judge the **response**" in guideline


def test_an_instruction_comes_after_what_the_system_says_already(split, encoder):
    row = split_row("q", "a", prompt=[message("system", "You are kind."), message("user", "q")])
    (text,) = said(encoder, engineered([row], TEMPLATES, {"instruct": "Be brief."}, room(encoder)))
    assert text == "<|bos|><|system|>You are kind.\n\nBe brief.<|user|>q<|assistant|>"


def test_an_instruction_without_room_or_without_a_template_is_said(split, encoder):
    rows = read_rows(split, "test")[:1]
    with pytest.raises(ConfigError, match="no row has room for its instruction"):
        engineered(rows, TEMPLATES, {"instruct": "long " * 40}, room(encoder, 60))
    with pytest.raises(ConfigError) as caught:
        engineered(rows, TEMPLATES, {"instrct": "Be brief."}, room(encoder))
    assert "instrct" in caught.value.what
    assert "instruct" in caught.value.fix


def test_a_side_without_rows_asks_nothing(split, encoder):
    assert len(few_shot([], Shots(split, Encode(shots=2)), 2, room(encoder)).encoded) == 0
    assert len(engineered([], TEMPLATES, {}, room(encoder)).encoded) == 0
