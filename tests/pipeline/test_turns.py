import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.turns import Turn, TurnsError, answered, turns_of

USER = {"role": "user", "content": "2 + 2?"}
FOUR = {"role": "assistant", "content": "4"}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "function": {"name": "add", "arguments": "{}"}}],
}
RESULT = {"role": "tool", "content": "4", "tool_call_id": "c1"}


def test_sharegpt_and_openai_spellings_give_the_same_turns():
    sharegpt = [
        {"from": "system", "value": "Be brief."},
        {"from": "human", "value": "2 + 2?"},
        {"from": "gpt", "value": "4"},
    ]
    openai = [{"role": "developer", "content": "Be brief."}, USER, FOUR]
    expected = [Turn("system", "Be brief."), Turn("user", "2 + 2?"), Turn("assistant", "4")]
    assert turns_of(sharegpt) == turns_of(openai) == turns_of(json.dumps(openai)) == expected


@pytest.mark.parametrize("role", ["gpt", "chatgpt", "bing", "bard", "assistant"])
def test_every_name_of_the_assistant_is_known(role):
    assert turns_of([{"from": "human", "value": "a"}, {"from": role, "value": "b"}])[1].role == "assistant"


def test_a_system_text_beside_the_conversation_goes_first():
    assert turns_of([USER, FOUR], "Be brief.")[0] == Turn("system", "Be brief.")
    assert turns_of([USER, FOUR], "") == turns_of([USER, FOUR])
    assert len(turns_of([{"role": "system", "content": "Be brief."}, USER, FOUR], "Be brief.")) == 3
    with pytest.raises(TurnsError, match="they differ"):
        turns_of([{"role": "system", "content": "Be kind."}, USER, FOUR], "Be brief.")


def test_an_empty_system_turn_is_left_out():
    assert turns_of([{"role": "system", "content": ""}, USER, FOUR]) == turns_of([USER, FOUR])


def test_parts_of_text_are_joined_and_others_refused():
    parts = [{"type": "text", "text": "2 + "}, {"type": "text", "value": "2?"}]
    assert turns_of([{"role": "user", "content": parts}, FOUR])[0].content == "2 + 2?"
    with pytest.raises(TurnsError, match=r"turns\[0\] has a part of type 'image_url'"):
        turns_of([{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}, FOUR])


def test_tool_calls_and_their_results_are_tied():
    turns = turns_of([USER, CALL, RESULT, FOUR])
    assert json.loads(turns[1].tool_calls) == [
        {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    ]
    assert (turns[1].content, turns[2].tool_call_id) == ("", "c1")


def test_calls_of_sharegpt_get_ids_and_their_observations_too():
    turns = turns_of(
        [
            {"from": "human", "value": "Add twice."},
            {"from": "function_call", "value": '[{"name": "add", "arguments": {"b": 2, "a": 1}}, {"name": "add"}]'},
            {"from": "observation", "value": "3"},
            {"from": "observation", "value": "0"},
            {"from": "gpt", "value": "3 and 0"},
            {"from": "human", "value": "Again."},
            {"from": "function_call", "value": '{"name": "add", "arguments": {}}'},
        ]
    )
    calls = json.loads(turns[1].tool_calls)
    assert [call["id"] for call in calls] == ["call_0", "call_1"]
    assert calls[0]["function"] == {"name": "add", "arguments": '{"a":1,"b":2}'}
    assert [turn.tool_call_id for turn in turns[2:4]] == ["call_0", "call_1"]
    assert json.loads(turns[6].tool_calls)[0]["id"] == "call_2"
    assert answered(turns)  # a call is an answer


def test_name_and_weight_are_kept():
    named = turns_of([USER | {"name": "ann"}, FOUR | {"weight": 0}])
    assert (named[0].name, named[1].weight) == ("ann", 0.0)
    assert turns_of([USER, FOUR | {"loss_weight": 0.5}])[1].weight == 0.5


@pytest.mark.parametrize(
    ("conversation", "sentence"),
    [
        ([], "the conversation is empty"),
        ([FOUR], "no user turn"),
        ([FOUR, USER, FOUR], "turns[0] is the assistant's before any user turn"),
        ([USER, USER, FOUR], "turns[1] follows another user turn"),
        ([USER, FOUR, FOUR], "turns[2] follows another assistant turn"),
        ([USER, {"role": "system", "content": "late"}, FOUR], "turns[1] is a system turn; only the first may be one"),
        ([USER, RESULT, FOUR], "turns[1] answers no call"),
        ([USER, CALL, RESULT | {"tool_call_id": "c9"}], "turns[2] answers call 'c9'; open: c1"),
        ([USER, CALL, RESULT, RESULT], "turns[3] answers no call"),
        ([USER, CALL, USER], "turns[2] comes before call 'c1' is answered"),
        ([USER | {"content": " "}, FOUR], "turns[0] is empty"),
        ([USER, FOUR | {"content": ""}, USER, FOUR], "turns[1] is empty"),
        ([{"role": "narrator", "content": "a"}], "turns[0] has role 'narrator'; known: system"),
        ([USER, {"role": ["a"], "content": "a"}], "turns[1] has role ['a']"),
        ([USER, FOUR | {"weight": 2}], "turns[1] has weight 2, not a number from 0 to 1"),
        ([USER, FOUR | {"weight": True}], "turns[1] has weight True"),
        ([USER, FOUR | {"content": 4}], "turns[1] has content that is a number, not text"),
        ([USER | {"name": 1}], "turns[0] has name 1, not text"),
        ([USER, CALL | {"tool_calls": [{"id": "c1"}]}], "turns[1] has a call without a function name"),
        ([USER, {"from": "function_call", "value": "add(1, 2)"}], "turns[1] is a call that is no JSON"),
        (["hello"], "turns[0] is text, not an object"),
        ("hello", "the conversation is text, but no JSON"),
        ({"role": "user"}, "the conversation is an object, not a list"),
        (None, "the conversation is null, not a list"),
    ],
)
def test_a_conversation_out_of_order_is_refused_with_the_turn(conversation, sentence):
    with pytest.raises(TurnsError) as refusal:
        turns_of(conversation)
    assert sentence in str(refusal.value)


def test_whether_the_last_turn_is_an_answer():
    assert answered(turns_of([USER, FOUR]))
    assert not answered(turns_of([USER]))
    assert not answered(turns_of([USER, FOUR | {"content": "\n"}]))  # an empty box somebody has yet to fill


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3), lambda x: st.lists(x, max_size=2), max_leaves=3
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "assistant", "system", "tool", "x"]),
        "content": st.text("a ", max_size=2) | ANY,
        "tool_calls": st.just(CALL["tool_calls"]) | ANY,
        "weight": ANY,
    },
)


@given(st.lists(MESSAGE, max_size=5) | ANY)
def test_any_conversation_is_in_order_or_refused(conversation):
    try:
        turns = turns_of(conversation)
    except TurnsError:
        return
    roles = [turn.role for turn in turns]
    assert "user" in roles
    assert "system" not in roles[1:]
    assert all(not (a == b and a in ("user", "assistant")) for a, b in pairwise(roles))
