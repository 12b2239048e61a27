from math import sqrt

import numpy as np
import pandas as pd
import pytest

from schemas.report import ARMS, CurvePoint, Forgetting, Model
from train.encoded import Encoded
from train.evaluate import N_SAMPLES, forgetting_of, report_of
from train.exam import Side

RUN = "3f9c21b0" * 4
MODEL = Model(
    run=RUN, base="tiny", method="lora", n_parameters=10, n_trainable=2, steps=8, best_step=4, train_seconds=1.0,
    tokens_per_second=9.0,
)  # fmt: skip
FORGOT = Forgetting(text="base.txt", n_documents=2, base_nll=1.0, tuned_nll=1.5, low=0.25, high=0.75)
CURVE = [CurvePoint(step=4, train_loss=0.5, validation_nll=0.9)]
NOTHING = Encoded.of([], [])

# Six test rows of one group each. Score and NLL of each arm:
TEST = {
    "majority": ([0, 0, 0, 0, 0, 1], [4.0] * 6),
    "nearest": ([1, 0, 0, 0, 0, 1], [3.0] * 6),
    "base": ([0, 0, 0, 0, 0, 1], [2.0] * 6),
    "tuned": ([1, 1, 1, 1, 1, 0.5], [1.0] * 6),
}
TEMPLATES = ["qa", "qa", "qa", "qa", "sum", "sum"]
SOURCES = ["web", "web", "book", "book", "book", "book"]
METRICS = {"qa": "exact_match", "sum": "rouge_l"}


def side(name, n, templates=("qa",), statuses=("unreviewed",)):
    rows = [
        {
            "id": f"{name} {i}", "origin": f"f:{i}", "source": "web", "template": templates[i % len(templates)],
            "group": f"{name} {i}", "status": statuses[i % len(statuses)],
        }
        for i in range(n)
    ]  # fmt: skip
    return Side(
        name, rows, [f"{name} prompt {i}" for i in range(n)], [f"{name} reference {i}" for i in range(n)], NOTHING
    )


def frame(name, n, values, templates, sources):
    return pd.DataFrame(
        [
            {
                "example": f"{name} {i}", "group": f"{name} {i}", "split": name, "template": templates[i % len(templates)],
                "source": sources[i % len(sources)], "arm": arm, "metric": METRICS[templates[i % len(templates)]],
                "score": None if scores is None else float(scores[i % len(scores)]),
                "answer": None if scores is None else f"{arm} says {name} {i}",
                "nll": nlls[i % len(nlls)], "n_tokens": 3, "doubt": None,
            }
            for arm, (scores, nlls) in values.items()
            for i in range(n)
        ]
    )  # fmt: skip


def report(n_validation=30, run=RUN, shuffle=False, templates=("qa", "qa", "qa", "sum")):
    """Return the report on six test rows, some validation rows, and two train rows that nobody answered."""
    scores = pd.concat(
        [
            frame("train", 2, {"base": (None, [9.0]), "tuned": (None, [9.0])}, ["qa"], ["web"]),
            frame("validation", n_validation, {arm: ([0.25], [7.0]) for arm in ARMS}, list(templates), ["web"]),
            frame("test", 6, TEST, TEMPLATES, SOURCES),
        ]
    )
    sides = {
        "train": side("train", 2, statuses=["accepted"]),
        "validation": side("validation", n_validation, templates),
        "test": side("test", 6, TEMPLATES, ["accepted", "edited", "unreviewed"]),
    }
    return report_of(
        scores.sample(frac=1, random_state=3) if shuffle else scores, sides, recipe="mine", data_version="842b",
        model=MODEL.model_copy(update={"run": run}), forgetting=FORGOT, curve=CURVE,
    )  # fmt: skip


def test_means_are_those_of_the_test_side_in_the_order_of_the_arms():
    found = report()
    assert [mean.arm for mean in found.means] == ["majority", "nearest", "base", "tuned"]
    assert [mean.score for mean in found.means] == pytest.approx([1 / 6, 2 / 6, 1 / 6, 5.5 / 6])
    assert [mean.nll for mean in found.means] == [4.0, 3.0, 2.0, 1.0]


def test_it_says_what_it_is_of():
    found = report()
    assert (found.recipe, found.data_version, found.split) == ("mine", "842b", "test")
    assert (found.n, found.n_reviewed, found.n_train, found.n_train_reviewed) == (6, 4, 2, 2)
    assert (found.model, found.forgetting, found.curve) == (MODEL, FORGOT, CURVE)


def test_tuned_is_compared_with_every_other_arm_on_both_measures():
    found = report().comparisons
    assert {(one.better, one.than, one.measure) for one in found} == {
        ("tuned", arm, measure) for arm in ("majority", "nearest", "base") for measure in ("score", "nll")
    }
    by = {(one.than, one.measure): one for one in found}
    # 5.5 - 1 = 4.5 over 6 rows; 5.5 - 2 = 3.5 over 6.
    assert by["base", "score"].difference == pytest.approx(0.75)
    assert by["nearest", "score"].difference == pytest.approx(3.5 / 6)
    assert by["base", "nll"].difference == -1.0
    assert (by["base", "nll"].low, by["base", "nll"].high) == (-1.0, -1.0)  # the same for every row
    assert {(one.n, one.n_groups) for one in found} == {(6, 6)}


def test_slices_are_the_templates_and_sources_with_their_own_means_and_metrics():
    found = {(one.by, one.value): one for one in report().slices}
    assert list(found) == [("template", "qa"), ("template", "sum"), ("source", "book"), ("source", "web")]
    assert [one.n for one in found.values()] == [4, 2, 4, 2]
    assert [one.metric for one in found.values()] == ["exact_match", "rouge_l", "exact_match, rouge_l", "exact_match"]
    scores = {key: {mean.arm: mean.score for mean in one.means} for key, one in found.items()}
    assert scores["template", "qa"] == {"majority": 0, "nearest": 0.25, "base": 0, "tuned": 1}
    assert scores["template", "sum"] == {"majority": 0.5, "nearest": 0.5, "base": 0.5, "tuned": 0.75}
    assert found["template", "sum"].against_base.difference == pytest.approx(0.25)  # (1 - 0.5) / 2
    assert found["source", "book"].against_base.difference == pytest.approx(2.5 / 4)  # 1, 1, 1, -0.5
    assert {one.against_base.than for one in found.values()} == {"base"}
    assert {one.against_base.measure for one in found.values()} == {"score"}


def test_rows_of_one_group_are_one_observation():
    rows = frame("test", 6, TEST, TEMPLATES, SOURCES).assign(group="same")
    sides = {name: side(name, 6) for name in ("train", "validation", "test")}
    rows = pd.concat([rows, frame("validation", 6, TEST, ["qa"], ["web"])])
    found = report_of(rows, sides, recipe="r", data_version="v", model=MODEL, forgetting=FORGOT, curve=[])
    assert {one.n_groups for one in found.comparisons} == {1}
    assert not any(one.holds for one in found.comparisons)
    assert "no evidence" in found.verdict


def test_the_verdict_is_of_the_comparisons():
    # Six rows, all better but one on score: enough for the NLL, and for base on score.
    assert report().verdict.startswith("The tuned model ")
    for arm in ("base", "nearest", "majority"):
        assert arm in report().verdict


def test_samples_come_from_validation_and_hold_every_arm():
    found = report().samples
    assert len(found) == N_SAMPLES
    assert len({one.example for one in found}) == N_SAMPLES
    for one in found:
        assert one.example.startswith("validation ")
        number = one.example.split()[1]
        assert one.prompt == f"validation prompt {number}"
        assert one.reference == f"validation reference {number}"
        assert one.answers == {arm: f"{arm} says validation {number}" for arm in ARMS}
        assert one.scores == dict.fromkeys(ARMS, 0.25)


def test_no_text_of_a_test_row_is_in_the_report():
    text = report().model_dump_json()
    assert "validation prompt" in text
    for word in ("test prompt", "test reference", "says test", "train prompt", "train reference"):
        assert word not in text


def test_samples_take_templates_in_turn():
    # Three of four rows are qa; of the first samples every other is sum, until there are no more.
    templates = [one.template for one in report(n_validation=16).samples]
    assert sorted(templates) == ["qa"] * 8 + ["sum"] * 4
    assert {frozenset(templates[place : place + 2]) for place in range(0, 8, 2)} == {frozenset({"qa", "sum"})}


def test_samples_are_chosen_by_the_run_alone():
    same = [one.example for one in report().samples]
    assert [one.example for one in report(shuffle=True).samples] == same
    assert [one.example for one in report(run="0" * 32).samples] != same


def test_where_there_are_few_validation_rows_all_are_shown():
    assert len(report(n_validation=5).samples) == 5


def test_forgetting_is_the_mean_over_documents_of_nats_a_token():
    # 10 / 5 = 2 and 6 / 2 = 3 before; 15 / 5 = 3 and 8 / 2 = 4 after: each document one nat a token worse.
    found = forgetting_of("base.txt", np.array([10.0, 6.0]), np.array([15.0, 8.0]), np.array([5, 2]))
    assert (found.text, found.n_documents) == ("base.txt", 2)
    assert (found.base_nll, found.tuned_nll) == (2.5, 3.5)
    assert (found.low, found.high) == (0.0, 1.0)  # two documents are too few to claim a side


def test_the_interval_of_forgetting_holds_its_mean():
    draws = np.random.default_rng(1)
    before, n_tokens = draws.uniform(50, 60, 200), np.full(200, 10)
    found = forgetting_of("base.txt", before, before + draws.normal(1.0, 2.0, 200), n_tokens)
    half = 1.96 * 0.2 / sqrt(200)  # 2 nats over 10 tokens
    assert found.low < found.tuned_nll - found.base_nll < found.high
    assert found.high - found.low == pytest.approx(2 * half, rel=0.2)
