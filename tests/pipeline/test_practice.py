from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.annotations import annotation_files
from pipeline.practice import counting, passed, record_passed
from schemas import Annotation, AnnotationError

NINE, TEN, ELEVEN = (f"2026-01-01T{hour:02}:00:00.000000Z" for hour in (9, 10, 11))


def answer(who: str = "ann", at: str = TEN, **more: Any) -> Annotation:
    fields = {
        "key": f"ls:1:{who}{at}", "example": "e", "annotator": who, "verdict": "accept", "created_at": at,
        "updated_at": at, "seen": {"prompt": [], "response": "five"},
    }  # fmt: skip
    return Annotation.model_validate(fields | more)


def test_answers_before_passing_do_not_vote_and_later_ones_do() -> None:
    before, at, after = answer(at=NINE), answer(at=TEN), answer(at=ELEVEN)
    assert counting([before, at, after], {"ann": TEN}) == [at, after]


def test_an_early_answer_that_was_changed_after_passing_votes() -> None:
    changed = answer(at=NINE, updated_at=ELEVEN)
    assert counting([changed], {"ann": TEN}) == [changed]


def test_who_never_passed_votes_only_where_no_practice_is_set() -> None:
    assert counting([answer("ben")], {"ann": TEN}) == []
    assert counting([answer("ben")], {}) == []
    assert counting([answer("ben")], None) == [answer("ben")]


def test_practice_answers_never_vote_and_an_adjudicator_always_does() -> None:
    assert counting([answer(purpose="practice")], None) == []
    assert counting([answer(at=ELEVEN, purpose="practice")], {"ann": TEN}) == []
    lead = answer("lead", adjudicated=True)
    assert counting([lead], {"ann": TEN}) == [lead]


@given(st.lists(st.tuples(st.sampled_from(["ann", "ben"]), st.sampled_from([NINE, TEN, ELEVEN])), unique=True))
def test_passing_earlier_never_takes_a_vote_away(given_at: list[tuple[str, str]]) -> None:
    answers = [answer(who, at) for who, at in given_at]
    late, early = counting(answers, {"ann": ELEVEN}), counting(answers, {"ann": NINE, "ben": NINE})
    assert [one for one in early if one in late] == late


def test_who_has_passed_stays_so(tmp_path: Path) -> None:
    assert passed(annotation_files(tmp_path).values()) is None
    assert record_passed(tmp_path, {}) == []
    assert passed(annotation_files(tmp_path).values()) == {}  # a practice is set, and nobody has passed it
    assert record_passed(tmp_path, {"ann": TEN}) == ["ann"]
    assert record_passed(tmp_path, {"ann": ELEVEN, "ben": ELEVEN}) == ["ben"]
    assert passed(annotation_files(tmp_path).values()) == {"ann": TEN, "ben": ELEVEN}


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    record_passed(tmp_path, {"ann": TEN})
    path = tmp_path / "annotations" / "practice.json"
    path.write_text('{"ann": "yesterday"}')
    with pytest.raises(AnnotationError) as caught:
        passed([path])
    assert "not a list of who passed when" in str(caught.value)
    assert "run `tuneloop annotate practice` again" in str(caught.value)
