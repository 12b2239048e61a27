import pytest

from pipeline.reading import (
    ABSENT,
    Declaration,
    Reading,
    RowError,
    as_text,
    conversation_of,
    fields_of,
    lookup,
    values_of,
)

FIELDS = {
    "text": {"side": "prompt", "optional": False, "choices": []},
    "hint": {"side": "prompt", "optional": True, "choices": []},
    "label": {"side": "response", "optional": False, "choices": ["yes", "no", "1", "true"]},
}
CLASSIFY = Reading(
    template="t",
    declaration=Declaration(task="t", chat=False, fields=FIELDS),
    shape="fields",
    columns={"text": "body", "hint": "hint", "label": "answer"},
)
CHAT = Reading(
    template="c",
    declaration=Declaration(task="c", chat=True, fields={"tools": FIELDS["hint"]}),
    shape="messages",
    columns={"turns": "messages", "tools": "tools", "system": "system"},
)
ASKED = {"messages": [{"role": "user", "content": "Hi"}]}


def _changed(reading, **changes):
    return Reading(**(reading.model_dump() | changes))


def _fields(row, to_write=False, reading=CLASSIFY):
    return fields_of(reading, values_of(reading, row), to_write=to_write)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("a.b", "literal"),  # a column of that very name goes before a path
        ("instances.0.input", "deep"),
        ("instances.1.input", ABSENT),
        ("instances.x", ABSENT),
        ("none", None),
        ("none.x", ABSENT),
    ],
)
def test_columns_may_be_paths(column, value):
    row = {"a.b": "literal", "a": {"b": "path"}, "instances": [{"input": "deep"}], "none": None}
    assert lookup(row, column) is value or lookup(row, column) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (True, "true"),
        (7, "7"),
        (1.5, "1.5"),
        (["b", {"y": 1, "x": None}], '["b",{"x":null,"y":1}]'),
        ([], ""),
    ],
)
def test_values_that_are_no_text_become_text_in_one_way(value, text):
    assert as_text(value) == text


def test_fields_come_in_order_of_name_and_empty_optional_ones_not_at_all():
    assert _fields({"body": "b", "answer": True, "hint": ""}) == [("label", "true"), ("text", "b")]
    assert _fields({"body": "b", "answer": 1, "hint": "h"}) == [("hint", "h"), ("label", "1"), ("text", "b")]


@pytest.mark.parametrize(
    ("row", "reason", "sentence"),
    [
        ({"answer": "yes"}, "missing_field", "no column 'body' for field 'text'"),
        ({"body": None, "answer": "yes"}, "empty_prompt", "column 'body' is null"),
        ({"body": " \n", "answer": "yes"}, "empty_prompt", "column 'body' is empty"),
        ({"body": "b"}, "missing_field", "no column 'answer' for field 'label'"),
        ({"body": "b", "answer": ""}, "empty_response", "column 'answer' is empty"),
        ({"body": "b", "answer": "Yes"}, "bad_choice", "label is 'Yes'; did you mean 'yes'?"),
    ],
)
def test_a_row_that_cannot_be_used_has_a_word_and_a_sentence(row, reason, sentence):
    with pytest.raises(RowError) as refusal:
        _fields(row)
    assert (refusal.value.reason, str(refusal.value)) == (reason, sentence)


def test_a_list_among_texts_is_a_wrong_type_and_a_column_of_lists_is_json():
    row = {"body": ["a", "b"], "answer": "yes"}
    with pytest.raises(RowError) as refusal:
        _fields(row)
    assert (refusal.value.reason, "column 'body' is a list here" in str(refusal.value)) == ("wrong_type", True)
    assert ("text", '["a","b"]') in _fields(row, reading=_changed(CLASSIFY, nested=["body"]))


def test_an_empty_response_is_kept_where_people_write_it():
    assert _fields({"body": "b", "answer": ""}, to_write=True) == [("text", "b")]
    assert _fields({"body": "b", "answer": None}, to_write=True) == [("text", "b")]


def test_of_two_responses_one_alone_may_not_be_empty():
    fields = FIELDS | {"why": {"side": "response", "optional": False, "choices": []}}
    declaration = Declaration(task="t", chat=False, fields=fields)
    reading = _changed(CLASSIFY, declaration=declaration, columns={**CLASSIFY.columns, "why": "why"})
    with pytest.raises(RowError, match="column 'why' is empty"):
        _fields({"body": "b", "answer": "yes", "why": ""}, to_write=True, reading=reading)


def test_constants_stand_among_the_fields():
    reading = _changed(CLASSIFY, columns={"text": "body", "label": "answer"}, constants={"hint": "fixed"})
    assert _fields({"body": "b", "answer": "no"}, reading=reading) == [
        ("hint", "fixed"),
        ("label", "no"),
        ("text", "b"),
    ]


def test_a_response_that_turns_up_late_in_a_source_of_prompts_is_told():
    reading = _changed(CLASSIFY, columns={"text": "body"}, watched=["answer"])
    assert _fields({"body": "b", "answer": None}, reading=reading) == [("text", "b")]
    with pytest.raises(RowError) as refusal:
        _fields({"body": "b", "answer": "yes"}, reading=reading)
    assert (refusal.value.reason, "column 'answer' was not in the first rows" in str(refusal.value)) == (
        "late_response",
        True,
    )


def test_a_conversation_without_an_answer_is_kept_where_people_write_it():
    with pytest.raises(RowError) as refusal:
        conversation_of(CHAT, values_of(CHAT, ASKED), to_write=False)
    assert (refusal.value.reason, str(refusal.value)) == (
        "empty_response",
        "the last turn is the user's and holds no answer",
    )
    assert len(conversation_of(CHAT, values_of(CHAT, ASKED), to_write=True)) == 1
    empty = {"messages": [*ASKED["messages"], {"role": "assistant", "content": ""}]}
    assert len(conversation_of(CHAT, values_of(CHAT, empty), to_write=True)) == 1  # the empty turn is taken off


def test_tools_beside_a_conversation_become_one_field():
    for tools in ([{"name": "add"}], '[ {"name": "add"} ]'):
        assert _fields(ASKED | {"tools": tools}, reading=CHAT) == [("tools", '[{"name":"add"}]')]
    assert _fields(ASKED | {"tools": "[]"}, reading=CHAT) == []
    for tools in ("add()", {"name": "add"}):
        with pytest.raises(RowError) as refusal:
            _fields(ASKED | {"tools": tools}, reading=CHAT)
        assert refusal.value.reason == "wrong_type"


def test_values_come_in_order_of_column_for_the_id():
    assert list(values_of(CLASSIFY, {"hint": 1})) == ["answer", "body", "hint"]
