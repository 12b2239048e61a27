"""Worked examples: which rows they are, and which they never are."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import ConfigError
from schemas.training import Encode
from tests.train.chat_templates import message
from tests.train.small_split import split_row, write_split
from train.shots import Shots


def shots_of(folder, rows, **settings):
    return Shots(write_split(folder, rows), Encode(**settings))


def shown(shots, row):
    """Return the answers that stand before a row's question."""
    prompt = shots.before(row)["prompt"]
    return [turn["content"] for turn in prompt if turn["role"] == "assistant"]


TEN = [split_row(f"question {n}", f"answer {n}", id=str(n), group=str(n // 2)) for n in range(10)]


def test_worked_examples_stand_as_turns_between_system_and_question(tmp_path):
    shots = shots_of(tmp_path, TEN, shots=2)
    asked = split_row("asked?", "yes", "test", prompt=[message("system", "Be kind."), message("user", "asked?")])
    prompt = shots.before(asked)["prompt"]
    assert [turn["role"] for turn in prompt] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert (prompt[0]["content"], prompt[-1]["content"]) == ("Be kind.", "asked?")
    pairs = {(prompt[k]["content"], prompt[k + 1]["content"]) for k in (1, 3)}
    assert pairs <= {(f"question {n}", f"answer {n}") for n in range(10)}
    assert len(pairs) == 2
    # Where every turn is learnt, theirs are not: they have been learnt as rows of their own.
    assert {turn["weight"] for turn in prompt if turn["role"] == "assistant"} == {0.0}


@given(st.integers(0, 9), st.integers(1, 4))
def test_a_row_sees_neither_itself_nor_its_group_nor_one_row_twice(tmp_path_factory, n, k):
    shots = shots_of(tmp_path_factory.mktemp("split"), TEN, shots=k)
    found = shown(shots, TEN[n])
    assert len(set(found)) == k
    assert not {f"answer {n // 2 * 2}", f"answer {n // 2 * 2 + 1}"} & set(found)


def test_the_same_row_has_the_same_examples_whatever_the_side_and_the_order_of_rows(tmp_path):
    one, other = shots_of(tmp_path / "a", TEN, shots=3), shots_of(tmp_path / "b", TEN[::-1], shots=3)
    for n in range(10):
        asked = split_row("x", "y", "test", id=f"t{n}")
        assert shown(one, asked) == shown(other, asked) == shown(one, asked | {"split": "validation"})
    # Not one and the same for all.
    assert len(Counter(tuple(shown(one, split_row("x", "y", id=f"t{n}"))) for n in range(10))) > 5


def test_a_new_row_changes_the_examples_of_few_others(tmp_path):
    many = [split_row(f"q{n}", f"a{n}", id=str(n)) for n in range(200)]
    before, after = shots_of(tmp_path / "a", many[:-1], shots=1), shots_of(tmp_path / "b", many, shots=1)
    asked = [split_row("x", "y", "test", id=f"t{n}") for n in range(200)]
    changed = [row for row in asked if shown(before, row) != shown(after, row)]
    assert all(shown(after, row) == ["a199"] for row in changed)
    assert len(changed) < 20


def test_examples_come_from_train_rows_of_the_same_template_that_count(tmp_path):
    rows = [
        split_row("a", "seen", id="1"),
        split_row("b", "other template", id="2", template="maths"),
        split_row("c", "test side", "test", id="3"),
        split_row("d", "weight 0", id="4", status="rejected"),
    ]
    shots = shots_of(tmp_path, rows, shots=1, status_weights={"rejected": 0})
    assert {tuple(shown(shots, split_row("x", "y", id=str(n)))) for n in range(20, 40)} == {("seen",)}


def test_a_conversation_gets_none_and_is_none(tmp_path):
    talk = [message("user", "a"), message("assistant", "b"), message("user", "c")]
    rows = [split_row("q", "single", id="1"), split_row("", "long", id="2", prompt=talk)]
    shots = shots_of(tmp_path, rows, shots=1)
    assert shots.before(rows[1]) == rows[1]
    calls = rows[0] | {"tools": "[]"}
    assert shots.before(calls) == calls
    assert shown(shots, split_row("x", "y", id="9")) == ["single"]


def test_too_few_rows_to_show_are_told_with_what_would_do(tmp_path):
    shots = shots_of(tmp_path, TEN[:3], shots=3)
    with pytest.raises(ConfigError) as caught:
        shots.before(TEN[0])
    assert caught.value.what == (
        "shots = 3, but template 'instruct' has 1 train rows to show before s.jsonl:0 that are not of its group"
    )
    assert caught.value.where == "[encode] shots"
    assert caught.value.fix == "shots = 1, or more train rows of that template"
