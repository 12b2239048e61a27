from pathlib import Path

import pytest

from pipeline import code

SOURCE = '''"""What it is."""
from pipeline import other
LIMIT = 3  # why three

def grow(n):
    """Return more."""
    return n + LIMIT
'''


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout of two modules, of which one imports the other."""
    monkeypatch.setattr(code, "ROOT", tmp_path)
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "stage_one.py").write_text(SOURCE)
    (tmp_path / "pipeline" / "other.py").write_text("import pyarrow\nWORD = 'a'\n")

    def digest_after(name: str = "", old: str = "", new: str = "") -> str:
        if name:
            path: Path = tmp_path / "pipeline" / name
            assert old in path.read_text()
            path.write_text(path.read_text().replace(old, new))
        code.read_module.cache_clear()
        code._known.cache_clear()
        return code.code_of("pipeline.stage_one").digest

    return digest_after


def test_a_changed_comment_is_the_same_code(checkout):
    assert checkout() == checkout("stage_one.py", "# why three", "# because")


def test_a_changed_docstring_is_the_same_code(checkout):
    before = checkout()
    assert before == checkout("stage_one.py", "Return more.", "Return a larger number.")
    assert before == checkout("stage_one.py", "What it is.", "What it was.")


def test_a_changed_constant_is_other_code(checkout):
    assert checkout() != checkout("stage_one.py", "LIMIT = 3", "LIMIT = 4")


def test_a_change_in_an_imported_module_is_other_code(checkout):
    assert checkout() != checkout("other.py", "'a'", "'b'")


def test_the_distributions_of_imported_modules_are_found(checkout):
    checkout()
    assert list(code.code_of("pipeline.stage_one").distributions) == ["pyarrow"]


def test_a_distribution_with_another_name_than_its_module_is_found():
    assert "PyYAML" in code.code_of("pipeline.dataset_card").distributions


def test_what_is_kept_between_runs_changes_nothing(checkout, tmp_path):
    fresh = checkout()
    (kept,) = (tmp_path / "pipeline" / "__pycache__").glob("trees.*.json")

    assert checkout() == fresh
    for damage in ("", "{", '{"a": []}', "[1]"):
        kept.write_text(damage)
        assert checkout() == fresh
    assert checkout("other.py", "'a'", "'b'") != fresh
    assert checkout("other.py", "'b'", "'a'") == fresh


def test_a_checkout_that_may_not_be_written_has_the_same_digest(checkout, tmp_path):
    (tmp_path / "pipeline" / "__pycache__").write_text("no folder")

    assert checkout() == checkout()
