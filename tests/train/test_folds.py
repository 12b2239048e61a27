import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from train.folds import fold_of


@given(st.lists(st.text(max_size=5), max_size=20), st.integers(2, 5))
def test_a_fold_is_a_matter_of_the_group_alone(groups, k):
    fold = fold_of(groups, k)
    assert len(fold) == len(groups)
    assert ((fold >= 0) & (fold < k)).all()
    assert [fold_of([group], k)[0] for group in groups] == fold.tolist()


def test_folds_are_of_about_equal_size():
    sizes = np.bincount(fold_of([f"group {n}" for n in range(3000)], 3))
    assert (abs(sizes - 1000) < 100).all()  # four standard deviations of a fair lot
