import csv
from pathlib import Path

import pytest

from annotation.formula_safe import safe, write_csv


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_that_is_a_formula_is_written_as_a_text(text: str) -> None:
    assert safe(text) == f"'{text}"


def test_numbers_and_plain_texts_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert write_csv(path, ["name", "value"], [["Ärger, klein", -0.5], ["=cmd", None]]) == 2
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [["name", "value"], ["Ärger, klein", "-0.5"], ["'=cmd", ""]]
