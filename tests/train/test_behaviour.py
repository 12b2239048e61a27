import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.report import ARMS
from train.behaviour import RUN, Yardstick, behaviour_of, copied, is_json, offered_labels, repetition


def columns(answer, *, prompt="", reference="Lyon", metric="token_f1", labels=(), stopped=None):
    """Return what is said of one answer."""
    yardstick = Yardstick([prompt], [reference], [metric], [list(labels)])
    return {name: values[0] for name, values in yardstick.columns([answer], stopped).items()}


def test_repetition_is_the_share_of_runs_of_four_words_that_stood_there_before():
    assert repetition(["a", "b", "c", "d", "a", "b", "c", "d"]) == pytest.approx(
        0.2
    )  # abcd bcda cdab dabc abcd: one of five again
    assert repetition(["very"] * 8) == pytest.approx(0.8)  # five runs, one of them new
    assert repetition(["a", "b", "c", "d", "e"]) == repetition(["a"] * 3) == repetition([]) == 0


@given(st.lists(st.sampled_from("ab"), max_size=30))
def test_repetition_and_copied_lie_between_0_and_1(units):
    assert 0 <= repetition(units) < 1
    if units:
        assert copied(units, units) == 1
        assert 0 <= copied(units, units[: len(units) // 2]) <= 1


def test_a_script_without_blanks_repeats_itself_by_characters():
    assert columns("好的" * 10)["repetition"] == pytest.approx(1 - 2 / 17)  # 20 characters, 17 runs, two different


def test_marks_alone_repeat_themselves_too():
    assert columns("!" * 20)["repetition"] == pytest.approx(1 - 1 / 17)


def test_copied_is_the_share_of_runs_that_stand_in_the_prompt():
    assert RUN == 4
    found = columns("the river is long and the sea is salty", prompt="Tell me why the river is long and deep.")
    # the river is long | river is long and | is long and the ... : two of six
    assert found["copied"] == pytest.approx(2 / 6)
    assert columns("is long", prompt="The river is long.")["copied"] == 1  # a short answer is one run
    assert columns("long is", prompt="The river is long.")["copied"] == 0
    assert columns("", prompt="x")["copied"] is None


def test_length_is_told_by_words_over_those_of_the_reference():
    assert columns("in the city of Lyon", reference="Lyon")["length_ratio"] == 5
    assert columns("", reference="Lyon")["length_ratio"] == 0
    assert columns("anything", reference=" ")["length_ratio"] is None


@pytest.mark.parametrize(("answer", "empty"), [("", True), (" \n\t", True), ("0", False)])
def test_an_answer_of_blanks_is_empty(answer, empty):
    assert columns(answer)["is_empty"] is empty


def test_stopped_is_what_the_arm_said_and_empty_for_one_that_writes_no_tokens():
    assert columns("x", stopped=[True])["stopped"] is True
    assert columns("x", stopped=[False])["stopped"] is False
    assert columns("x")["stopped"] is None


def test_a_row_that_was_not_answered_has_nothing_said_of_it():
    assert set(columns(None, stopped=[False]).values()) == {None}


@pytest.mark.parametrize(
    ("answer", "valid"), [('{"a": 1}', True), ('{"a": 1} ok', False), ("", False), ('{"a": NaN}', False)]
)
def test_where_json_is_asked_only_json_is_valid(answer, valid):
    assert columns(answer, reference='{"a": 2}', metric="json_field_f1")["valid_format"] is valid
    assert is_json(answer) is valid


def test_where_the_reference_is_no_json_none_is_asked():
    assert columns("{}", reference="none given", metric="json_match")["valid_format"] is None
    assert columns("{}", reference="{}", metric="rouge_l")["valid_format"] is None


def test_a_label_is_valid_if_the_prompt_offers_it():
    offered = offered_labels([{"name": "text", "value": "a, b"}, {"name": "labels", "value": "Billing, delivery,, "}])
    assert offered == ["Billing", "delivery"]
    said = {answer: columns(answer, metric="accuracy", labels=offered)["valid_format"] for answer in ("billing ", "x")}
    assert said == {"billing ": True, "x": False}


def test_where_nothing_is_offered_the_references_are_the_labels():
    yardstick = Yardstick(["", ""], ["refund", "return"], ["accuracy", "accuracy"], [])
    assert yardstick.columns(["return", "returns"], None)["valid_format"] == [True, False]
    assert offered_labels(None) == []


def test_the_language_is_compared_with_the_references():
    assert columns("巴黎", reference="Paris is a city")["same_language"] is False
    assert columns("巴黎", reference="里昂")["same_language"] is True
    assert columns("Paris", reference="Lyon")["same_language"] is None


def test_means_are_by_arm_with_the_references_first():
    prompts, references = ["p", "p"], ['{"a": 1}', "Lyon"]
    yardstick = Yardstick(prompts, references, ["json_match", "token_f1"], [])
    rows = []
    for arm, answers, stopped in (("tuned", ["{}", ""], [True, False]), ("base", ["no", None], [True, None])):
        said = pd.DataFrame(yardstick.columns(answers, stopped))
        rows.append(said.assign(arm=arm, answer=answers))
    found = behaviour_of(pd.concat(rows), yardstick, references)
    assert [one.arm for one in found] == ["reference", "base", "tuned"]
    reference, base, tuned = found
    assert (reference.n, reference.stopped, reference.length_ratio, reference.valid_format) == (2, None, 1, 1)
    assert (base.n, base.stopped, base.n_format, base.valid_format) == (1, 1, 1, 0)
    assert (tuned.n, tuned.stopped, tuned.empty, tuned.n_format, tuned.valid_format) == (2, 0.5, 0.5, 1, 1)
    assert "reference" not in ARMS
    json.dumps([one.model_dump() for one in found], allow_nan=False)


def test_no_rows_have_no_behaviour():
    assert behaviour_of(pd.DataFrame({"arm": [], "answer": []}), Yardstick([], [], [], []), []) == []
