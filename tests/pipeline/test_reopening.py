import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.annotations import add_annotations, annotation_files, read_annotations
from pipeline.reopening import Reopening, add_reopening, is_reopened, read_reopened, touched
from schemas import Annotation, AnnotationError

OLD, NEW = "0" * 8, "1" * 8


def answer(example: str, who: str = "ann", **more: Any) -> Annotation:
    fields = {
        "key": f"ls:1:{example}{who}", "example": example, "annotator": who, "verdict": "accept", "guideline": OLD,
        "seen": {"prompt": [], "response": "five"},
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    return Annotation.model_validate(fields | more)


def reopening(*answers: Annotation, reason: str = "dates") -> Reopening:
    listed = [(one.key, one.created_at, one.updated_at) for one in answers]
    return Reopening(at="2026-02-01", guideline=OLD, where={}, reason=reason, answers=listed)


def test_only_answers_under_the_old_guideline_that_fit_are_touched() -> None:
    wrong_date = answer("a", verdict="edit", response="4", error_types=["wrong date"])
    others = [answer("b"), answer("c", guideline=NEW, error_types=["wrong date"]), answer("d", guideline=None)]
    assert touched([wrong_date, *others], OLD, {"error_type": "wrong date"}) == [wrong_date]
    assert touched([wrong_date, *others], OLD, {"error_type": "wrong date", "verdict": "accept"}) == []
    assert touched([wrong_date, *others], OLD, {}) == [wrong_date, others[0]]


def test_everybody_who_answered_a_touched_example_is_asked_again() -> None:
    # Would ben's answer stay, it alone would settle the example.
    ann, ben = answer("a", error_types=["wrong date"], verdict="reject"), answer("a", "ben")
    newer = answer("a", "cy", guideline=NEW)
    assert touched([ann, ben, newer], OLD, {"error_type": "wrong date"}) == [ann, ben]


def test_an_answer_given_again_stands_and_one_reopened_is_not_counted_twice(tmp_path: Path) -> None:
    one = answer("a")
    add_reopening(tmp_path, reopening(one))
    found = read_reopened(annotation_files(tmp_path).values())
    assert is_reopened(one, found)
    assert touched([one], OLD, {}, found) == []
    again = answer("a", updated_at="2026-03-01T00:00:00Z")
    assert not is_reopened(again, found)
    assert touched([again], OLD, {}, found) == [again]


def test_files_are_added_and_the_latest_reason_is_told(tmp_path: Path) -> None:
    one = answer("a")
    add_annotations(tmp_path, [one])
    assert add_reopening(tmp_path, reopening(one)).name == "reopened-000001.json"
    assert add_reopening(tmp_path, reopening(one, reason="names")).name == "reopened-000002.json"
    files = annotation_files(tmp_path)
    assert read_reopened(files.values()) == {(one.key, one.created_at): (one.updated_at, "names")}
    # They lie among the answers, so that a run sees them, and are no answers.
    assert read_annotations(files.values()) == [one]
    assert add_annotations(tmp_path, [answer("b")])[0].name.startswith("000002-")  # type: ignore[union-attr]


def test_damaged_files_are_told_all_at_once(tmp_path: Path) -> None:
    add_reopening(tmp_path, reopening(answer("a")))
    folder = tmp_path / "annotations"
    (folder / "reopened-000002.json").write_text("{")
    (folder / "reopened-000003.json").write_text(json.dumps({"at": "2026-01-01"}))
    with pytest.raises(AnnotationError) as caught:
        read_reopened(annotation_files(tmp_path).values())
    text = str(caught.value)
    assert "reopened-000002.json" in text
    assert "reopened-000003.json" in text
    assert "restore the file from a backup" in text
