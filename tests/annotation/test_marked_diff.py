import html
import re

from hypothesis import example, given
from hypothesis import strategies as st

from annotation.marked_diff import marked


def test_what_only_one_text_has_is_marked_in_it() -> None:
    assert marked("It has 4 legs.", "It has 8 legs.") == (
        "It has <mark>4</mark> legs.",
        "It has <mark>8</mark> legs.",
    )
    assert marked("Yes.", "Yes. No.") == ("Yes.", "Yes.<mark> No.</mark>")


def test_equal_texts_have_no_marks() -> None:
    assert marked("a b", "a b") == ("a b", "a b")


def test_chinese_is_compared_letter_by_letter() -> None:
    assert marked("我有四只猫", "我有五只猫") == ("我有<mark>四</mark>只猫", "我有<mark>五</mark>只猫")


def test_long_texts_are_compared_line_by_line() -> None:
    same = "word " * 5_000 + "\n"
    assert marked(same + "a b", same + "a c")[1] == same + "<mark>a c</mark>"


@given(st.text(max_size=40), st.text(max_size=40))
@example("<script>alert(1)</script>", "</div><img src=x onerror=alert(1)>")
@example("<mark>", "</mark>")
def test_without_its_marks_each_is_the_text_and_nothing_else_is_a_tag(left: str, right: str) -> None:
    for text, shown in zip((left, right), marked(left, right), strict=True):
        assert set(re.findall(r"<[^>]*>?", shown)) <= {"<mark>", "</mark>"}
        assert html.unescape(re.sub(r"</?mark>", "", shown)) == text
