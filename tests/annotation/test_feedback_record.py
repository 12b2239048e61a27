"""What was sent is remembered, each row once."""

from pathlib import Path
from typing import Any

import pytest

from annotation.feedback import Feedback, Pick
from annotation.feedback_record import feedback_round, note_sent, read_sent, reasons_of, sentence_of
from annotation.rule_checks import RULES
from schemas import AnnotationError

MORNING, EVENING = "2026-11-27T08:00:00Z", "2026-11-27T20:00:00Z"


def found(*picks: Pick) -> Feedback:
    rows: list[tuple[dict[str, Any], Pick]] = [
        (
            {
                "id": pick.id, "template": "maths",
                "prompt": [{"role": "user", "content": f"{pick.id} + 1?"}],
                "completion": [{"role": "assistant", "content": "2"}],
            },
            pick,
        )
        for pick in picks
    ]  # fmt: skip
    return Feedback(rows, len(rows), {}, 0, {})


A = Pick(
    "a",
    "ranked",
    "A sum in the answer does not compute. Training helped 97 of 100 answers to maths more than this one.",
)
B = Pick("b", "random", "Chosen at random, to estimate how many answers are wrong.")


def test_a_row_is_noted_once_with_its_reasons_and_its_newest_task(tmp_path: Path) -> None:
    assert note_sent(tmp_path, "tiny", "aa11", found(A, B), MORNING, {"a": (3, 7)}) == 1  # b never arrived
    assert note_sent(tmp_path, "tiny", "aa11", found(A, B), EVENING, {"a": (3, 9), "b": (3, 8)}) == 1
    first, second = read_sent(tmp_path, "tiny")["aa11"]
    assert (first.example, first.queue, first.reasons) == ("a", "ranked", ["wrong_sum", "model"])
    assert (first.project, first.task) == (3, 9)
    assert first.at == "2026-11-27T08:00:00.000000Z"
    # Chance is the reason of the random ones, and no rule is credited with them.
    assert (second.example, second.queue, second.reasons, second.task) == ("b", "random", [], 8)


def test_rows_in_a_file_have_no_task_and_do_not_forget_one_they_had(tmp_path: Path) -> None:
    note_sent(tmp_path, "tiny", "aa11", found(A), MORNING, {"a": (3, 7)})
    assert note_sent(tmp_path, "tiny", "aa11", found(A, B), EVENING) == 1
    assert [one.task for one in read_sent(tmp_path, "tiny")["aa11"]] == [7, None]


def test_rounds_come_in_the_order_of_sending_and_each_recipe_has_its_own(tmp_path: Path) -> None:
    note_sent(tmp_path, "tiny", "aa", found(A), EVENING)
    note_sent(tmp_path, "tiny", "bb", found(A), MORNING)
    assert [*read_sent(tmp_path, "tiny")] == ["bb", "aa"]
    assert read_sent(tmp_path, "other") == {}


def test_no_text_of_the_data_is_kept(tmp_path: Path) -> None:
    note_sent(tmp_path, "tiny", "aa11", found(A), MORNING)
    (path,) = (tmp_path / "label-studio" / "feedback" / "tiny").glob("*.jsonl")
    assert "+ 1?" not in path.read_text("utf-8")
    assert path.stat().st_mode & 0o77 == 0


def test_every_rule_is_known_again_by_its_sentence() -> None:
    for rule in RULES:
        assert rule.name in reasons_of(f"Before. {rule.sentence} After.")
        assert sentence_of(rule.name) == rule.sentence
    assert reasons_of("A model that has not seen this row answers otherwise.") == ["model"]
    assert reasons_of("") == ["other"]


def test_a_damaged_record_is_told_with_a_cure(tmp_path: Path) -> None:
    folder = tmp_path / "label-studio" / "feedback" / "tiny"
    folder.mkdir(parents=True)
    (folder / "aa11.jsonl").write_text('{"example": 3}\n')
    (folder / "bb22.jsonl").write_text("half a li")
    with pytest.raises(AnnotationError) as caught:
        read_sent(tmp_path, "tiny")
    assert str(caught.value).count("not a record of what was sent") == 2
    assert "restore the file from a backup" in str(caught.value)


def test_a_round_is_named_after_its_run() -> None:
    assert feedback_round("1849b0071cc520f4") == "1849b007"
