import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.encoded import Encoded

# Two examples: [1 2 | 3 4] and [5 | 6], the second target counting half and not at all.
TWO = Encoded.of([([1, 2], [3, 4]), ([5], [6, 7])], ["a", "b"], [[1.0, 1.0], [0.5, 0.0]])


def test_examples_lie_one_after_the_other():
    assert TWO.ids.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert (TWO.ids.dtype, TWO.starts.dtype, TWO.weights.dtype) == (np.int32, np.int64, np.float32)
    assert TWO.starts.tolist() == [0, 4, 7]
    assert TWO.n_prompt.tolist() == [2, 1]
    assert TWO.weights.tolist() == [0, 0, 1, 1, 0, 0.5, 0]
    assert TWO.n_supervised.tolist() == [2, 1]
    assert TWO.total_weights.tolist() == [2.0, 0.5]
    assert Encoded.of([([1], [2])], ["a"]).weights.tolist() == [0, 1]
    assert len(Encoded.of([], [])) == len(Encoded.of([], [], [])) == 0


def test_factors_multiply_the_weights_of_whole_examples():
    assert TWO.times(np.asarray([2.0, 0.0])).weights.tolist() == [0, 0, 2, 2, 0, 0, 0]


def test_examples_without_loss_are_left_out():
    left = TWO.times(np.asarray([0.0, 1.0])).with_loss()
    assert (left.ids.tolist(), left.n_prompt.tolist(), list(left.names)) == ([5, 6, 7], [1], ["b"])
    assert left.weights.tolist() == [0, 0.5, 0]
    assert TWO.with_loss() is TWO


def test_completions_count_1_whatever_was_learnt():
    whole = TWO.of_completions(np.asarray([3, 1]))
    assert whole.ids.tolist() == TWO.ids.tolist()
    assert whole.n_prompt.tolist() == [3, 1]
    assert whole.weights.tolist() == [0, 0, 0, 1, 0, 1, 1]
    one = TWO.of_completions(np.asarray([-1, 2]))
    assert (one.ids.tolist(), one.weights.tolist(), list(one.names)) == ([5, 6, 7], [0, 0, 1], ["b"])


@given(st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=5), max_size=12), st.integers(1, 5))
def test_sums_are_the_same_in_blocks(weights, block):
    data = Encoded.of([([1], [2] * len(some)) for some in weights], [""] * len(weights), weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.encoded._BLOCK", block)
        assert data.n_supervised.tolist() == [sum(one > 0 for one in some) for some in weights]
        assert data.total_weights.tolist() == [sum(some) for some in weights]
