import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from train.doubt import Doubted
from train.folds import fold_of, most_doubted


@given(st.lists(st.text(max_size=5), max_size=20), st.integers(2, 5))
def test_a_fold_is_a_matter_of_the_group_alone(groups, k):
    fold = fold_of(groups, k)
    assert len(fold) == len(groups)
    assert ((fold >= 0) & (fold < k)).all()
    assert [fold_of([group], k)[0] for group in groups] == fold.tolist()


def test_folds_are_of_about_equal_size():
    sizes = np.bincount(fold_of([f"group {n}" for n in range(3000)], 3))
    assert (abs(sizes - 1000) < 100).all()  # four standard deviations of a fair lot


def test_answers_are_asked_of_the_tenth_that_the_queue_will_put_first():
    # Of the places 1 to 20 two are asked. 5 and 9 are doubted most, 7 and 2 cost most; 0 is no row of this fold.
    doubt, nll = np.zeros(21), np.ones(21)
    doubt[[0, 9, 5]], nll[[0, 7, 2]] = [9, 6, 4], [9, 8, 3]
    judged, held = Doubted(nll, doubt), np.arange(1, 21)
    assert most_doubted(judged, held, "causal").tolist() == [5, 9]
    assert most_doubted(judged, held, "classify").tolist() == [2, 7]
    assert most_doubted(judged, np.array([3]), "causal").tolist() == [3]
    many = Doubted(np.zeros(9_000), np.arange(9_000.0))
    assert most_doubted(many, np.arange(9_000), "seq2seq").tolist() == list(range(8_500, 9_000))
