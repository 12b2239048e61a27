import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.meta import meta_values
from pipeline.strict_json import canonical


def values(column: str, *rows: object) -> list[tuple[int, str]]:
    found, texts = meta_values(pa.array([canonical(row) for row in rows], pa.string()), column)
    return list(zip(found.tolist(), texts.to_pylist(), strict=True))


def test_a_text_gives_one_value_and_a_list_one_an_item():
    rows = [{"author": "ann", "page": 3}, {"author": ["bob", "cy"]}, {"page": 4}]
    assert values("author", *rows) == [(0, "ann"), (1, "bob"), (1, "cy")]


@pytest.mark.parametrize("nothing", [None, "", [], ["", None]])
def test_nothing_gives_no_value(nothing):
    assert values("author", {"author": nothing}) == []


@pytest.mark.parametrize(
    ("given", "text"), [(17, "17"), (0, "0"), (False, "false"), (1.5, "1.5"), ({"id": "a"}, '{"id":"a"}')]
)
def test_what_is_no_text_gives_its_json(given, text):
    assert values("author", {"author": given}) == [(0, text)]


@pytest.mark.parametrize(
    "row",
    [
        {"info": {"author": "no"}},  # a key of another object
        {"a": 'he wrote ","author":"no"'},  # inside a text
        {"a": "author", "b": ["author"]},  # no key
        {"co-author": "no"},
    ],
)
def test_what_only_looks_like_the_column_gives_no_value(row):
    assert values("author", row) == []


def test_escapes_brackets_and_commas_in_texts_are_read_as_they_are():
    rows = [{"author": 'a"b\\'}, {"author": ["a]b", "c"]}, {"author": ["a,", "{"]}, {"a": "foo,", "author": "z"}]
    assert values("author", *rows) == [(0, 'a"b\\'), (1, "a]b"), (1, "c"), (2, "a,"), (2, "{"), (3, "z")]


def test_a_mixed_list_gives_every_item():
    assert values("author", {"author": ["a", 1, "b"]}) == [(0, "a"), (0, "1"), (0, "b")]


def test_a_column_whose_name_holds_marks_of_regular_expressions_is_found():
    assert values('a.b"(c', {'a.b"(c': "x", "a-b": "y"}) == [(0, "x")]


texts = st.text(st.sampled_from('ab"\\,:{}[]né\n'), max_size=6)
plain = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), texts)
anything = st.one_of(
    plain, st.lists(plain, max_size=3), st.dictionaries(st.sampled_from(["a", "b"]), texts, max_size=2)
)


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", 'c"', "d.e"]), anything), max_size=6))
def test_it_reads_what_a_parser_reads(rows):
    for column in ("a", 'c"', "d.e"):
        expected = []
        for at, row in enumerate(json.loads(canonical(rows))):
            value = row.get(column)
            for one in value if isinstance(value, list) else [value]:
                if one is not None and one != "":
                    expected.append((at, one if isinstance(one, str) else canonical(one)))
        assert values(column, *rows) == expected
