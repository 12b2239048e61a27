import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.aggregation_models import Model, Vote, posteriors

MODELS: list[Model] = ["dawid-skene", "mace"]


def team(n: int, seed: int = 0) -> list[Vote]:
    """Ann and ben are right of every item, the even ones being right answers; cy and dan toss coins."""
    toss = random.Random(seed)
    truth = ["accept" if item % 2 == 0 else "reject" for item in range(n)]
    votes = [Vote(item, who, truth[item]) for item in range(n) for who in ("ann", "ben")]
    return votes + [Vote(item, who, toss.choice(["accept", "reject"])) for item in range(n) for who in ("cy", "dan")]


@pytest.mark.parametrize("model", MODELS)
def test_people_who_answer_at_random_are_outweighed(model: Model) -> None:
    votes = team(60)
    # Item 1000: a tie, and the two who are trusted say reject.
    tie = [
        Vote(1000, "ann", "reject"),
        Vote(1000, "ben", "reject"),
        Vote(1000, "cy", "accept"),
        Vote(1000, "dan", "accept"),
    ]
    found = posteriors(votes + tie, model)
    assert found[1000]["reject"] > 0.9
    assert all(found[item]["accept" if item % 2 == 0 else "reject"] > 0.9 for item in range(60))
    assert all(sum(one.values()) == pytest.approx(1) for one in found.values())


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("names", [("ann", "ben", "cy", "dan"), ("d", "c", "b", "a")])
def test_neither_order_nor_names_matter(model: Model, names: tuple[str, ...]) -> None:
    # crowd-kit's MACE gives other answers for other orders; the numbers given to names and labels prevent it.
    called = dict(zip(("ann", "ben", "cy", "dan"), names, strict=True))
    votes = [vote._replace(person=called[vote.person]) for vote in team(30)]
    expected = posteriors(team(30), model)
    found = posteriors(random.Random(1).sample(votes, len(votes)), model)
    for item, one in found.items():
        assert one == pytest.approx(expected[item], abs=0.02)


@settings(max_examples=4)
@given(st.sampled_from(MODELS), st.integers(0, 2**16))
def test_the_same_votes_in_any_order_give_the_very_same_numbers(model: Model, seed: int) -> None:
    votes = team(8, seed)
    assert posteriors(random.Random(seed).sample(votes, len(votes)), model) == posteriors(votes, model)


def test_without_votes_there_is_nothing_to_say() -> None:
    assert posteriors([], "mace") == {}
