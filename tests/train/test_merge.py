import numpy as np

from train.golden import Golden
from train.merge import same_answer

# At each of three places, what three tokens are thought to be worth; the answer takes the best: 0, 1, 2.
LOGITS = np.array([[5.0, 1.0, 0.0], [0.0, 3.0, 2.9], [0.0, 1.0, 4.0]], np.float32)
GOLDEN = Golden("row", [9], [0, 1, 2], LOGITS)


def test_answers_are_the_same_up_to_the_first_tie():
    assert same_answer(GOLDEN, [0, 1, 2], tie=0.0)
    # Token 2 was 0.1 behind token 1: a tie for rounding that moves 0.06 each, and what follows proves nothing.
    assert same_answer(GOLDEN, [0, 2, 0], tie=0.12)
    assert not same_answer(GOLDEN, [0, 2, 0], tie=0.05)
    assert not same_answer(GOLDEN, [1, 1, 2], tie=0.12)


def test_an_answer_that_ends_early_is_another():
    assert not same_answer(GOLDEN, [0, 1], tie=9.0)
