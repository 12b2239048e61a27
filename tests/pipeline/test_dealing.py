import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dealing import Deal, Shares, assign, hashed_sides
from pipeline.ledger import Decision
from schemas import SPLITS, arrow_schema

EVEN = Shares(train=0.5, validation=0.25, test=0.25)
DEAL = Deal(EVEN, "s", 0.005)
NOTHING = arrow_schema(Decision).empty_table()


def name(n: int) -> str:
    """Return an id as ingest makes them: 32 hex digits, here of a number spread over the range."""
    return f"{(n * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128:032x}"


def rows(groups: dict[str, str]) -> pa.Table:
    return pa.table({"id": list(groups), "group": list(groups.values())})


def ledger(sides: dict[str, str]) -> pa.Table:
    return pa.table({"id": list(sides), "split": list(sides.values())}, schema=arrow_schema(Decision))


def words(sides) -> list[str]:
    return [SPLITS[n] for n in sides]


def held(*sides: int):
    return np.array(sides, np.int8)


def test_shares_are_met_over_many_ids():
    ids = pa.array([name(n) for n in range(20_000)])
    counts = np.bincount(hashed_sides(ids, EVEN, "s"), minlength=3) / 20_000
    # Standard error of a share of 0.25 over 20,000 is 0.003; five of them.
    assert counts == pytest.approx([0.5, 0.25, 0.25], abs=0.016)


def test_another_salt_deals_differently():
    ids = pa.array([name(n) for n in range(2_000)])
    moved = (hashed_sides(ids, EVEN, "s") != hashed_sides(ids, EVEN, "t")).mean()
    # Two independent deals agree with 0.5^2 + 0.25^2 + 0.25^2 = 0.375.
    assert moved == pytest.approx(0.625, abs=0.06)


def test_a_side_without_share_stays_empty():
    ids = pa.array([name(n) for n in range(2_000)])
    assert set(hashed_sides(ids, Shares(train=0.9, validation=0.1, test=0), "s").tolist()) == {0, 1}


def test_an_id_keeps_its_side_however_many_come_after():
    ids = [name(n) for n in range(500)]
    few = hashed_sides(pa.array(ids[:100]), EVEN, "s")
    assert (hashed_sides(pa.array(ids), EVEN, "s")[:100] == few).all()


def test_the_deal_of_the_first_release_stands():
    """Users' ledgers hold these; they would not move, but new rows of old groups would be dealt differently."""
    ids = pa.array([name(n) for n in range(1, 13)])
    assert hashed_sides(ids, EVEN, "tuneloop").tolist() == [0, 1, 0, 1, 2, 0, 0, 0, 2, 1, 2, 0]


def test_shares_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match=r"shares must sum to 1, these sum to 0\.9"):
        Shares(train=0.5, validation=0.2, test=0.2)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60))
def test_a_group_stands_on_one_side(members):
    groups = {name(n): name(1000 + group) for n, group in enumerate(members)}
    sides = assign(rows(groups), NOTHING, DEAL).sides
    by_group: dict[str, set[int]] = {}
    for group, side in zip(groups.values(), sides.tolist(), strict=True):
        by_group.setdefault(group, set()).add(side)
    assert all(len(found) == 1 for found in by_group.values())


@pytest.mark.parametrize("side", SPLITS)
def test_a_new_row_joins_the_side_of_its_group(side):
    old, new = name(1), name(2)
    assert words(assign(rows({old: old, new: old}), ledger({old: side}), DEAL).sides) == [side, side]


def test_a_row_in_the_ledger_never_moves_even_when_two_groups_grow_together():
    a, b, new = name(1), name(2), name(3)
    found = assign(rows({a: a, b: a, new: a}), ledger({a: "train", b: "test"}), DEAL)
    assert words(found.sides) == ["train", "test", "test"]


BIG = {name(n): name(5) if n < 12 else name(n) for n in range(100)}


def test_a_big_group_goes_to_train_and_is_listed():
    # 12 of 100 rows in one group: over a tenth, and over the ten rows that are never big.
    found = assign(rows(BIG), NOTHING, Deal(EVEN, "s", 0.1))
    assert found.big == [f"{name(5)}: 12 rows"]
    assert set(found.sides[:12].tolist()) == {0}


def test_a_new_group_with_a_member_held_out_goes_whole_however_big():
    found = assign(rows(BIG), NOTHING, Deal(EVEN, "s", 0.1), held(2, *[-1] * 99))
    assert set(words(found.sides[:12])) == {"test"}
    assert found.big == [f"{name(5)}: 12 rows"]


def test_of_two_hold_outs_in_a_group_the_greater_side_counts():
    a, b = name(1), name(2)
    assert words(assign(rows({a: a, b: a}), NOTHING, DEAL, held(1, 2)).sides) == ["test", "test"]


def test_a_hold_out_moves_no_row_that_has_a_side_nor_its_group():
    a, b = name(1), name(2)
    found = assign(rows({a: a, b: a}), ledger({a: "train"}), DEAL, held(2, 2))
    assert words(found.sides) == ["train", "train"]
