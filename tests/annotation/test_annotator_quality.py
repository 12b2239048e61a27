import json
import random
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.annotator_quality import Quality, quality_of

TEAM = ("ann", "ben", "cy")


def items(n: int, coin: str = "", seed: int = 0, right: float = 0.9) -> list[dict[str, str]]:
    """n items, half to be accepted; the team is right that often, `coin` tosses one."""
    chance = random.Random(seed)
    found = []
    for number in range(n):
        truth, lie = ("accept", "reject") if number % 2 else ("reject", "accept")
        item = {who: truth if chance.random() < right else lie for who in TEAM}
        found.append({**item, coin: chance.choice(["accept", "reject"])} if coin else item)
    return found


def flags(found: list[Quality]) -> dict[str, str]:
    return {one.annotator: one.flag for one in found if one.flag}


def test_agreement_is_with_the_majority_of_the_others() -> None:
    said = [{"ann": "accept", "ben": "accept", "cy": "reject"}, {"ann": "reject", "ben": "accept"}]
    ann = quality_of(said)[0]
    # Of the first item the others say accept and reject, a tie; of the second ben alone says accept.
    assert (ann.annotator, ann.answers, ann.items, ann.agrees, ann.accept_rate) == ("ann", 2, 1, 0.0, 0.5)
    assert ann.why_not == "fewer than 30 items on which others have a majority"


def test_skill_is_agreement_beyond_chance() -> None:
    # Ann agrees on 3 of 4; she says accept 3 of 4 times, the others 2: chance 3/4 * 1/2 + 1/4 * 1/2 = 1/2.
    theirs = ["accept", "accept", "reject", "reject"]
    hers = ["accept", "accept", "reject", "accept"]
    ann = quality_of([{"ann": one, "ben": other, "cy": other} for one, other in zip(hers, theirs, strict=True)])[0]
    assert (ann.agrees, ann.by_chance, ann.skill) == (0.75, 0.5, 0.5)


def test_a_person_who_tosses_a_coin_is_flagged_and_nobody_else() -> None:
    assert flags(quality_of(items(60, "dan"))) == {"dan": "near random"}


def test_nobody_is_flagged_on_fewer_than_30_items() -> None:
    contrary = [{**item, "dan": "accept" if item["ann"] == "reject" else "reject"} for item in items(31, right=1)]
    assert flags(quality_of(contrary[:29])) == {}
    assert flags(quality_of(contrary[:30])) == {"dan": "near random"}


def test_of_two_people_nobody_can_say_who_is_wrong() -> None:
    two = [{"ann": item["ann"], "dan": item["dan"]} for item in items(60, "dan")]
    found = quality_of(two)
    assert flags(found) == {}
    assert {one.why_not for one in found} == {"only one other person to compare with"}


def test_a_careful_person_is_not_blamed_for_a_careless_partner() -> None:
    # Ann shares 60 items with dan alone, who tosses a coin, and 20 with the team.
    chance = random.Random(3)
    with_team = items(200, "dan")
    alone = [{"ann": item["ann"], "dan": chance.choice(["accept", "reject"])} for item in items(60, seed=9)]
    shared = [item if n < 20 else {who: item[who] for who in ("ben", "cy", "dan")} for n, item in enumerate(with_team)]
    assert flags(quality_of(shared + alone)) == {"dan": "near random"}


def test_who_accepts_everything_is_flagged_where_others_turn_things_down() -> None:
    accepts_all = [{**item, "dan": "accept"} for item in items(60)]
    assert flags(quality_of(accepts_all)) == {"dan": "accepts all"}


def test_where_nearly_everything_is_right_accepting_is_no_fault() -> None:
    # The others turn down 1 of 40 (a rate of 0.975): 0.975 ** 40 = 0.36 is no wonder.
    fine = [{who: "reject" if n == 0 and who != "dan" else "accept" for who in (*TEAM, "dan")} for n in range(40)]
    assert flags(quality_of(fine)) == {}


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.randoms())
def test_the_order_of_items_and_people_is_no_matter(seed: int, mixed: random.Random) -> None:
    said = items(40, "dan", seed, right=0.7)
    other = [dict(mixed.sample(list(item.items()), len(item))) for item in mixed.sample(said, len(said))]
    assert quality_of(other) == quality_of(said)


@pytest.mark.shared
def test_workers_near_chance_are_found_among_real_ones_and_no_good_one_is_blamed(shared_data: Path) -> None:
    said: dict[str, dict[str, str]] = defaultdict(dict)
    right: dict[str, list[bool]] = defaultdict(list)
    for line in (shared_data / "crowdtruth" / "rte.jsonl").read_text("utf-8").splitlines():
        vote = json.loads(line)
        said[vote["orig_id"]][vote["worker"]] = vote["response"]
        right[vote["worker"]].append(vote["response"] == vote["gold"])
    found = flags(quality_of(list(said.values())))
    accuracy = {who: sum(right[who]) / len(right[who]) for who in right if len(right[who]) >= 30}
    assert {who for who in accuracy if accuracy[who] < 0.6} <= set(found)
    assert max(accuracy[who] for who in found) < 0.7
