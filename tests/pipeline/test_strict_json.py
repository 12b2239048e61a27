import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import strict_json
from pipeline.strict_json import MAX_DEPTH, MalformedError, canonical, depth, parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)

REFUSED = {
    '{"a": 1, "a": 2}': "key 'a' stands twice in one object",
    '{"a": {"b": 1, "c": 1, "b": 1}}': "key 'b' stands twice",  # inside another object too
    "[NaN]": "NaN is not JSON",
    "[-Infinity]": "-Infinity is not JSON",
    "[1e999]": "number 1e999 is too large",
    "[9223372036854775808]": "integer 9223372036854775808 does not fit 64 bits",  # 2**63
    "[" + "7" * 5000 + "]": "integer 777777777777777777777777... does not fit 64 bits",
    r'{"a": "\ud800"}': r"lone surrogate \ud800 is not text",
    r'{"\uDC00": 1}': r"lone surrogate \udc00 is not text",
    "{} {}": "more text after the value, at column 4: one value a row",
    "\ufeff{}": "a byte order mark stands before the value",
    "[" * 101 + "]" * 101: f"nested deeper than {MAX_DEPTH} levels",
    "[" * 100_000: f"nested deeper than {MAX_DEPTH} levels",  # beyond what Python's own stack holds
    '["a\tb"]': "Invalid control character at at column 4",
    "": "Expecting value at column 1",
    '{\n"a": }': "line 2 column 6",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_what_readers_disagree_on_is_refused_with_a_sentence(text):
    with pytest.raises(MalformedError) as refusal:
        parse(text)
    assert REFUSED[text] in str(refusal.value)


def test_the_largest_numbers_that_fit_are_kept():
    assert parse("[9223372036854775807, -9223372036854775808, 1e308]") == [2**63 - 1, -(2**63), 1e308]


def test_a_pair_of_surrogates_is_one_character():
    assert parse(r'"\ud83d\ude00"') == "\U0001f600"


def test_a_hundred_levels_are_allowed_and_brackets_in_text_are_no_levels():
    assert depth(parse("[" * 100 + "]" * 100)) == 100
    assert parse('"' + "[" * 500 + '"') == "[" * 500


@given(JSON)
def test_what_is_written_canonically_is_read_back_the_same(value):
    assert parse(canonical(value)) == value


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers(0, 9)))
def test_canonical_text_does_not_depend_on_the_order_of_keys(value):
    assert canonical(value) == canonical(dict(reversed(value.items())))


# Twice-given keys are valid by the grammar, but mean different things to different readers.
REFUSED_ON_PURPOSE = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}
# What the grammar leaves open: two are taken, all others refused.
LEFT_OPEN_AND_TAKEN = {
    "i_number_double_huge_neg_exp.json": [0.0],  # too small for a float: zero, within half of the smallest one
    "i_number_real_underflow.json": [0.0],
}


@pytest.mark.shared
def test_the_json_test_suite_is_judged_as_its_names_say(shared_data: Path):
    wrong = []
    files = sorted((shared_data / "json-test-suite" / "test_parsing").iterdir())
    assert len(files) == 318
    for file in files:
        try:
            value, taken = parse(file.read_bytes().decode("utf-8")), True
        except ValueError:  # both MalformedError and UnicodeDecodeError
            value, taken = None, False
        expected = {"y": file.name not in REFUSED_ON_PURPOSE, "n": False, "i": file.name in LEFT_OPEN_AND_TAKEN}
        if taken != expected[file.name[0]] or (file.name in LEFT_OPEN_AND_TAKEN and value != [0.0]):
            wrong.append(file.name)
    assert wrong == []


def test_accepted_values_are_those_of_the_standard_library():
    text = '{"a": [1, 2.5, -0.0, true, false, null, "\\u00e9"], "b": {}}'
    assert parse(text) == json.loads(text)


def test_the_last_of_a_million_keys_standing_twice_is_found_at_once():
    # Counting each key among all the others took hours.
    keys = ",".join(f'"k{n}":1' for n in range(200_000))
    with pytest.raises(MalformedError, match="key 'k199999' stands twice"):
        parse(f'{{{keys},"k199999":2}}')


def test_a_key_is_told_by_its_beginning_where_it_is_long():
    with pytest.raises(MalformedError) as refusal:
        parse(f'{{"{"k" * 99}":1,"{"k" * 99}":2}}')
    assert str(refusal.value) == f"key '{'k' * 60}...' stands twice in one object"


def test_more_lists_and_objects_than_memory_has_room_for_are_refused_before_they_are_made(monkeypatch):
    monkeypatch.setattr(strict_json, "MAX_BRACKETS", 3)
    assert parse("[[], {}]") == [[], {}]
    with pytest.raises(MalformedError, match="more than 3 lists and objects in one row"):
        parse("[[], [], {}]")
