from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.consensus import consensus
from schemas import Annotation, Seen

SEEN = Seen(prompt=[], response="5")


def answer(who: str, verdict: str, response: str | None = None, at: int = 1, **more: Any) -> Annotation:
    when = f"2026-01-01T00:00:{at:02d}Z"
    return Annotation.model_validate(
        {
            "key": f"ls:1:{who}{at}",
            "example": "e",
            "seen": SEEN,
            "annotator": who,
            "verdict": verdict,
            "response": response,
            "created_at": when,
            "updated_at": when,
            **more,
        }
    )


ANN, BEN, LEAD = "ann", "ben", "lead"


@pytest.mark.parametrize(
    ("answers", "status", "agreeing"),
    [
        ([answer(ANN, "accept")], "accepted", 1),
        ([answer(ANN, "accept"), answer(BEN, "accept")], "accepted", 2),
        ([answer(ANN, "reject"), answer(BEN, "reject")], "rejected", 2),
        ([answer(ANN, "edit", "4"), answer(BEN, "edit", "4\n")], "edited", 2),  # white space is no difference
        ([answer(ANN, "edit", "4"), answer(BEN, "write", "4")], "edited", 2),
        ([answer(ANN, "accept"), answer(BEN, "reject")], "disputed", 0),
        ([answer(ANN, "accept"), answer(BEN, "edit", "4")], "disputed", 0),
        ([answer(ANN, "edit", "4"), answer(BEN, "edit", "four")], "disputed", 0),
        (
            [answer(ANN, "edit", "4", turn=0), answer(BEN, "edit", "4", turn=1)],
            "disputed",
            0,
        ),  # other messages
        ([answer(ANN, "edit", "  ")], "disputed", 0),  # wrong, but nobody says what is right
        ([answer(ANN, "unsure")], "unsure", 0),
        ([answer(ANN, "unsure"), answer(BEN, "accept")], "accepted", 1),  # unsure counts for nobody
    ],
)
def test_answers_come_to_a_status(answers: list[Annotation], status: str, agreeing: int) -> None:
    outcome = consensus(answers)
    assert (outcome.status, outcome.agreeing) == (status, agreeing)


def test_only_the_latest_answer_of_a_person_counts() -> None:
    outcome = consensus([answer(ANN, "reject", at=1), answer(ANN, "accept", at=2)])
    assert (outcome.status, outcome.votes, outcome.annotators) == ("accepted", ["accept"], [ANN])


def test_an_adjudicator_settles_a_dispute() -> None:
    answers = [
        answer(ANN, "accept"),
        answer(BEN, "reject"),
        answer(LEAD, "edit", "4", at=3, adjudicated=True),
    ]
    outcome = consensus(answers)
    assert (outcome.status, outcome.response, outcome.by_adjudicator) == ("edited", "4", True)
    assert outcome.votes == ["accept", "reject", "edit"]


def test_an_unsure_adjudicator_settles_nothing() -> None:
    answers = [answer(ANN, "accept"), answer(BEN, "reject"), answer(LEAD, "unsure", adjudicated=True)]
    assert consensus(answers).status == "disputed"


def test_of_two_adjudicators_the_later_wins() -> None:
    answers = [answer(ANN, "accept", at=2, adjudicated=True), answer(BEN, "reject", at=1, adjudicated=True)]
    assert consensus(answers).status == "accepted"


def test_of_texts_that_differ_in_white_space_the_latest_is_taken_as_it_is() -> None:
    assert consensus([answer(ANN, "edit", "a  b", at=2), answer(BEN, "edit", "a b", at=1)]).response == "a  b"


def test_one_adjudicator_or_two_agreeing_people_confirm() -> None:
    assert not consensus([answer(ANN, "accept")]).is_confirmed
    assert consensus([answer(ANN, "accept"), answer(BEN, "accept")]).is_confirmed
    assert consensus([answer(ANN, "accept", adjudicated=True)]).is_confirmed
    assert not consensus([answer(ANN, "accept", at=1), answer(ANN, "accept", at=2)]).is_confirmed  # one person


any_answer = st.builds(
    answer,
    who=st.sampled_from([ANN, BEN, LEAD]),
    verdict=st.sampled_from(["accept", "edit", "reject", "unsure", "write"]),
    response=st.sampled_from([None, "4", "4 ", "four"]),
    at=st.integers(1, 3),
    adjudicated=st.booleans(),
    turn=st.sampled_from([None, 0]),
)


@given(st.lists(any_answer, min_size=1, max_size=6).flatmap(lambda a: st.tuples(st.just(a), st.permutations(a))))
def test_the_order_of_answers_is_no_matter(orders: tuple[list[Annotation], list[Annotation]]) -> None:
    assert consensus(orders[0]) == consensus(orders[1])


@given(st.lists(any_answer, min_size=1, max_size=6))
def test_every_person_votes_once_and_edited_has_a_text(answers: list[Annotation]) -> None:
    outcome = consensus(answers)
    assert sorted(outcome.annotators) == sorted({one.annotator for one in answers})
    assert len(outcome.votes) == len(outcome.annotators)
    assert (outcome.status == "edited") == bool(outcome.response)
