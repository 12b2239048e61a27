import csv
import datetime
import decimal
import gzip
import json
from itertools import accumulate

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import csv_file, readers
from pipeline.readers import kind_of, layout_of, parse_row, read_rows
from schemas import DataError, SourceError


@pytest.fixture
def read(tmp_path):
    def rows(name, data, *, encoding="utf-8", delimiter=None):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode(encoding))
        layout = layout_of(path, name, encoding, delimiter)
        return [(row.n, row.reason or parse_row(row.raw, layout)) for row in read_rows(path, name, encoding, layout)]

    return rows


def test_the_same_rows_come_out_of_every_format(read, tmp_path):
    rows = [{"q": "Who?", "a": "Ada"}, {"q": "two\nlines", "a": 'say "é"'}]
    table = 'q,a\nWho?,Ada\n"two\nlines","say ""é"""\n'
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "written.parquet")
    jsonl = "".join(json.dumps(row) + "\n" for row in rows)
    found = {
        name: [value for _, value in read(name, data)]
        for name, data in {
            "a.jsonl": jsonl,
            "a.ndjson": jsonl,
            "a.json": json.dumps({"data": rows}),
            "a.csv": table,
            "a.tsv": table.replace(",", "\t"),
            "a.parquet": (tmp_path / "written.parquet").read_bytes(),
            "a.jsonl.gz": gzip.compress(jsonl.encode()),
            "A.CSV.GZ": gzip.compress(table.encode()),
        }.items()
    }
    assert found == dict.fromkeys(found, rows)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.JSONL", "jsonl"),
        ("a.b.json.gz", "json"),
        ("a.parquet.gz", None),
        ("a.txt", "text"),
        ("a.csv.ZST", "csv"),
        ("a.xlsx", "xlsx"),
        ("a.xlsx.gz", None),
        ("a.docx", None),
        ("a", None),
        ("a.gz", None),
    ],
)
def test_the_ending_tells_the_format(tmp_path, name, kind):
    assert kind_of(tmp_path / name) == kind


def test_blank_lines_are_no_rows_but_count_as_lines(read):
    assert read("a.jsonl", '{"a": 1}\n\n  \r\n{"a": 2}') == [(1, {"a": 1}), (4, {"a": 2})]


@given(st.lists(st.sampled_from(["\n", "\r\n", " \t\n", "   \r \n", '{"a": 1}\n', '{"a": "é"}\r\n']), max_size=40))
def test_rows_between_runs_of_blank_lines_keep_their_line_and_byte(tmp_path_factory, parts):
    path = tmp_path_factory.getbasetemp() / "blank.jsonl"
    path.write_bytes("".join(parts).encode())
    begins = accumulate((len(one.encode()) for one in parts), initial=0)
    wanted = [(n, at) for n, (one, at) in enumerate(zip(parts, begins, strict=False), start=1) if one.strip()]
    layout = layout_of(path, "blank.jsonl", "utf-8", None)
    assert [(row.n, row.offset) for row in read_rows(path, "blank.jsonl", "utf-8", layout)] == wanted


def test_a_line_that_does_not_decode_is_a_row_with_its_reason(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"a": "é"}\n'.encode() + b'{"a": "\xe9"}\n')
    bad = list(read_rows(path, "a.jsonl", "utf-8", layout_of(path, "a.jsonl", "utf-8", None)))[1]
    assert (bad.n, bad.offset, bad.raw, bad.reason) == (2, 12, '{"a": "\\xe9"}', "undecodable")
    assert "byte 0xe9 at byte 7" in bad.detail


def test_csv_rows_know_the_line_they_start_in(read):
    text = 'a,b\n1,"x\ny\nz"\n\n2,w\n'
    assert read("a.csv", text) == [(2, {"a": "1", "b": "x\ny\nz"}), (6, {"a": "2", "b": "w"})]  # line 5 is blank


def test_csv_offsets_count_bytes(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes('é,b\n"ü\nx",1\n2,3\n'.encode())
    rows = read_rows(path, "a.csv", "utf-8", layout_of(path, "a.csv", "utf-8", None))
    assert [(row.offset, row.raw) for row in rows] == [(5, '"ü\nx",1'), (14, "2,3")]


def test_a_ragged_row_is_told_with_its_columns(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2,3\n4\n5,6\n")
    rows = list(read_rows(path, "a.csv", "utf-8", layout_of(path, "a.csv", "utf-8", None)))
    assert [(row.reason, row.detail) for row in rows] == [
        ("malformed", "3 columns, the header has 2"),
        ("malformed", "1 columns, the header has 2"),
        (None, None),
    ]


def test_a_quote_that_never_closes_costs_one_line(read):
    text = 'a,b\n1,"open\n2,x\n3,y\n'
    assert read("a.csv", text) == [(2, "malformed"), (3, {"a": "2", "b": "x"}), (4, {"a": "3", "b": "y"})]


def test_a_field_beyond_the_limit_costs_one_line(read, monkeypatch):
    monkeypatch.setattr(csv_file, "MAX_FIELD_CHARS", 50)
    assert read("a.csv", "a,b\n1," + "x" * 60 + "\n2,y\n") == [(2, "malformed"), (3, {"a": "2", "b": "y"})]


def test_many_open_quotes_stop_the_file(read):
    with pytest.raises(SourceError) as refusal:
        read("a.csv", "a,b\n" + '1,"inch\n' * 103)  # an even number of them would close each other
    assert "quotes do not close" in refusal.value.what
    assert '""' in refusal.value.fix


def test_old_macintosh_line_ends_are_lines(read):
    assert read("a.csv", "a,b\r1,2\r3,4") == [(2, {"a": "1", "b": "2"}), (3, {"a": "3", "b": "4"})]


def test_the_delimiter_can_be_given(read):
    assert read("a.csv", "a;b\n1;2,5\n", delimiter=";") == [(2, {"a": "1", "b": "2,5"})]


@pytest.mark.parametrize(
    ("text", "what"), [("a,b,a\n1,2,3\n", "names 'a' more than once"), ("\n", "no header line"), ("", "no header line")]
)
def test_a_header_that_names_no_or_equal_columns_is_refused(read, text, what):
    with pytest.raises(SourceError) as refusal:
        read("a.csv", text)
    assert what in refusal.value.what
    assert refusal.value.where == "a.csv:1"


def test_a_csv_that_does_not_decode_is_refused_as_a_whole(read):
    with pytest.raises(SourceError) as refusal:
        read("a.csv", b"a,b\n1,caf\xe9\n")
    assert (refusal.value.where, 'encoding = "cp1252"' in refusal.value.fix) == ("a.csv:2", True)


def test_parquet_values_without_a_json_form_become_text(tmp_path):
    when = datetime.datetime(2024, 5, 6, 7, 8, 9)
    table = pa.table({"t": [when], "d": [decimal.Decimal("1.50")], "b": [b"bytes"], "n": [None], "l": [[1, 2]]})
    pq.write_table(table, tmp_path / "a.parquet")
    (row,) = read_rows(tmp_path / "a.parquet", "a", "utf-8", layout_of(tmp_path / "a.parquet", "a", "utf-8", None))
    assert json.loads(row.raw) == {"t": "2024-05-06T07:08:09", "d": "1.50", "b": "bytes", "n": None, "l": [1, 2]}


def test_only_the_columns_asked_for_are_read_from_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"q": ["Who?"], "embedding": [[0.1] * 9]}), path)
    (row,) = read_rows(path, "a", "utf-8", layout_of(path, "a", "utf-8", None), {"q", "absent"})
    assert json.loads(row.raw) == {"q": "Who?"}


def test_bytes_in_parquet_that_are_no_text_cost_their_row(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": pa.array([b"fine", b"\xff"])}), path)
    rows = list(read_rows(path, "a", "utf-8", layout_of(path, "a", "utf-8", None)))
    assert [(row.n, row.reason) for row in rows] == [(1, None), (2, "undecodable")]
    assert "byte 0xff" in rows[1].detail


def test_a_date_beyond_the_calendar_costs_its_row(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"t": pa.array([0, 2**62], pa.timestamp("us"))}), path)
    rows = list(read_rows(path, "a", "utf-8", layout_of(path, "a", "utf-8", None)))
    assert [(row.n, row.reason) for row in rows] == [(1, None), (2, "malformed")]


def test_a_truncated_parquet_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": ["x"] * 100}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError) as refusal:
        list(read_rows(path, "raw/a.parquet", "utf-8", layout_of(path, "a", "utf-8", None)))
    assert "not readable as parquet" in refusal.value.what
    assert refusal.value.where == "raw/a.parquet"


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=8) | st.sampled_from(
    ['a"b', "x\ny", "é,;", ""]
)


@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6))
def test_whatever_the_csv_module_writes_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([("a", "b"), *rows])
    layout = layout_of(path, "a.csv", "utf-8", None)
    found = [parse_row(row.raw, layout) for row in read_rows(path, "a.csv", "utf-8", layout)]
    assert found == [{"a": a, "b": b} for a, b in rows]


@pytest.mark.shared
def test_csv_spectrum_is_read_as_its_json_says(shared_data):
    folder = shared_data / "csv-spectrum"
    files = sorted((folder / "csvs").glob("*.csv"))
    assert len(files) == 12
    for path in files:
        if path.stem == "location_coordinates":  # its json names another phone number than its csv
            continue
        layout = layout_of(path, path.name, "utf-8", None)
        found = [parse_row(row.raw, layout) for row in read_rows(path, path.name, "utf-8", layout)]
        # Line ends inside fields differ between copies of this collection.
        expected = json.loads((folder / "json" / f"{path.stem}.json").read_text("utf-8").replace("\\r\\n", "\\n"))
        assert found == expected, path.name


@pytest.mark.shared
def test_corrupt_parquet_is_refused_and_never_crashes(shared_data):
    refused = []
    for path in sorted((shared_data / "parquet-testing" / "bad_data").glob("*.parquet")):
        try:
            list(read_rows(path, path.name, "utf-8", layout_of(path, path.name, "utf-8", None)))
        except DataError:
            refused.append(path.name)
    assert len(refused) == 7  # the eighth, ARROW-GH-43605, pyarrow reads as 21,186 rows


def test_a_column_of_parquet_whose_name_is_no_text_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"question": ["Who?"]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"question", b"quest\xffon"))
    with pytest.raises(SourceError, match="not readable as parquet"):
        list(read_rows(path, "a", "utf-8", layout_of(path, "a", "utf-8", None)))


def test_a_long_row_of_parquet_costs_itself_and_is_never_made_text(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "MAX_LINE_BYTES", 1000)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": ["x" * 2000, "Ada"]}), path)
    rows = list(read_rows(path, "a", "utf-8", layout_of(path, "a", "utf-8", None)))
    assert [(row.n, row.reason) for row in rows] == [(1, "malformed"), (2, None)]
