import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import json_file
from pipeline.json_file import json_rows
from schemas import SourceError


@pytest.fixture
def rows_of(tmp_path):
    def read(text, encoding="utf-8"):
        path = tmp_path / "a.json"
        path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
        return list(json_rows(path, "raw/a.json", encoding))

    return read


def test_elements_come_with_their_byte_and_their_text_untouched(rows_of):
    assert rows_of('[{"é": 1},\n {"b" :2}]') == [(1, '{"é": 1}'), (13, '{"b" :2}')]  # é is two bytes


def test_the_one_list_of_objects_inside_an_object_is_taken(rows_of):
    assert rows_of('{"version": 2, "tags": ["x"], "data": [{"a": 1}, 5]}') == [(39, '{"a": 1}'), (49, "5")]


def test_two_lists_of_objects_are_refused_by_name(rows_of):
    with pytest.raises(SourceError) as refusal:
        rows_of('{"train": [{"a": 1}], "test": [{"a": 2}]}')
    assert '"train" and "test"' in refusal.value.what
    assert "keep one of them" in refusal.value.fix


def test_an_object_without_rows_names_its_keys(rows_of):
    with pytest.raises(SourceError) as refusal:
        rows_of('{"instruction": "Add", "output": "5"}')
    assert 'its keys: "instruction", "output"' in refusal.value.what
    assert ".jsonl" in refusal.value.fix


def test_lines_of_objects_under_the_wrong_ending_are_recognised(rows_of):
    with pytest.raises(SourceError) as refusal:
        rows_of('[{"a": 1}]\n[{"a": 2}]\n')
    assert (refusal.value.where, refusal.value.fix[-6:]) == ("raw/a.json:2 column 1", ".jsonl")


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ('[\n{"a": 1},\n{"a": 1,}\n]', "3 column 9", "Expecting property name"),  # the comma, or the brace after it
        ('[{"a": 1}\n {"a": 2}]', "2 column 2", "expected ',', found '{'"),
        ('[{"a": 1}', "1 column 10", "the file ends"),
        ('[{"a": "never closed]', "1 column 8", "Unterminated string"),
        ("[{}, ]", "1 column 6", "Expecting value"),
        ('"text"', "1 column 1", "neither a list nor an object"),
        ("", "1 column 1", "neither a list nor an object"),
        ("[" * 100_000, "1 column 2", "nested too deep"),
    ],
)
def test_a_broken_file_is_refused_with_line_and_column(rows_of, text, where, what):
    with pytest.raises(SourceError) as refusal:
        rows_of(text)
    assert what in refusal.value.what
    assert refusal.value.where.startswith("raw/a.json:")
    line = int(where.split()[0])
    assert refusal.value.where.startswith(f"raw/a.json:{line} column ")
    assert abs(int(refusal.value.where.split()[-1]) - int(where.split()[-1])) <= 1


def test_what_is_wrong_inside_an_element_is_left_to_the_row(rows_of):
    assert [raw for _, raw in rows_of('[{"a": 1, "a": 2}, {"b": NaN}, {"c": "tab\there"}]')] == [
        '{"a": 1, "a": 2}',
        '{"b": NaN}',
        '{"c": "tab\there"}',
    ]


def test_other_encodings_give_the_same_text_without_bytes(rows_of):
    assert rows_of('[{"a": "é"}]', "utf-16") == [(None, '{"a": "é"}')]
    with pytest.raises(SourceError, match="not utf-8"):
        rows_of(b'[{"a": "\xe9"}]')


def test_an_element_that_never_ends_is_stopped(rows_of, monkeypatch):
    monkeypatch.setattr(json_file, "MAX_LINE_BYTES", 50)
    monkeypatch.setattr(json_file, "_CHUNK_CHARS", 10)
    with pytest.raises(SourceError, match="an element longer than"):
        rows_of('[{"a": "' + "x" * 500)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('a\\"é\n[]{},: '),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=6,
)


@given(values=st.lists(VALUES, max_size=5), chunk=st.integers(1, 40), indent=st.sampled_from([None, 1]))
def test_elements_are_the_same_wherever_the_chunks_end(tmp_path_factory, values, chunk, indent):
    path = tmp_path_factory.mktemp("chunks") / "a.json"
    data = json.dumps(values, indent=indent, ensure_ascii=False).encode()
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_file, "_CHUNK_CHARS", chunk)
        found = list(json_rows(path, "a", "utf-8"))
    assert [json.loads(raw) for _, raw in found] == values
    assert all(data[offset:].startswith(raw.encode()) for offset, raw in found)


def test_a_number_of_more_digits_than_python_reads_is_the_fault_of_its_row(rows_of):
    digits = "7" * 5000  # Python converts 4,300
    assert [raw for _, raw in rows_of(f'[{{"a": {digits}}}, {{"a": 1}}]')] == [f'{{"a": {digits}}}', '{"a": 1}']


def test_an_element_of_too_many_lists_is_refused_before_they_are_made(rows_of, monkeypatch):
    monkeypatch.setattr(json_file, "_LONG_CHARS", 10)
    monkeypatch.setattr(json_file, "MAX_BRACKETS", 5)
    monkeypatch.setattr(json_file, "_CHUNK_CHARS", 16)
    with pytest.raises(SourceError, match="more than 5 lists and objects"):
        rows_of(f"[[{'[],' * 20}1]]")
