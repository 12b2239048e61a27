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
    found = doubtful_of(scores([1.0, 5.0, 9.0], answers=[None, None, "another"]), side(3))
    assert [row.example for row in found.rows] == ["r2", "r1"]
    assert (found.rows[0].origin, found.rows[0].prompt, found.rows[0].reference) == (
        "f.jsonl:2", "prompt 2", "reference 2",
    )  # fmt: skip
    assert [row.answer for row in found.rows] == ["another", None]
    assert found.n == 3


def test_each_template_is_counted_and_few_rows_are_shown():
    templates = ["qa"] * 20 + ["sum"] * 5
    found = doubtful_of(scores([FIRM + i for i in range(20)] + [0.0] * 5, templates=templates), side(25))
    assert found.by_template == {"qa": (20, 20), "sum": (0, 5)}
    assert [row.doubt for row in found.rows] == pytest.approx([FIRM + i for i in range(19, 19 - MOST_ROWS, -1)])


def test_what_the_tuned_model_doubts_is_left_out_and_without_held_models_there_is_nothing():
    assert doubtful_of(scores([9.0], arm="tuned"), side(1)) is None
    assert doubtful_of(scores([float("nan")]), side(1)) is None
