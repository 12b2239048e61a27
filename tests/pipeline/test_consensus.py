from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.consensus import Rules, consensus
from pipeline.same_edit import chrf
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


def test_edits_alike_enough_agree_and_the_later_stands() -> None:
    answers = [answer(ANN, "edit", "It is the river Nile."), answer(BEN, "edit", "It is the River Nile.", at=2)]
    assert consensus(answers).why == "the edited texts differ"
    near = consensus(answers, Rules(same_edit_chrf=0.6))
    assert (near.status, near.agreeing, near.response, near.is_near) == ("edited", 2, "It is the River Nile.", True)
    assert consensus(answers[::-1], Rules(same_edit_chrf=0.6)) == near


def test_each_two_edits_must_be_alike_not_only_neighbours() -> None:
    # b is a with its end changed, c is b with its beginning changed: a and c are further apart than either from b.
    a, b, c = ("abcdefghij" * 4, "abcdefghij" * 3 + "abcdefgXYZ", "abcdefgXYZ" + "abcdefghij" * 2 + "abcdefgXYZ")
    rules = Rules(same_edit_chrf=min(chrf(a, b), chrf(b, c)))
    assert consensus([answer(ANN, "edit", a), answer(BEN, "edit", b)], rules).status == "edited"
    three = [answer(ANN, "edit", a), answer(BEN, "edit", b), answer("cy", "edit", c)]
    assert consensus(three, rules).status == "disputed"


def test_a_posterior_settles_verdicts_that_differ() -> None:
    answers = [answer(ANN, "accept"), answer(BEN, "reject")]
    sure = consensus(answers, posterior={"accept": 0.97, "edit": 0.01, "reject": 0.02})
    assert (sure.status, sure.agreeing, sure.is_confirmed, sure.posterior) == ("accepted", 1, False, 0.97)
    unsure = consensus(answers, posterior={"accept": 0.6, "reject": 0.4})
    assert (unsure.status, unsure.why) == ("disputed", "the model is not sure, accept 0.60")


def test_a_model_can_doubt_what_all_say_and_cannot_say_what_nobody_said() -> None:
    both = [answer(ANN, "accept"), answer(BEN, "accept")]
    assert consensus(both, posterior={"accept": 0.7, "reject": 0.3}).status == "disputed"
    assert consensus(both, posterior={"accept": 0.05, "reject": 0.95}).why == (
        "the model holds reject likely, nobody said so"
    )
    assert consensus(both, posterior={"accept": 0.95, "reject": 0.05}).agreeing == 2


def test_a_new_text_takes_two_people_whatever_a_model_says() -> None:
    posterior = {"edit": 0.99, "accept": 0.01}
    one = [answer(ANN, "edit", "4"), answer(BEN, "accept")]
    assert consensus(one, posterior=posterior).why == "one person's edit, which nobody else made"
    two = [*one, answer("cy", "edit", "4")]
    assert consensus(two, posterior=posterior).status == "edited"
    other = [*one, answer("cy", "edit", "five")]
    assert consensus(other, posterior=posterior).why == "the edited texts differ"


def test_a_model_speaks_neither_of_one_person_nor_over_an_adjudicator() -> None:
    posterior = {"reject": 1.0}
    assert consensus([answer(ANN, "accept")], posterior=posterior).status == "accepted"
    assert consensus([answer(ANN, "accept"), answer(BEN, "unsure")], posterior=posterior).status == "accepted"
    settled = [answer(ANN, "reject"), answer(BEN, "reject"), answer(LEAD, "accept", adjudicated=True)]
    assert consensus(settled, posterior=posterior).status == "accepted"
    written = [answer(ANN, "write", "4"), answer(BEN, "write", "4")]
    assert consensus(written, posterior=posterior).status == "edited"


@given(
    st.permutations([answer(ANN, "edit", "a b c d"), answer(BEN, "edit", "a b c e"), answer("cy", "edit", "a b c d")])
)
def test_the_order_of_answers_matters_to_no_rule(order: list[Annotation]) -> None:
    rules, posterior = Rules(same_edit_chrf=0.1), {"edit": 1.0}
    assert consensus(order, rules, posterior) == consensus(sorted(order, key=lambda one: one.key), rules, posterior)
