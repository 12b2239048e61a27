import json

import pytest

from schemas import ConfigError
from schemas.evaluation import Evaluate, LmEvalResults
from train.lm_eval_results import benchmarks, results_digest


def result(acc, error=0.03, **changes):
    """Return what lm-eval writes of one task."""
    return {
        "results": {"arc_easy": {"alias": "arc_easy", "acc,none": acc, "acc_stderr,none": error, "sample_len": 100}},
        "group_subtasks": {"arc_easy": []},
        "versions": {"arc_easy": 1.0},
        "n-shot": {"arc_easy": 0},
        "n-samples": {"arc_easy": {"original": 2376, "effective": 100}},
        "higher_is_better": {"arc_easy": {"acc": True}},
    } | changes


@pytest.fixture
def named(tmp_path):
    """Return a function that writes two results and names them."""

    def name(base, tuned):
        for side, found in (("base", base), ("tuned", tuned)):
            text = found if isinstance(found, str) else json.dumps(found)
            (tmp_path / f"{side}.json").write_text(text, encoding="utf-8")
        return LmEvalResults(base=str(tmp_path / "base.json"), tuned=str(tmp_path / "tuned.json"))

    return name


def test_a_difference_has_the_interval_of_both_standard_errors(named):
    (one,) = benchmarks(named(result(0.40, 0.03), result(0.30, 0.04)))
    assert (one.task, one.metric, one.n, one.base, one.tuned) == ("arc_easy", "acc", 100, 0.40, 0.30)
    # sqrt(0.03 ** 2 + 0.04 ** 2) = 0.05; -0.10 +- 1.96 * 0.05
    assert (one.low, one.high) == pytest.approx((-0.198, -0.002), abs=1e-4)
    assert one.reading == "worse"


def test_without_standard_errors_nothing_is_claimed(named):
    (one,) = benchmarks(named(result(0.40, "N/A"), result(0.90)))
    assert (one.low, one.high, one.reading) == (None, None, "unclear")


def test_of_a_metric_that_should_be_small_less_is_better(named):
    low = {"higher_is_better": {"arc_easy": {"acc": False}}}
    (one,) = benchmarks(named(result(0.9, 0.01, **low), result(0.2, 0.01, **low)))
    assert one.reading == "better"


def test_of_a_group_its_own_figure_stands_and_not_its_parts(named):
    def mmlu(acc):
        parts = {name: {"acc,none": acc, "acc_stderr,none": 0.01} for name in ("mmlu", "mmlu_stem", "mmlu_physics")}
        groups = {"mmlu": ["mmlu_stem"], "mmlu_stem": ["mmlu_physics"]}
        return {"results": parts, "group_subtasks": groups}

    assert [one.task for one in benchmarks(named(mmlu(0.3), mmlu(0.3)))] == ["mmlu"]


def test_of_several_files_in_a_folder_the_newest_is_read(tmp_path, named):
    there = named(result(0.4), result(0.1))
    (tmp_path / "out" / "model").mkdir(parents=True)
    for time, acc in (("2026-01-02T10", 0.3), ("2026-01-01T10", 0.2)):
        (tmp_path / "out" / "model" / f"results_{time}.json").write_text(json.dumps(result(acc)), encoding="utf-8")
    (one,) = benchmarks(there.model_copy(update={"tuned": str(tmp_path / "out")}))
    assert one.tuned == 0.3


@pytest.mark.parametrize(
    ("tuned", "what", "fix"),
    [
        ("{", "cannot be read", "run lm-eval again"),
        ("[]", "this is no result of lm-eval", "results_*.json"),
        ({"results": 3}, "this is no result of lm-eval", "--output_path"),
        (result(0.1, versions={"arc_easy": 2.0}), "version 1.0 in base, 2.0 in tuned", "the same lm-eval"),
        (result(0.1, **{"n-shot": {"arc_easy": 5}}), "number of shots 0 in base, 5 in tuned", "--num_fewshot"),
        (result(0.1, **{"n-samples": {}}), "number of questions", "--limit"),
        ({"results": {"hellaswag": {}}}, "no task is in both files: base: arc_easy; tuned: hellaswag", "--tasks"),
    ],
)
def test_two_files_that_do_not_fit_are_refused(named, tuned, what, fix):
    with pytest.raises(ConfigError) as caught:
        benchmarks(named(result(0.1), tuned))
    assert what in caught.value.what
    assert fix in caught.value.fix
    assert "[evaluate] lm_eval_results" in caught.value.where


def test_a_missing_file_is_named(tmp_path):
    for folder in ("nowhere.json", "."):
        with pytest.raises(ConfigError) as caught:
            benchmarks(LmEvalResults(base=str(tmp_path / folder), tuned="x"))
        assert "there is no such file" in caught.value.what
        assert "docs/evaluate.md" in caught.value.fix


def test_a_report_depends_on_the_bytes_of_the_files(named):
    before = results_digest(Evaluate(lm_eval_results=named(result(0.1), result(0.2))))
    after = results_digest(Evaluate(lm_eval_results=named(result(0.1), result(0.3))))
    assert before != after
    assert results_digest(Evaluate()) is None
    assert benchmarks(None) == []
