from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.agreement import (
    ERROR_TYPES,
    RATING,
    TEXT,
    UNKNOWN,
    VERDICT,
    Line,
    Stratum,
    agreement,
    comparable,
    strata_of,
)
from schemas import Annotation, Seen

ANN, BEN, CY = "ann", "ben", "cy"


def answer(example: str, who: str, verdict: str, response: str | None = None, at: int = 1, **more: Any) -> Annotation:
    when = f"2026-01-01T00:00:{at:02d}Z"
    return Annotation.model_validate(
        {
            "key": f"ls:1:{example}{who}{at}",
            "example": example,
            "seen": more.pop("seen", Seen(prompt=[], response=example)),
            "annotator": who,
            "verdict": verdict,
            "response": response,
            "created_at": when,
            "updated_at": when,
            **more,
        }
    )


def both(example: str, one: str, other: str, **more: Any) -> list[Annotation]:
    return [answer(example, ANN, one, **more), answer(example, BEN, other, **more)]


def lines(answers: list[Annotation], strata: dict[str, Stratum] | None = None, **more: Any) -> dict[str, Line]:
    return {line.question: line for line in agreement(answers, strata or {}, resamples=50, **more)}


# 1 - (1/3) / 0.6, as in annotation/reliability.py
THREE = [*both("e1", "accept", "accept"), *both("e2", "reject", "reject"), *both("e3", "accept", "reject")]


def test_verdicts_are_compared_where_two_people_saw_the_same_text() -> None:
    found = lines([*THREE, answer("e4", ANN, "reject")])
    assert set(found) == {VERDICT}
    assert found[VERDICT].agreement.value == pytest.approx(1 - (1 / 3) / 0.6)
    assert found[VERDICT].measure == "alpha, nominal"
    assert found[VERDICT].stratum == Stratum(UNKNOWN)
    # The same example with another text is another item: nobody is compared over it.
    changed = answer("e3", CY, "accept", seen=Seen(prompt=[], response="changed"))
    assert lines([*THREE, changed])[VERDICT].agreement == found[VERDICT].agreement


def test_templates_and_languages_have_lines_of_their_own() -> None:
    strata = {"e1": Stratum("instruct", "de"), "e2": Stratum("instruct", "en"), "e3": Stratum("chat")}
    told = [(line.stratum, line.agreement.n_items) for line in agreement(THREE, strata, resamples=0)]
    assert told == [(strata["e3"], 1), (strata["e1"], 1), (strata["e2"], 1)]


def test_who_cannot_be_compared_is_left_out() -> None:
    others = [
        answer("e3", CY, "unsure"),
        answer("e3", "lead", "reject", adjudicated=True),
        answer("e1", ANN, "reject", at=1, key="earlier"),
    ]
    latest = [one.model_copy(update={"updated_at": "2026-01-02T00:00:00.000000Z"}) for one in THREE]
    assert lines([*latest, *others]) == lines(latest)
    assert comparable([answer("e", ANN, "unsure")]) == []


def test_written_responses_have_texts_and_no_verdict() -> None:
    found = lines([answer("e", ANN, "write", "four"), answer("e", BEN, "write", "four ")])
    assert set(found) == {TEXT}
    assert found[TEXT].agreement.value == 1


def test_edits_agree_by_the_recipes_threshold() -> None:
    edits = [
        answer("e1", ANN, "edit", "The Nile"), answer("e1", BEN, "edit", "the Nile"),
        answer("e2", ANN, "edit", "4"), answer("e2", BEN, "edit", "4"),
    ]  # fmt: skip
    assert lines(edits)[TEXT].agreement.value == 0.5  # one pair of two
    assert lines(edits, same_edit_chrf=0.7)[TEXT].agreement.value == 1
    assert lines(edits[:1])[TEXT].agreement.why == "no two people edited the same item"


def test_each_error_type_is_a_question_and_their_mean_is_one() -> None:
    answers = [
        answer("e1", ANN, "reject", error_types=["wrong", "rude"]), answer("e1", BEN, "reject", error_types=["wrong"]),
        answer("e2", ANN, "accept"), answer("e2", BEN, "accept"),
    ]  # fmt: skip
    found = lines(answers)
    # wrong: yes yes, no no: 1. rude: yes no, no no: observed 1/2, expected 2 * 1 * 3 / (4 * 3) = 1/2: 0.
    assert found["error: wrong"].agreement.value == 1
    assert found["error: rude"].agreement.value == pytest.approx(0)
    assert found[ERROR_TYPES].agreement.value == pytest.approx(0.5)


def test_ratings_are_ordinal() -> None:
    answers = [answer(f"e{n}", who, "accept", rating=n) for n in (1, 3, 5) for who in (ANN, BEN)]
    assert lines(answers)[RATING].measure == "alpha, ordinal"
    assert lines(answers)[RATING].agreement.value == 1


def test_kappas_come_for_those_who_ask() -> None:
    assert lines(THREE)[VERDICT].kappas == {}
    assert lines(THREE, kappa=True)[VERDICT].kappas[ANN, BEN].value == pytest.approx(0.4)


@given(st.permutations(THREE))
def test_the_order_of_answers_is_no_matter(order: list[Annotation]) -> None:
    assert lines(order, kappa=True) == lines(THREE, kappa=True)


def test_without_data_nothing_is_known_of_templates(tmp_path: Path) -> None:
    assert strata_of(tmp_path, "tiny", THREE) == {}
