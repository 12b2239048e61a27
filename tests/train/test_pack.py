import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.encoded import Encoded
from train.pack import IGNORE_INDEX, ROW_TOKENS, Packed, pack

LENGTHS = st.lists(st.integers(2, 300), min_size=1, max_size=30)
SIZES = st.lists(st.tuples(st.integers(1, 120), st.integers(1, 120)), min_size=1, max_size=20)
BUDGETS = st.integers(8, 1000)


def numbered(sizes):
    """Return examples in which every token is another number, from 1 on."""
    starts = np.cumsum([0, *(prompt + target for prompt, target in sizes)])
    pairs = [
        (range(at + 1, at + prompt + 1), range(at + prompt + 1, at + prompt + target + 1))
        for at, (prompt, target) in zip(starts, sizes, strict=False)
    ]
    return Encoded.of(pairs, [str(n) for n in range(len(sizes))])


def rows_of(micros):
    """Yield each row of each micro-batch as (ids, positions, labels, owners)."""
    for micro in micros:
        yield from zip(
            micro.input_ids_RT.tolist(), micro.position_ids_RT.tolist(), micro.labels_RT.tolist(),
            micro.owner_RT.tolist(), strict=True,
        )  # fmt: skip


@given(LENGTHS, st.integers(2, 300))
def test_every_example_is_in_one_row_and_rows_are_no_wider_than_allowed(lengths, width):
    rows = pack(lengths, width)
    assert sorted(i for row in rows for i in row) == list(range(len(lengths)))
    assert all(sum(lengths[i] for i in row) <= width or len(row) == 1 for row in rows)


def test_an_example_goes_where_it_leaves_the_least_room():
    # 7 leaves 1; 5 and 3 fill a row; 2 finds room nowhere.
    assert pack([5, 3, 7, 2], 8) == [[2], [0, 1], [3]]
    # Longest first: 4 leaves 6, 7 leaves 3; 3 goes to the 7.
    assert pack([3, 4, 7], 10) == [[2, 0], [1]]


@given(SIZES, BUDGETS)
def test_every_token_is_there_once_and_knows_its_example_and_its_place_in_it(sizes, budget):
    encoded = numbered(sizes)
    seen = []
    for ids, places, _, owners in rows_of(Packed().micro_batches(encoded, range(len(sizes)), budget)):
        for token, place, owner in zip(ids, places, owners, strict=True):
            if owner == -1:
                assert token == place == 0
                continue
            assert encoded.example(owner)[place] == token
            seen.append(token)
    assert sorted(seen) == encoded.ids.tolist()


@given(SIZES, BUDGETS)
def test_labels_are_the_targets_each_one_place_before_its_token(sizes, budget):
    encoded = numbered(sizes)
    learnt = []
    for ids, _, labels, owners in rows_of(Packed().micro_batches(encoded, range(len(sizes)), budget)):
        for at, label in enumerate(labels):
            if label != IGNORE_INDEX:
                assert ids[at + 1] == label
                assert owners[at + 1] == owners[at]  # no example predicts the next one's first token
                learnt.append(label)
    assert sorted(learnt) == sorted(token for i in range(len(sizes)) for token in encoded.target(i).tolist())


@given(SIZES, BUDGETS)
def test_a_pass_keeps_the_budget_unless_one_example_is_longer(sizes, budget):
    encoded = numbered(sizes)
    longest = max(encoded.lengths.tolist())
    for micro in Packed().micro_batches(encoded, range(len(sizes)), budget):
        height, width = micro.input_ids_RT.shape
        assert height * width <= max(budget, longest)
        assert width <= max(ROW_TOKENS, longest)


@given(SIZES, BUDGETS, st.randoms(use_true_random=False))
def test_a_batch_may_be_any_choice_of_examples(sizes, budget, random):
    encoded = numbered(sizes)
    batch = random.choices(range(len(sizes)), k=4)  # the same twice, as where an epoch ends within a batch
    found = [[] for _ in batch]
    for ids, _, _, owners in rows_of(Packed().micro_batches(encoded, batch, budget)):
        for token, owner in zip(ids, owners, strict=True):
            if owner != -1:
                found[owner].append(token)
    assert found == [encoded.example(i).tolist() for i in batch]


@pytest.mark.parametrize(("budget", "shapes"), [(600, [(2, 250), (1, 100)]), (250, [(1, 250), (1, 250), (1, 100)])])
def test_rows_go_together_as_the_budget_allows(budget, shapes):
    # 250 + nothing, 150 + 100, 100: three rows, none wider than the longest
    encoded = numbered([(200, 50), (100, 50), (50, 50), (99, 1)])
    assert [tuple(micro.input_ids_RT.shape) for micro in Packed().micro_batches(encoded, range(4), budget)] == shapes
