import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.safe_csv import SIGNS, escaped, unescaped, write_csv
from schemas import ConfigError


def cells(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "'=1", "''@x"])
def test_a_text_that_a_spreadsheet_could_run_gets_an_apostrophe(text: str) -> None:
    assert escaped(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=b", "2 - 1", "'tis", "''", "5", "ü", " a"])
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert escaped(text) == text


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\n a1＝")) | st.text())
def test_every_text_comes_back_letter_by_letter_and_no_cell_begins_with_a_sign(text: str) -> None:
    cell = escaped(text)
    assert unescaped(cell) == text
    assert cell[:1] not in SIGNS or not cell


def test_numbers_stay_numbers_and_nothing_is_empty(tmp_path: Path) -> None:
    assert write_csv(tmp_path / "a.csv", ["who", "n"], [["a1", -3], ["a2", None], ["a3;=1", 1.5]]) == 3
    assert (tmp_path / "a.csv").read_text("utf-8") == '"who","n"\n"a1",-3\n"a2",""\n"a3;=1",1.5\n'


def test_a_spreadsheet_reads_line_breaks_and_quotes_inside_a_cell(tmp_path: Path) -> None:
    texts = ['say "hi"', "two\nlines", "a,b", "\r\n-x", "ü\u2028y"]
    write_csv(tmp_path / "a.csv", ["text"], [[text] for text in texts])
    assert [unescaped(row[0]) for row in cells(tmp_path / "a.csv")[1:]] == texts
    assert list(pd.read_csv(tmp_path / "a.csv")["text"])[:1] == ['say "hi"']


def test_a_file_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        write_csv(tmp_path / "nowhere" / "a.csv", ["x"], [])
    assert "name a file in a folder that is there" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.shared
def test_published_payloads_never_begin_a_cell(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "csv-injection-payloads"
    lines = (folder / "Intruder" / "csv-payload.txt").read_text("utf-8").splitlines()
    lines += (folder / "README.md").read_text("utf-8").splitlines()
    assert any(line.startswith("=cmd|") for line in lines)
    write_csv(tmp_path / "a.csv", ["payload"], [[line] for line in lines])
    rows = cells(tmp_path / "a.csv")[1:]
    assert [unescaped(row[0]) for row in rows] == lines
    assert not any(row[0].lstrip(" ")[:1] in SIGNS for row in rows if row[0].strip())
