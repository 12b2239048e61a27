import pytest

from pipeline.readers import layout_of, parse_row, read_rows
from schemas import SourceError


@pytest.fixture
def read(tmp_path):
    def rows(text, **settings):
        path = tmp_path / "a.csv"
        path.write_text(text, encoding="utf-8")
        layout = layout_of(path, "a.csv", "utf-8", None, **settings)
        return [(row.n, row.reason or parse_row(row.raw, layout)) for row in read_rows(path, "a.csv", "utf-8", layout)]

    return rows


def test_a_header_that_comes_again_is_no_row(read):
    # As where several exports were put one behind the other.
    assert read("q,a\nWho?,Ada\nq,a\nWhat?,Rain\n") == [
        (2, {"q": "Who?", "a": "Ada"}),
        (3, "header_again"),
        (4, {"q": "What?", "a": "Rain"}),
    ]


def test_lines_before_the_header_can_be_passed_over(read):
    text = "Export of 3 May\n\nq,a\nWho?,Ada\n"
    assert read(text, skip=2) == [(4, {"q": "Who?", "a": "Ada"})]


def test_passing_over_too_much_finds_no_header(read):
    with pytest.raises(SourceError) as refusal:
        read("q,a\n", skip=3)
    assert (refusal.value.what, refusal.value.where) == ("no header line", "a.csv:4")
