import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from pipeline.normal_form import normalize_all


def test_spelling_line_ends_and_signs_without_width():
    texts = ["cafe\u0301", "a\r\nb\rc", "to\u200bday\ufeff", "left alone"]
    assert normalize_all(texts) == 3
    assert texts == ["caf\u00e9", "a\nb\nc", "today", "left alone"]


def test_what_right_to_left_text_and_emoji_need_stays():
    texts = ["\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u200fשלום (abc)\u200e", "\U0001f468\u200d\U0001f469"]
    before = list(texts)
    assert normalize_all(texts) == 0
    assert texts == before


@given(st.lists(st.text(), max_size=5))
def test_once_is_enough_and_only_then_is_nothing_counted(texts):
    before = list(texts)
    changed = normalize_all(texts)
    assert changed == sum(old != new for old, new in zip(before, texts, strict=True))
    assert normalize_all(texts) == 0
    assert all(unicodedata.is_normalized("NFC", text) and "\r" not in text for text in texts)
