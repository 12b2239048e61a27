import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clusters import MOST_ROUNDS, components, joint_key, same_key, smallest, stand_ins


def edges(*pairs):
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def test_components_follow_edges_from_every_list():
    labels = components(6, [edges((0, 1)), edges((1, 4), (2, 3))])

    assert labels[0] == labels[1] == labels[4]
    assert labels[2] == labels[3]
    assert len({labels[0], labels[2], labels[5]}) == 3


def test_no_nodes_and_no_edges_are_fine():
    assert components(0, []).tolist() == []
    assert len(set(components(3, []).tolist())) == 3


def test_rows_of_one_key_hang_on_the_first_of_them_and_negative_keys_on_nothing():
    first, row = same_key(np.array([7, -1, 3, 7, -1, 3]))

    assert sorted(zip(first.tolist(), row.tolist(), strict=True)) == [(0, 0), (0, 3), (2, 2), (2, 5)]


def test_keys_may_belong_to_other_rows():
    first, row = same_key(np.array([5, 5]), np.array([10, 20]))

    assert (first.tolist(), row.tolist()) == ([10, 10], [10, 20])


def test_a_joint_key_tells_all_combinations_apart():
    one, other = np.array([0, 0, 1, 1, -1, 0]), np.array([-1, 2, -1, 2, 2, -1])
    keys = joint_key(one, other)

    assert keys[0] == keys[5]
    assert len(set(keys[:4].tolist())) == 4
    assert keys[4] == -1  # the first is missing


def test_the_smallest_value_of_a_component_is_given_to_all_its_rows():
    assert smallest(np.array([0, 1, 0, 1]), np.array([9, 4, 3, 8])).tolist() == [3, 4, 3, 4]


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
