import pandas as pd

from schemas.versions import LeftOut, StatusChange
from train.version_rows import beside, same_test_rows, side_changes, status_changes


def rows(**given):
    """Return rows of a version: name = side, prompt, answer, status."""
    columns = ["split", "prompt", "answer", "status"]
    found = pd.DataFrame.from_dict(given, orient="index", columns=columns)
    return found.assign(template="t", group=found.index)


A = rows(
    same=("test", "p", "x", "unreviewed"), gone=("test", "p", "x", "unreviewed"), moved=("test", "p", "x", "unreviewed"),
    asked=("test", "p", "x", "unreviewed"), mended=("test", "p", "x", "unreviewed"), old=("train", "p", "x", "unreviewed"),
    taught=("train", "p", "x", "unreviewed"), lost=("train", "p", "x", "unreviewed"),
)  # fmt: skip
B = rows(
    same=("test", "p", "x", "accepted"), moved=("train", "p", "x", "unreviewed"), asked=("test", "q", "x", "unreviewed"),
    mended=("test", "p", "y", "edited"), old=("test", "p", "x", "unreviewed"), taught=("train", "p", "y", "edited"),
    new=("test", "p", "x", "unreviewed"),
)  # fmt: skip


def test_a_test_row_is_the_same_if_prompt_and_reference_are_and_each_other_has_one_reason():
    same, left = same_test_rows(beside(A, B))
    assert list(same) == ["same"]
    assert left == [
        LeftOut(reason="only in A: no longer in the data", n=1),
        LeftOut(reason="only in A: on another side in B", n=1),
        LeftOut(reason="only in B: new in the data", n=1),
        LeftOut(reason="only in B: on another side in A", n=1),
        LeftOut(reason="the prompt differs", n=1),
        LeftOut(reason="the reference differs", n=1),
    ]


def test_each_side_tells_what_came_went_and_was_edited():
    train, validation, test = side_changes(beside(A, B))
    assert (train.n_before, train.n_after, train.added, train.removed) == (3, 2, 1, 2)  # moved; old, lost
    assert (train.prompt_edited, train.answer_edited, train.status_changed) == (0, 1, 1)  # taught
    assert (test.n_before, test.n_after, test.added, test.removed) == (5, 5, 2, 2)  # old, new; gone, moved
    assert (test.prompt_edited, test.answer_edited, test.status_changed) == (1, 1, 2)  # asked; mended; same, mended
    assert (validation.n_before, validation.n_after) == (0, 0)


def test_status_changes_are_counted_from_and_to():
    assert status_changes(beside(A, B)) == [
        StatusChange(before="unreviewed", after="edited", n=2),
        StatusChange(before="unreviewed", after="accepted", n=1),
    ]


def test_versions_that_share_nothing_have_no_row_and_no_status_in_common():
    both = beside(A.loc[["gone"]], B.loc[["new"]])
    assert list(same_test_rows(both)[0]) == []
    assert status_changes(both) == []
