r"""Texts in Markdown stay texts: a\|b, never a cell's end, a link, a picture or a tag."""

from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.markdown_text import code, inline

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


class Tags(HTMLParser):
    """The tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append(tag)


def tags_of(cell: str) -> list[str]:
    return Tags(MARKDOWN.render(f"| a | b |\n|---|---|\n| {cell} | end |\n")).found


PLAIN = tags_of("x")
WITH_CODE = tags_of("`x`")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>", "![x](//evil.invalid/x.png)", "[x](javascript:alert(1))", "a|b", "`a`", "# a", "<!-- a",
        "<http://evil.invalid>", "\n\n<img src=x>", "**a**", "~~a~~", "&lt;img src=x&gt;", "[a]: //evil.invalid",
    ],
)  # fmt: skip
def test_what_markdown_would_read_stays_a_text(text: str) -> None:
    assert tags_of(inline(text)) == PLAIN
    assert tags_of(code(text)) == WITH_CODE


@given(st.text(max_size=40))
def test_no_text_opens_a_tag_or_ends_its_cell(text: str) -> None:
    assert tags_of(f"a{inline(text)}a") == PLAIN
    assert tags_of(code(f"a{text}a")) == WITH_CODE


@given(st.text("ab<>&|*_`[]!#~\\$ ", min_size=1, max_size=30).filter(lambda text: text.strip()))
def test_a_reader_sees_the_text_itself(text: str) -> None:
    shown = MARKDOWN.renderInline(f"a{inline(text)}a")
    assert unescape(shown) == f"a{' '.join(text.split())}a"
