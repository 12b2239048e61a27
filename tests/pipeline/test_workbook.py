import json

import pytest

from pipeline import workbook
from pipeline.readers import layout_of, read_rows
from schemas import ConfigError, SourceError
from tests.pipeline.spreadsheet import DAY, FORMULA, NOT_THERE, write_xlsx


@pytest.fixture
def book(tmp_path):
    return tmp_path / "a.xlsx"


def _rows(path, columns=None, **settings):
    layout = layout_of(path, path.name, "utf-8", None, **settings)
    rows = read_rows(path, path.name, "utf-8", layout, columns)
    return [(row.n, row.reason or json.loads(row.raw), row.detail) for row in rows]


def test_a_row_has_the_number_the_workbook_shows_and_values_as_json(book):
    write_xlsx(book, {"One": [[], ["q", "n", "day"], ["Who?", 5, DAY], [], [FORMULA, 1.5, True]]})
    assert _rows(book) == [
        (3, {"q": "Who?", "n": 5, "day": "2023-03-15"}, None),
        (5, {"q": "made", "n": 1.5, "day": True}, None),
    ]


def test_empty_cells_and_errors_are_null(book):
    write_xlsx(book, {"One": [["q", "a"], ["Who?", NOT_THERE], ["What?", None]]})
    assert [row for _, row, _ in _rows(book)] == [{"q": "Who?", "a": None}, {"q": "What?", "a": None}]


def test_columns_without_a_name_are_left_out(book):
    write_xlsx(book, {"One": [["q", None, "a"], ["Who?", "a remark", "Ada"]]})
    assert _rows(book) == [(2, {"q": "Who?", "a": "Ada"}, None)]


def test_a_header_that_comes_again_is_no_row(book):
    write_xlsx(book, {"One": [["q", "a"], ["q", "a"], ["Who?", "Ada"]]})
    assert [(n, row) for n, row, _ in _rows(book)] == [(2, "header_again"), (3, {"q": "Who?", "a": "Ada"})]


def test_a_cell_inside_a_merge_costs_its_row_if_it_is_looked_at(book):
    write_xlsx(book, {"One": [["q", "a"], ["Who?", "Ada"], [None, "Bob"]]}, merged=["A2:A3"])
    (_, first, _), (n, reason, detail) = _rows(book)
    assert first == {"q": "Who?", "a": "Ada"}
    assert (n, reason) == (3, "malformed")
    assert detail == "A3 lies in a merge of cells and has no value; unmerge and fill it"
    assert _rows(book, {"a"})[1][1] == {"q": None, "a": "Bob"}


def test_rows_before_the_header_can_be_passed_over(book):
    write_xlsx(book, {"One": [["Report", "Report"], ["q", "a"], ["Who?", "Ada"]]})
    with pytest.raises(SourceError) as refusal:
        _rows(book)
    assert refusal.value.what == "the header names 'Report' more than once"
    assert "skip = 1" in refusal.value.fix
    assert _rows(book, skip=1) == [(3, {"q": "Who?", "a": "Ada"}, None)]


def test_the_first_sheet_is_read_or_the_one_that_is_named(book):
    write_xlsx(book, {"Old": [["q"], ["Who?"]], "New": [["q"], ["What?"]]})
    assert _rows(book)[0][1] == {"q": "Who?"}
    assert _rows(book, sheet="New")[0][1] == {"q": "What?"}
    with pytest.raises(ConfigError) as refusal:
        _rows(book, sheet="new")
    assert (refusal.value.what, refusal.value.fix) == ("no sheet 'new'", "did you mean 'New'?")


def test_an_empty_sheet_says_which_others_there_are(book):
    write_xlsx(book, {"Empty": [], "Texts": [["q"], ["Who?"]]})
    with pytest.raises(SourceError) as refusal:
        _rows(book)
    assert refusal.value.what == "the sheet is empty"
    assert "'Texts'" in refusal.value.fix


def test_a_password_is_told_from_damage(book):
    book.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))  # what Office writes when it encrypts
    with pytest.raises(SourceError) as refusal:
        _rows(book)
    assert "protected by a password" in refusal.value.what
    book.write_bytes(b"PK nonsense")
    with pytest.raises(SourceError) as refusal:
        _rows(book)
    assert "not readable as .xlsx" in refusal.value.what


def test_a_workbook_that_inflates_without_end_is_refused(book, monkeypatch):
    monkeypatch.setattr(workbook, "FREE_BYTES", 1 << 20)
    write_xlsx(book, {"One": [["q"], ["x" * (4 << 20)]]})
    with pytest.raises(SourceError) as refusal:
        _rows(book)
    assert "inflates to 4 MiB, over 200 times its size" in refusal.value.what


@pytest.mark.parametrize(
    ("place", "size"), [("XFD1048576", "1,048,576 rows and 16,384"), ("A2000000", "2,000,000 rows")]
)
def test_a_cell_far_from_the_others_is_refused_before_memory_is_taken_for_all_between(book, place, size):
    # 17 billion cells would end the process: the reader in Rust aborts. It takes the last of two places.
    write_xlsx(book, {"One": [["q", "a"], ["Who?", f'<c r="{place}" t="str"><v>x</v></c>']]})
    with pytest.raises(SourceError, match=size):
        _rows(book)


def test_merges_that_lie_over_each_other_are_refused(book):
    write_xlsx(book, {"One": [["q", "a"], ["Who?", "Ada"], [], ["What?", "A"]]}, ["A2:B4", "A3:B5"])
    with pytest.raises(SourceError, match="merges of cells lie over each other"):
        _rows(book)


def test_a_workbook_without_a_sheet_is_refused(book):
    write_xlsx(book, {})
    with pytest.raises(SourceError, match=r"no sheet|not readable as \.xlsx"):
        _rows(book)
