import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.leaks import find_leaks, prompt_texts
from pipeline.ledger import Decision
from pipeline.split import Shares, Split, assign, hashed_sides
from schemas import SPLITS, arrow_schema

EVEN = Split(shares=Shares(train=0.5, validation=0.25, test=0.25), salt="s")
NOTHING = arrow_schema(Decision).empty_table()


def name(n: int) -> str:
    """Return an id as ingest makes them: 32 hex digits, here of a number spread over the range."""
    return f"{(n * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128:032x}"


def rows(groups: dict[str, str]) -> pa.Table:
    return pa.table({"id": list(groups), "group": list(groups.values())})


def ledger(sides: dict[str, str]) -> pa.Table:
    return pa.table({"id": list(sides), "split": list(sides.values())}, schema=arrow_schema(Decision))


def test_shares_are_met_over_many_ids():
    ids = pa.array([name(n) for n in range(20_000)])
    counts = np.bincount(hashed_sides(ids, EVEN), minlength=3) / 20_000
    # Standard error of a share of 0.25 over 20,000 is 0.003; five of them.
    assert counts == pytest.approx([0.5, 0.25, 0.25], abs=0.016)


def test_another_salt_deals_differently():
    ids = pa.array([name(n) for n in range(2_000)])
    other = EVEN.model_copy(update={"salt": "t"})
    moved = (hashed_sides(ids, EVEN) != hashed_sides(ids, other)).mean()
    # Two independent deals agree with 0.5^2 + 0.25^2 + 0.25^2 = 0.375.
    assert moved == pytest.approx(0.625, abs=0.06)


def test_a_side_without_share_stays_empty():
    ids = pa.array([name(n) for n in range(2_000)])
    settings = Split(shares=Shares(train=0.9, validation=0.1, test=0))
    assert set(hashed_sides(ids, settings).tolist()) == {0, 1}


def test_an_id_keeps_its_side_however_many_come_after():
    ids = [name(n) for n in range(500)]
    few = hashed_sides(pa.array(ids[:100]), EVEN)
    assert (hashed_sides(pa.array(ids), EVEN)[:100] == few).all()


def test_shares_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match=r"shares must sum to 1, these sum to 0\.9"):
        Shares(train=0.5, validation=0.2, test=0.2)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60))
def test_a_group_stands_on_one_side(members):
    groups = {name(n): name(1000 + group) for n, group in enumerate(members)}
    sides, _ = assign(rows(groups), NOTHING, EVEN)
    by_group: dict[str, set[int]] = {}
    for group, side in zip(groups.values(), sides.tolist(), strict=True):
        by_group.setdefault(group, set()).add(side)
    assert all(len(found) == 1 for found in by_group.values())


def test_a_new_row_joins_the_side_of_its_group():
    old, new = name(1), name(2)
    for side in SPLITS:
        sides, _ = assign(rows({old: old, new: old}), ledger({old: side}), EVEN)
        assert [SPLITS[n] for n in sides] == [side, side]


def test_a_row_in_the_ledger_never_moves_even_when_two_groups_grow_together():
    a, b, new = name(1), name(2), name(3)
    sides, _ = assign(rows({a: a, b: a, new: a}), ledger({a: "train", b: "test"}), EVEN)
    assert [SPLITS[n] for n in sides] == ["train", "test", "test"]


def test_a_big_group_goes_to_train_and_is_listed():
    # 12 of 100 rows in one group: over a tenth, and over the ten rows that are never big.
    groups = {name(n): name(5) if n < 12 else name(n) for n in range(100)}
    sides, big = assign(rows(groups), NOTHING, EVEN.model_copy(update={"big_group": 0.1}))
    assert big == [f"{name(5)}: 12 rows"]
    assert set(sides[:12].tolist()) == {0}


def chunked(*texts: str) -> pa.ChunkedArray:
    return pa.chunked_array([list(texts)])


def leaks_of(texts, groups, sides):
    return find_leaks([texts], groups, np.array(sides, np.int8), 0.85)


def test_of_two_look_alikes_the_one_on_the_lesser_side_goes():
    texts = chunked("explain how self-driving cars work", "Explain how self-driving cars work.", "name a river")
    leaks = leaks_of(texts, chunked("a", "b", "c"), [0, 2, 0])
    assert leaks.partner.tolist() == [1, -1, -1]
    assert leaks.score[0] > 0.85


def test_look_alikes_on_one_side_stay():
    texts = chunked("explain how self-driving cars work", "Explain how self-driving cars work.")
    leaks = leaks_of(texts, chunked("a", "b"), [1, 1])
    assert leaks.partner.tolist() == [-1, -1]


def test_another_number_is_another_question():
    texts = chunked("calculate the sum of 2 and 2 and 3", "calculate the sum of 2 and 2 and 8")
    leaks = leaks_of(texts, chunked("a", "b"), [0, 2])
    assert leaks.partner.tolist() == [-1, -1]


def test_a_group_on_two_sides_loses_its_lesser_members():
    texts = chunked("a river", "a mountain", "a lake")
    leaks = leaks_of(texts, chunked("g", "g", "g"), [0, 2, 1])
    assert leaks.partner.tolist() == [1, -1, 1]
    assert leaks.why == {0: "same group", 2: "same group"}


def test_a_leak_is_found_among_a_thousand_rows_of_its_own_side():
    same = ["please open the door now"] * 1000
    texts = chunked(*same, "Please open the door now")
    leaks = leaks_of(texts, chunked(*map(str, range(1001))), [0] * 1000 + [2])
    assert (leaks.partner[:1000] == 1000).all()


def test_the_prompt_side_is_the_prompt_fields_or_the_user_turns():
    turn = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "bye"},
    ]
    table = pa.table(
        {
            "template": ["qa", "chat", "qa"],
            "fields": [
                [{"name": "answer", "value": "42"}, {"name": "question", "value": "why?"}],
                [],
                [{"name": "question", "value": "who?"}],
            ],
            "turns": pa.array([[], turn, []], pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        }
    )
    (texts,) = prompt_texts(table, {"qa": ["question"], "chat": []})
    assert texts.to_pylist() == ["why?", "hi\nbye", "who?"]


def test_a_long_passage_shared_with_another_question_is_no_leak():
    passage = "The harbour of Lund opened a second pier on Monday after two years of work. " * 4
    fields = [chunked(passage, passage), chunked("When did it open?", "Where is it?")]
    leaks = find_leaks(fields, chunked("a", "b"), np.array([0, 2], np.int8), 0.85)
    assert leaks.partner.tolist() == [-1, -1]
    same = [fields[0], chunked("When did it open?", "when did it open")]
    assert find_leaks(same, chunked("a", "b"), np.array([0, 2], np.int8), 0.85).partner.tolist() == [1, -1]
