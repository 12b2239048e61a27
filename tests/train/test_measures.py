import numpy as np
import pandas as pd
import pytest

from pipeline.template import load_templates
from train.encoded import Encoded
from train.exam import Result, Side, score_table
from train.measures import measures_of


def side(name, rows):
    """Return a side of rows (template, prompt, reference)."""
    made = [
        {"id": f"{name}{n}", "template": template, "source": "s", "group": f"g{n}", "status": "unreviewed"}
        for n, (template, _, _) in enumerate(rows)
    ]
    encoded = Encoded.of([([1], [2]) for _ in rows], [str(n) for n in range(len(rows))])
    return Side(name, made, [row[1] for row in rows], [row[2] for row in rows], encoded)


@pytest.fixture(scope="module")
def templates():
    return load_templates([])


TEST = side(
    "test",
    [
        ("classify", "p", "refund"),
        ("translate", "p", "Das ist gut so"),
        ("classify", "p", "return"),
        ("extract", "p", " "),
    ],
)
TRAIN = side("train", [("classify", "p", "refund"), ("classify", "p", "return"), ("translate", "p", "x")])


def table(answers):
    results = {
        arm: Result(np.zeros(len(said)), said, None if arm == "nearest" else [True] * len(said))
        for arm, said in answers.items()
    }
    names = {"classify": "accuracy", "translate": "chrf", "extract": "json_field_f1"}
    return score_table(TEST, results, names).to_pandas()


def test_each_template_has_its_metrics_by_arm_of_its_own_rows(templates):
    scores = table(
        {"nearest": ["refund", "x", "refund", "{}"], "tuned": ["refund", "Das ist gut so", "Return", "{"]}
    )  # fmt: skip
    found = measures_of(scores, TEST, TRAIN, templates)
    values = {(one.template, one.arm, one.metric): one.value for one in found.corpus}
    assert values["classify", "nearest", "accuracy"] == 0.5
    assert values["classify", "tuned", "macro_f1"] == 1
    assert values["translate", "tuned", "bleu"] == pytest.approx(100)
    assert values["classify", "tuned", "same_text"] == 0.5  # Return is not return
    assert not [key for key in values if key[0] == "extract"]
    assert found.n_without_reference == {"extract": 1}
    assert {(one.label, one.n) for one in found.classes if one.arm == "tuned"} == {("refund", 1), ("return", 1)}
    assert [one.arm for one in found.behaviour] == ["reference", "nearest", "tuned"]
    assert [one.stopped for one in found.behaviour] == [None, None, 1]


def test_a_side_of_one_row_and_of_none_has_measures(templates):
    one = side("test", [("translate", "p", "gut")])
    names = {"translate": "chrf"}
    scores = score_table(one, {"tuned": Result(np.zeros(1), ["gut"], [False])}, names).to_pandas()
    found = measures_of(scores, one, side("train", []), templates)
    assert {row.metric for row in found.corpus} == {"bleu", "chrf", "chrf++", "same_text"}
    nothing = measures_of(pd.DataFrame({"arm": [], "answer": [], "example": []}), side("test", []), TRAIN, templates)
    assert (nothing.behaviour, nothing.corpus, nothing.warnings) == ([], [], [])
