import pytest

from pipeline.cleaning import cleaned, find_clean_file, load_function
from pipeline.reading import RowError
from schemas import ConfigError

MEND = """
from dataclasses import dataclass

@dataclass
class Box:
    text: "str"

def strip(row):
    return {"text": Box(row["text"]).text.strip()}

def drop(row):
    return None

def fail(row):
    return row["absent"]

def listed(row):
    return [row]

def odd(row):
    return {"text": {1, 2}}
"""


@pytest.fixture
def mend(tmp_path):
    (tmp_path / "mend.py").write_text(MEND)
    return tmp_path / "mend.py"


def test_what_the_function_returns_is_the_row(mend):
    assert cleaned(load_function(mend, "strip"), {"text": " Rain. "}) == {"text": "Rain."}


@pytest.mark.parametrize(
    ("function", "reason", "detail"),
    [
        ("drop", "cleaned_out", "drop returned None"),
        ("fail", "clean_failed", "KeyError: 'absent'"),
        ("listed", "clean_failed", "listed returned list, not a row (dict) or None"),
        ("odd", "clean_failed", "odd returned what is no JSON: Object of type set is not JSON serializable"),
    ],
)
def test_anything_else_drops_the_row_with_its_reason(mend, function, reason, detail):
    with pytest.raises(RowError) as drop:
        cleaned(load_function(mend, function), {"text": "Rain."})
    assert (drop.value.reason, str(drop.value)) == (reason, detail)


def test_an_edited_file_is_loaded_again(mend):
    assert load_function(mend, "drop")({}) is None
    mend.write_text("def drop(row):\n    return row\n")
    assert load_function(mend, "drop")({"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("clean", "what", "fix"),
    [
        ("mand.py:strip", "no file 'mand.py'", "did you mean 'mend.py'?"),
        ("mend.py:stripp", "mend.py has no function 'stripp'", "did you mean 'strip'?"),
        ("broken.py:f", "broken.py does not load: SyntaxError", "mend the file"),
    ],
)
def test_a_function_that_is_not_there_is_told_with_the_nearest(mend, clean, what, fix):
    (mend.parent / "broken.py").write_text("def f(:\n")
    with pytest.raises(ConfigError) as refusal:
        find_clean_file(clean, mend.parent, "recipe r, source s")
    assert what in refusal.value.what
    assert fix in refusal.value.fix
