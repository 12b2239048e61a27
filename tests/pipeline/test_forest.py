import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.forest import Forest


def test_the_smallest_row_of_a_tree_names_it():
    trees = Forest(6)
    trees.join(np.array([0, 5]), np.array([2, 2]))

    assert trees.labels().tolist() == [0, 1, 0, 3, 4, 0]


def test_rows_of_one_key_hang_together_and_negative_keys_join_nothing():
    trees = Forest(6)
    trees.join_same(np.array([7, -1, 3, 7, -1, 3]))

    assert trees.labels().tolist() == [0, 1, 2, 0, 4, 2]


def test_keys_may_belong_to_other_rows():
    trees = Forest(21)
    trees.join_same(np.array([5, 5, -1]), np.array([10, 20, 0], np.int32))

    assert trees.labels()[20] == 10
    assert trees.labels()[0] == 0


def test_no_rows_are_fine():
    trees = Forest(0)
    trees.join_same(np.zeros(0, np.int32))

    assert trees.labels().tolist() == []


@given(st.integers(1, 30).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_trees_are_the_connected_components_of_their_edges(case):
    n, edges = case
    left, right = np.array(edges, np.int64).reshape(-1, 2).T
    trees = Forest(n)
    trees.join(left, right)
    known = connected_components(coo_array((np.ones(len(left)), (left, right)), shape=(n, n)), directed=False)[1]

    labels = trees.labels()
    assert all((labels[a] == labels[b]) == (known[a] == known[b]) for a in range(n) for b in range(n))
    assert all(labels[a] <= a for a in range(n))
