import numpy as np
import pytest

from train.chain import Chain
from train.encoded import Encoded
from train.objective import Sft
from train.pack import Packed

ONE = Encoded.of([([1, 2], [3, 4]), ([5], [6])], ["a", "b"], [[0.5, 2.0], [1.0]])
OTHER = Encoded.of([([7], [8, 9, 10])], ["c"])
BOTH = Chain.linked([ONE, OTHER])


def test_a_chain_reads_as_its_parts_joined_in_memory():
    joined = Encoded.joined([ONE, OTHER])
    assert len(BOTH) == len(joined) == 3
    for name in ("starts", "n_prompt", "lengths", "n_supervised", "total_weights"):
        assert getattr(BOTH, name).tolist() == getattr(joined, name).tolist(), name
    for i in range(3):
        for name in ("example", "prompt", "target", "weights_of"):
            assert getattr(BOTH, name)(i).tolist() == getattr(joined, name)(i).tolist(), (name, i)
    assert list(BOTH.names) == ["a", "b", "c"]
    assert BOTH.names[1:] == ["b", "c"]
    with pytest.raises(IndexError):
        BOTH.example(3)


def test_nothing_is_copied():
    assert np.shares_memory(BOTH.example(0), ONE.ids)
    assert np.shares_memory(BOTH.example(2), OTHER.ids)
    assert Chain.linked([ONE]) is ONE


def test_a_chain_packs_and_weighs_as_its_parts_joined_in_memory():
    joined = Encoded.joined([ONE, OTHER])
    empty = Encoded.of([], [])
    one, other = (Sft(data, empty, Packed()) for data in (BOTH, joined))
    assert one.total([2, 0]) == other.total([2, 0]) == 5.5  # three of 1, and 0.5 + 2
    assert one.n_tokens([0, 1, 2]) == 10
    assert one.names([2, 0]) == ["c", "a"]
    for micro, expected in zip(one.micro_batches([2, 0, 1], 8), other.micro_batches([2, 0, 1], 8), strict=True):
        assert micro.input_ids_RT.tolist() == expected.input_ids_RT.tolist()
        assert micro.weights_RT.tolist() == expected.weights_RT.tolist()
