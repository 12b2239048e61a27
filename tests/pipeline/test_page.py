"""Pages: what hides is seen, what is markup is text, and files appear whole."""

import pytest

from pipeline.page import percent, render, visible, write_text


def test_characters_that_hide_or_reorder_text_are_written_as_code_points():
    assert visible("a\u202eb\x07\r\nc\td\ufeff\U000e0041") == "a⟨U+202E⟩b⟨U+0007⟩\nc\td⟨U+FEFF⟩⟨U+E0041⟩"
    assert (
        visible("na\u200cme \U0001f469\u200d\U0001f52c é 日本 ok\n")
        == "na\u200cme \U0001f469\u200d\U0001f52c é 日本 ok\n"
    )


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0.0 %"), (0.0001, "< 0.1 %"), (0.123, "12.3 %"), (0.9999, "> 99.9 %"), (1, "100.0 %")],
)
def test_a_share_reads_as_none_or_all_only_if_it_is(share, said):
    assert percent(share) == said


def test_a_page_lets_in_its_own_style_sheet_and_nothing_else():
    page = render("index.html.jinja", title="<b>", everything=None, tables=[], rows=0, shown=0)
    assert "<title>&lt;b&gt;</title>" in page
    assert "default-src 'none'; style-src 'sha256-" in page


def test_a_file_is_written_whole_into_a_folder_that_is_made(tmp_path):
    write_text(tmp_path / "a" / "b.html", "one")
    write_text(tmp_path / "a" / "b.html", "two")
    assert [(path.name, path.read_text()) for path in (tmp_path / "a").iterdir()] == [("b.html", "two")]
