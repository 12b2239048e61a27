import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.disagreement import disagreement, disagreements, share_against
from schemas import Annotation, Seen


def answer(example: str, who: str, verdict: str, response: str | None = None, at: str = "2026-01-01") -> Annotation:
    return Annotation.model_validate(
        {
            "key": f"{example}{who}{at}", "example": example, "seen": Seen(prompt=[], response="5"), "annotator": who,
            "verdict": verdict, "response": response, "created_at": at, "updated_at": at,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("votes", "share"),
    [("", 0), ("a", 0), ("aa", 0), ("ar", 1), ("aar", 2 / 3), ("aaar", 1 / 2), ("abc", 1)],
)
def test_disagreement_is_the_share_of_pairs_that_differ(votes, share):
    assert disagreement(votes) == pytest.approx(share)


@given(st.lists(st.sampled_from("abc"), max_size=12), st.randoms())
def test_the_order_of_votes_is_no_matter(votes, random):
    shuffled = random.sample(votes, len(votes))
    assert disagreement(votes) == disagreement(shuffled)
    assert 0 <= disagreement(votes) <= 1
    assert 0 < share_against("a", votes) < 1


def test_many_votes_against_an_answer_say_more_than_one():
    assert share_against("B", "BBCCC") == 4 / 7
    assert share_against("B", "") == 0.5
    assert share_against("B", "C") == 2 / 3 < share_against("B", "C" * 13) == 14 / 15


def test_the_latest_word_of_each_person_counts_and_unsure_counts_for_nobody():
    answers = [
        answer("x", "ann", "reject"), answer("x", "ann", "accept", at="2026-01-02"), answer("x", "bob", "accept"),
        answer("y", "ann", "edit", "4"), answer("y", "bob", "edit", "4 "), answer("y", "cy", "edit", "four"),
        answer("z", "ann", "accept"), answer("z", "bob", "unsure"), answer("w", "ann", "accept"),
    ]  # fmt: skip
    assert disagreements(answers, frozenset("xyz")) == {"x": 0, "y": pytest.approx(2 / 3), "z": 0}
