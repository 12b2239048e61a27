import pandas as pd
import pytest

from schemas import ConfigError, SourceError
from tests.train.two_runs import RECIPE, Store, sums
from train.plan import REPORT, RUNS, SCORES
from train.versions import compare_versions, joint_groups
from train.versions_page import versions_page

A, B = "a" * 32, "b" * 32


@pytest.fixture
def store(make_project):
    return Store(make_project(RECIPE))


def test_rows_that_are_the_same_are_compared_and_the_rest_listed_with_its_reason(store):
    rows = sums()
    old = store.split(rows)
    test = {row["id"]: row for row in old.table().to_pylist() if row["split"] == "test"}
    numbers = sorted(int(row["completion"][0]["content"].split()[-1][:-1]) for row in test.values())
    assert len(numbers) > 12
    gone, other_answer, other_prompt = numbers[:3]
    changed = [row for row in rows if row["n"] != gone]
    for row in changed:
        if row["n"] == other_answer:
            row |= {"a": "Nobody knows."}
        if row["n"] == other_prompt:
            row |= {"q": "Who built the old lighthouse on the western shore?"}
    new = store.split(changed)
    a = store.run(A, old, lambda _: 0.25)
    b = store.run(B, new, lambda _: 0.5)
    found = compare_versions(a, b, store.project.data)
    assert {one.reason: one.n for one in found.left_out} == {
        "only in A: no longer in the data": 1, "the prompt differs": 1, "the reference differs": 1,
    }  # fmt: skip
    assert found.n_same == len(numbers) - 3
    score, nll = found.differences
    assert (score.before, score.after, score.found.difference) == (0.25, 0.5, 0.25)
    assert (nll.before, nll.after, nll.found.difference) == (1.75, 1.5, -0.25)
    assert [one.template for one in found.templates] == ["instruct"]
    assert found.templates[0].found.adjusted_p == found.templates[0].found.p
    assert found.verdict == (
        f"On the {found.n_same} test rows that are the same in both, B is better than A on score, +0.250 "
        "(+0.250 to +0.250) and NLL, -0.250 (-0.250 to -0.250)."
    )
    sides = {one.split: one for one in found.sides}
    assert (sides["test"].removed, sides["test"].added) == (1, 0)
    assert (sides["test"].prompt_edited, sides["test"].answer_edited) == (1, 1)
    assert sides["train"].n_before == sides["train"].n_after
    assert found.notes == []


def test_equal_models_are_no_evidence_of_improvement(store):
    split, more = store.split(sums(60)), store.split(sums(64))
    coin = {row["id"]: int(row["id"], 16) % 2 for row in more.table().to_pylist()}
    a = store.run(A, split, lambda row: coin[row["id"]])
    b = store.run(B, more, lambda row: 1 - coin[row["id"]])
    found = compare_versions(a, b, store.project.data)
    assert "shows no evidence of improvement over A on score" in found.verdict
    assert "this test finds differences from" in found.verdict
    assert found.differences[0].found.mcnemar.won + found.differences[0].found.mcnemar.lost == found.n_same


def test_runs_that_differ_in_more_than_data_are_refused_and_all_of_it_is_listed(store):
    old, new = store.split(sums(60)), store.split(sums(61))
    a = store.run(A, old, lambda _: 0)
    b = store.run(
        B, new, lambda _: 0, settings={"rank": 8, "seed": 2, "tensorboard": True},
        key_parts={"input base.txt": "2"},
    ).model_copy(update={"base": "some/base@other"})  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        compare_versions(a, b, store.project.data)
    assert caught.value.what.endswith(
        "differ in more than data: base: some/base@main against some/base@other; [train] rank: 32 against 8; "
        "[train] seed: 1 against 2; file base.txt has changed"
    )
    assert caught.value.exit_code == 2


def test_a_run_is_not_compared_with_itself(store):
    a = store.run(A, store.split(sums()), lambda _: 0)
    with pytest.raises(ConfigError, match="both are the same run"):
        compare_versions(a, a, store.project.data)


def test_a_report_of_other_data_is_refused(store):
    old, new = store.split(sums(60)), store.split(sums(61))
    a, b = store.run(A, old, lambda _: 0), store.run(B, new, lambda _: 0)
    runs = store.project.data / RUNS
    (runs / B / REPORT).write_bytes((runs / A / REPORT).read_bytes())
    with pytest.raises(SourceError) as caught:
        compare_versions(a, b, store.project.data)
    assert caught.value.what == (
        f"the report is of data version {old.manifest.version}, its run of {new.manifest.version}"
    )
    assert "judged anew" in caught.value.fix


def test_scores_of_other_rows_are_refused(store):
    old, new = store.split(sums(60)), store.split(sums(30))
    a, b = store.run(A, old, lambda _: 0), store.run(B, new, lambda _: 0)
    runs = store.project.data / RUNS
    (runs / B / SCORES).write_bytes((runs / A / SCORES).read_bytes())
    with pytest.raises(SourceError, match="the scores are not of data version"):
        compare_versions(a, b, store.project.data)


def test_versions_without_a_row_in_common_are_refused_with_the_reasons(store):
    a = store.run(A, store.split(sums(40)), lambda _: 0)
    b = store.run(B, store.split([row | {"n": row["n"] + 500} for row in sums(40)]), lambda _: 0)
    with pytest.raises(SourceError, match=r"no test row is the same in both data versions: .*no longer in the data"):
        compare_versions(a, b, store.project.data)


def test_a_base_that_scores_otherwise_and_other_code_are_said(store):
    a = store.run(A, store.split(sums(60)), lambda _: 0.5)
    b = store.run(B, store.split(sums(61)), lambda _: 0.5, base=0.5, code="d", distributions={"torch": "3"})
    notes = compare_versions(a, b, store.project.data).notes
    assert notes[0] == "The code of training has changed between the runs."
    assert notes[1] == "Packages differ: torch 2 and 3."
    assert notes[2].startswith("The base itself scores 0.250 and NLL 1.750 in A and 0.500 and NLL 1.500 in B")


def test_the_page_tells_both_changes_and_takes_no_text_for_markup(store):
    a = store.run(A, store.split(sums(60)), lambda _: 0.5)
    b = store.run(B, store.split(sums(61)), lambda _: 0.5)
    found = compare_versions(a, b, store.project.data)
    text = versions_page(found.model_copy(update={"notes": ["<script>alert(1)</script>"]}))
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    for words in ("What changed in the data", "What changed in the scores", found.a.run, found.b.data_version):
        assert words in text
    assert "tuneloop diff" in text
    assert sums()[0]["q"] not in text


def test_rows_that_share_a_group_in_either_version_are_one_observation():
    # A: x x y z; B: x, then y and w, then z: the second joins the first in A, the third the second in B.
    rows = pd.DataFrame({"group_a": ["x", "x", "y", "z"], "group_b": ["x", "w", "w", "z"]})
    first, second, third, alone = joint_groups(rows)
    assert first == second == third != alone
