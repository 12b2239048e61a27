import json
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotation.training_run import find_run
from schemas import ConfigError, SnapshotError, arrow_schema
from schemas.report import Score


def run(root: Path, key: str, recipe: str = "tiny", *, finished: bool = True, latest: bool = True) -> Path:
    folder = root / "runs" / key
    folder.mkdir(parents=True)
    if finished:
        (folder / "manifest.json").write_text(json.dumps({"key": key, "recipe": recipe, "parents": {"split": "v1"}}))
    if latest:
        link = root / "runs" / f"latest-{recipe}"
        link.unlink(missing_ok=True)
        link.symlink_to(key)
    return folder


def told(error: ConfigError | SnapshotError) -> tuple[str, str, str]:
    return error.what, error.where, error.fix


def test_the_newest_finished_run_is_found_or_one_by_the_beginning_of_its_key(tmp_path):
    run(tmp_path, "aa11")
    run(tmp_path, "ab22")
    assert find_run(tmp_path, "tiny").key == "ab22"
    assert find_run(tmp_path, "tiny", "aa11").key == "aa11"
    assert find_run(tmp_path, "tiny", "aa").split_version == "v1"
    assert find_run(tmp_path, "tiny").folder == tmp_path / "runs" / "ab22"  # not the link, which will move


def test_without_a_run_the_fix_is_to_train(tmp_path):
    run(tmp_path, "aa11", "other")
    with pytest.raises(ConfigError) as caught:
        find_run(tmp_path, "tiny")
    what, where, fix = told(caught.value)
    assert what == "recipe 'tiny' has no finished training run"
    assert where == str(tmp_path / "runs")
    assert "run `make train` first" in fix
    assert "recipes with a finished run: other" in fix


def test_a_key_that_is_unknown_or_begins_two_is_told_with_what_is_near(tmp_path):
    run(tmp_path, "aa11")
    run(tmp_path, "aa77")
    with pytest.raises(ConfigError) as caught:
        find_run(tmp_path, "tiny", "aa12")
    what, _, fix = told(caught.value)
    assert (what, fix) == ("there is no run 'aa12'", "give --run a whole key; did you mean 'aa11'?")
    with pytest.raises(ConfigError, match="'aa' begins the keys of 2 runs"):
        find_run(tmp_path, "tiny", "aa")


def test_a_run_that_has_not_finished_or_is_of_another_recipe_is_refused(tmp_path):
    run(tmp_path, "aa11", finished=False, latest=False)
    run(tmp_path, "bb22", "other")
    with pytest.raises(ConfigError, match="run aa11 has not finished") as caught:
        find_run(tmp_path, "tiny", "aa11")
    assert "make train" in caught.value.fix
    with pytest.raises(ConfigError, match="run bb22 is one of recipe 'other', not of 'tiny'") as caught:
        find_run(tmp_path, "tiny", "bb22")
    assert "--recipe file of 'other'" in caught.value.fix


@pytest.mark.parametrize("text", ["{", '{"key": "aa11"}', '{"key": "aa11", "recipe": "tiny", "parents": {}}', "[]"])
def test_a_damaged_manifest_is_told(tmp_path, text):
    (run(tmp_path, "aa11") / "manifest.json").write_text(text)
    with pytest.raises(SnapshotError) as caught:
        find_run(tmp_path, "tiny")
    assert caught.value.where.endswith("aa11/manifest.json")
    assert "make train" in caught.value.fix


def test_a_version_that_is_gone_is_told(tmp_path):
    run(tmp_path, "aa11")
    with pytest.raises(SnapshotError) as caught:
        find_run(tmp_path, "tiny").rows(tmp_path)
    what, where, fix = told(caught.value)
    assert what == "run aa11 was trained on version v1, which is gone"
    assert where == str(tmp_path / "split")
    assert "make train" in fix


def line(example: str, arm: str, split: str) -> dict[str, object]:
    texts = dict.fromkeys(("group", "template", "source", "metric"), "x")
    return {
        **texts,
        "example": example,
        "arm": arm,
        "split": split,
        "score": None,
        "answer": None,
        "nll": 1.0,
        "n_tokens": 2,
    }


def test_scores_of_test_rows_and_of_other_arms_stay_in_the_file(tmp_path):
    lines = [line("a", "tuned", "train"), line("a", "base", "train"), line("v", "nearest", "validation")]
    lines += [line("t", "tuned", "test"), line("v", "tuned", "validation"), line("b", "held", "train")]
    pq.write_table(pa.Table.from_pylist(lines, arrow_schema(Score)), run(tmp_path, "aa11") / "scores.parquet")
    scores = find_run(tmp_path, "tiny").scores()
    assert [table["example"].to_pylist() for table in scores] == [["a"], ["a"], ["v"], ["a"], ["b"]]
    assert scores.answers.column_names == ["example", "nll", "score", "answer", "metric"]


def test_scores_that_are_missing_or_lack_a_column_are_told(tmp_path):
    folder = run(tmp_path, "aa11")
    with pytest.raises(SnapshotError, match="scores"):
        find_run(tmp_path, "tiny").scores()
    pq.write_table(pa.table({"example": ["a"], "nll": [1.0]}), folder / "scores.parquet")
    with pytest.raises(SnapshotError) as caught:
        find_run(tmp_path, "tiny").scores()
    assert caught.value.where == str(folder / "scores.parquet")


def test_a_row_has_a_doubt_of_each_kind_of_model(tmp_path):
    doubts = [("a", "tuned", 2.0), ("a", "held", 6.0), ("b", "held", 3.0), ("c", "tuned", 1.0)]
    lines = [line(name, arm, "train") | {"doubt": doubt} for name, arm, doubt in doubts]
    pq.write_table(pa.Table.from_pylist(lines, arrow_schema(Score)), run(tmp_path, "aa11") / "scores.parquet")
    tuned, held = find_run(tmp_path, "tiny").scores().doubts_of(pa.chunked_array([["c", "b", "x", "a"]]))
    assert [tuned[0], tuned[3], held[1], held[3]] == [1, 2, 3, 6]
    assert [math.isnan(one) for one in (*tuned, *held)] == [False, True, True, False, True, False, True, False]


def test_the_doubt_of_a_classifier_is_what_the_label_costs_it(tmp_path):
    folder = run(tmp_path, "aa11")
    said = {"key": "aa11", "recipe": "tiny", "parents": {"split": "v1"}, "model": {"family": "classify"}}
    (folder / "manifest.json").write_text(json.dumps(said))
    # a: another label is a little likelier; b: three others share what is left, and none of them contradicts firmly.
    costs = [("a", "tuned", 0.8, 0.1), ("a", "held", 1.0, 0.2), ("b", "tuned", 2.0, 0.05), ("b", "held", 3.0, 0.0)]
    lines = [line(name, arm, "train") | {"nll": nll, "doubt": doubt} for name, arm, nll, doubt in costs]
    pq.write_table(pa.Table.from_pylist(lines, arrow_schema(Score)), folder / "scores.parquet")
    scores = find_run(tmp_path, "tiny").scores()
    assert [one.tolist() for one in scores.doubts_of(pa.chunked_array([["a", "b"]]))] == [[0.8, 2], [1, 3]]
    assert scores.doubt.column_names == ["example", "doubt", "answer"]
