import pandas as pd
import pytest

from train.doubtful import FIRM, MOST_ROWS, doubtful_of
from train.encoded import Encoded
from train.exam import Side


def side(n):
    rows = [{"id": f"r{i}", "origin": f"f.jsonl:{i}", "template": "qa", "status": "unreviewed"} for i in range(n)]
    return Side(
        "train", rows, [f"prompt {i}" for i in range(n)], [f"reference {i}" for i in range(n)], Encoded.of([], [])
    )


def scores(doubts, arm="held", answers=None, templates=None):
    n = len(doubts)
    return pd.DataFrame(
        {
            "example": [f"r{i}" for i in range(n)], "arm": arm, "template": templates or ["qa"] * n,
            "doubt": pd.array(doubts, float), "answer": answers or [None] * n,
        }
    )  # fmt: skip


def test_the_firmest_doubts_come_first_with_what_the_model_would_have_said():
    doubts = [1.0, 5.0, 9.0, *[0.0] * 17]
    found = doubtful_of(scores(doubts, answers=[None, None, "another", *[None] * 17]), side(20))
    assert [row.example for row in found.rows] == ["r2", "r1"]
    assert (found.rows[0].origin, found.rows[0].prompt, found.rows[0].reference) == (
        "f.jsonl:2", "prompt 2", "reference 2",
    )  # fmt: skip
    assert [row.answer for row in found.rows] == ["another", None]
    assert found.n == 20


def test_few_rows_are_shown_and_none_of_a_template_that_is_doubted_too_often():
    templates = ["qa"] * 100 + ["sum"] * 5
    doubts = [FIRM + i for i in range(15)] + [0.0] * 85 + [99.0] + [0.0] * 4
    found = doubtful_of(scores(doubts, templates=templates), side(105))
    assert found.by_template == {"qa": (15, 100), "sum": (1, 5)}
    assert [row.doubt for row in found.rows] == pytest.approx([FIRM + i for i in range(14, 14 - MOST_ROWS, -1)])


def test_what_the_tuned_model_doubts_is_left_out_and_without_held_models_there_is_nothing():
    assert doubtful_of(scores([9.0], arm="tuned"), side(1)) is None
    assert doubtful_of(scores([float("nan")]), side(1)) is None
