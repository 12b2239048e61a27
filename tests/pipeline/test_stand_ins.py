import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stand_ins import MOST_ROUNDS, stand_ins


def apart(distance, at):
    """Rows stand on a line; two are alike when they are close."""
    return lambda one, other: np.abs(at[one] - at[other]) <= distance


def test_a_chain_does_not_merge_strangers():
    # 0 - 1 - 2 - 3 hang together, each one step from the next; the best row, 0, stands for 1 alone.
    at = np.array([0, 1, 2, 3])

    assert stand_ins(np.zeros(4, np.int64), at, apart(1, at)).tolist() == [-1, 0, -1, 2]


def test_the_best_row_stands_for_the_others_wherever_it_lies():
    at = np.array([0, 1, 2, 3])

    assert stand_ins(np.zeros(4, np.int64), np.array([3, 0, 2, 1]), apart(1, at)).tolist() == [1, -1, 1, -1]


def test_rows_of_different_components_are_never_compared():
    at = np.zeros(4, np.int64)

    assert stand_ins(np.array([0, 1, 0, 1]), np.arange(4), apart(1, at)).tolist() == [-1, -1, 0, 1]


def test_a_component_of_strangers_ends_after_so_many_rounds():
    calls = []

    def never(one, other):
        calls.append(len(one))
        return np.zeros(len(one), bool)

    n = 3 * MOST_ROUNDS
    assert (stand_ins(np.zeros(n, np.int64), np.arange(n), never) == -1).all()
    assert calls == list(range(n - 1, n - 1 - MOST_ROUNDS, -1))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=30), st.randoms(use_true_random=False))
def test_every_row_is_placed_with_a_row_that_stands_for_itself_in_any_order(rows, draw):
    labels = np.array([label for label, _ in rows], np.int64)
    at = np.array([place for _, place in rows], np.int64)
    rank = np.arange(len(rows))
    place = stand_ins(labels, rank, apart(2, at))
    order = np.array(draw.sample(range(len(rows)), len(rows)), np.int64)
    again = stand_ins(labels[order], rank[order], apart(2, at[order]))

    for row, partner in enumerate(place.tolist()):
        if partner >= 0:
            assert place[partner] == -1
            assert labels[partner] == labels[row]
            assert abs(at[partner] - at[row]) <= 2
    assert {int(order[row]): int(order[partner]) for row, partner in enumerate(again.tolist()) if partner >= 0} == {
        row: partner for row, partner in enumerate(place.tolist()) if partner >= 0
    }
