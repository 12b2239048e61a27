"""The share of the test side that people have checked, in words and from a real split."""

from pathlib import Path

from annotation.checked_share import checked_share, share_in_words
from tests.annotation.test_feedback import row, split


def test_a_share_is_rounded_down_and_none_is_said_plainly() -> None:
    assert share_in_words(0, 0) == "There are no test examples."
    assert share_in_words(354, 0).startswith("People have checked none of the 354 test examples: ")
    assert "353 of the 354 test examples (99 %)" in share_in_words(354, 353)
    assert share_in_words(354, 354) == "People have checked all 354 test examples."


def test_only_accepted_and_edited_rows_of_the_test_side_count(tmp_path: Path) -> None:
    assert checked_share(tmp_path, "tiny") == ""
    statuses = ("accepted", "edited", "unreviewed", "unsure")
    rows = [row(f"t{n}", "test", status=status) for n, status in enumerate(statuses)]
    split(tmp_path, [*rows, row("a", status="accepted")])
    assert "2 of the 4 test examples (50 %)" in checked_share(tmp_path, "tiny")
