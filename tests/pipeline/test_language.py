import pyarrow as pa
import pytest

from pipeline.language import SCRIPTS, language_of, same_language, script_of, word_lists

ENGLISH = "The capital of France is on the river and it is in the north of the land."
GERMAN = "Die Hauptstadt von Frankreich ist Paris, weil sie an der Seine liegt und das gut ist."


def one(text):
    return pa.array([text], pa.string())


@pytest.mark.parametrize(("text", "language"), [(ENGLISH, "en"), (GERMAN, "de")])
def test_a_text_is_of_the_language_of_its_common_words(text, language):
    assert word_lists()[language_of(one(text))[0]].language == language


@pytest.mark.parametrize("text", ["Paris.", "", None, "42"])
def test_of_a_short_text_no_language_is_told(text):
    assert language_of(one(text)).tolist() == [-1]


@pytest.mark.parametrize(
    ("text", "script"),
    [("Paris", "Latin"), ("東京です", "Chinese or Japanese"), ("สวัสดี ok", "Thai"), ("Москва", "Cyrillic")],
)
def test_a_text_is_in_the_script_of_most_of_its_letters(text, script):
    assert list(SCRIPTS)[script_of(one(text))[0]] == script


def test_without_letters_there_is_no_script():
    assert script_of(pa.array(["42 + 1", "", None])).tolist() == [-1, -1, -1]


@pytest.mark.parametrize(
    ("text", "other", "same"),
    [
        (ENGLISH, ENGLISH, True),
        (ENGLISH, GERMAN, False),
        ("Paris", "巴黎", False),  # another script
        ("你好", "再见", True),
        ("Paris", "London", None),  # too short to tell
        ("", "London", None),
        ("42", "巴黎", None),  # digits are of no language
    ],
)
def test_two_texts_are_of_one_language_of_two_or_it_cannot_be_told(text, other, same):
    assert same_language(one(text), one(other)).to_pylist() == [same]
    assert same_language(one(other), one(text)).to_pylist() == [same]
