"""What a model learned, read from a report and scores of a few rows."""

import numpy as np
import pytest

from annotation.lessons import lessons, paired_difference
from annotation.training_run import find_run
from schemas import SnapshotError
from tests.annotation.finished_run import answered, finish, report
from tests.annotation.test_feedback import row, score, split

TRAIN = row("a")


def test_templates_come_by_what_training_gained_and_agreement_is_counted_on_checked_rows(tmp_path):
    rows = [
        TRAIN,
        row("u", "validation", status="accepted"),
        row("v", "validation", status="edited"),
        row("w", "validation", template="chat"),
        row("t", "test", status="accepted"),
    ]
    split(tmp_path, rows)
    _, u, v, w, t = rows
    scores = [*score(TRAIN, 2.0), *answered(u, 0, 1), *answered(v, 1, 1), *answered(w, 0, 0.25), *answered(t, 0, 1)]
    finish(tmp_path, scores, report({"chat": (0.5, 0.5), "instruct": (0.25, 0.75)}))
    found = lessons(tmp_path, "tiny", find_run(tmp_path, "tiny"))
    assert [(one.template, one.base, one.tuned, one.reading) for one in found.templates] == [
        ("instruct", 0.25, 0.75, "better"), ("chat", 0.5, 0.5, "better"),
    ]  # fmt: skip
    # u and v were checked; the test row t is checked too and belongs to nobody's page.
    assert (found.checked.n, found.checked.before, found.checked.now, found.checked.examples) == (2, 1, 2, ("u",))
    assert (found.everything.n, found.everything.before, found.everything.now) == (3, 1, 2)
    assert found.astray == {"chat": (1, 1), "instruct": (0, 2)}
    assert found.earlier is None
    assert {one.since for one in found.templates} == {None}


def test_two_runs_are_compared_on_the_test_rows_that_show_the_same_in_both(tmp_path):
    tests = [row(f"t{n}", "test") for n in range(5)]
    split(tmp_path, [TRAIN, *tests])
    before = [*score(TRAIN, 2.0), *(line for one in tests for line in answered(one, 0, 0.25))]
    finish(tmp_path, before, report({"instruct": (0.0, 0.25)}, "aa11"))
    # The reference of t4 was mended since: its scores are of two different questions.
    split(tmp_path, [TRAIN, *tests[:4], row("t4", "test", answer="6")], "v2", 2)
    now = [*score(TRAIN, 2.0), *(line for one in tests for line in answered(one, 0, 0.75))]
    finish(tmp_path, now, report({"instruct": (0.0, 0.75)}, "bb22"), "v2", "2026-11-28T08:00:00")
    found = lessons(tmp_path, "tiny", find_run(tmp_path, "tiny"))
    assert found.earlier == "aa11"
    (one,) = found.templates
    assert (one.since, one.change, one.n_shared) == ("better", 0.5, 4)
    # Seen from the older run there is nothing before it.
    assert lessons(tmp_path, "tiny", find_run(tmp_path, "tiny", "aa11")).earlier is None


def test_a_run_on_the_same_data_or_one_whose_data_are_gone_is_not_compared_with(tmp_path):
    tests = [row("t", "test")]
    split(tmp_path, [TRAIN, *tests])
    scores = [*score(TRAIN, 2.0), *answered(tests[0], 0, 1)]
    finish(tmp_path, scores, report({"instruct": (0.0, 1.0)}, "aa11"))
    finish(tmp_path, scores, report({"instruct": (0.0, 1.0)}, "bb22"), "v1", "2026-11-28T08:00:00")
    assert lessons(tmp_path, "tiny", find_run(tmp_path, "tiny")).earlier is None
    finish(tmp_path, scores, report({"instruct": (0.0, 1.0)}, "cc33"), "gone", "2026-11-26T08:00:00")
    assert lessons(tmp_path, "tiny", find_run(tmp_path, "tiny", "bb22")).earlier is None


def test_groups_are_the_observations() -> None:
    # Sums of deviations from the mean 0.5: a -1.0, b +1.0. Variance 2 / 1 * 2 / 16 = 0.25; t of 1 degree: 12.706.
    mean, low, high = paired_difference(np.array([0.0, 0.0, 1.0, 1.0]), ["a", "a", "b", "b"])
    assert (mean, low, high) == (0.5, pytest.approx(0.5 - 12.706 * 0.5, abs=1e-3), pytest.approx(6.853, abs=1e-3))
    # Each for itself: variance 4 / 3 * 1 / 16, t of 3 degrees: 3.182.
    _, low, _ = paired_difference(np.array([0.0, 0.0, 1.0, 1.0]), [*"abcd"])
    assert low == pytest.approx(0.5 - 3.182 * (1 / 12) ** 0.5, abs=1e-3)
    assert paired_difference(np.array([1.0, 1.0]), ["a", "a"]) == (1.0, -np.inf, np.inf)


def test_a_run_without_a_whole_report_is_told_with_a_cure(tmp_path):
    split(tmp_path, [TRAIN])
    folder = finish(tmp_path, score(TRAIN, 2.0), report({}))
    (folder / "report.json").write_text('{"recipe": "tiny"}')
    with pytest.raises(SnapshotError, match="not the report of a run") as caught:
        lessons(tmp_path, "tiny", find_run(tmp_path, "tiny"))
    assert "make train" in caught.value.fix


def test_a_run_without_any_validation_row_says_nothing_of_agreement(tmp_path):
    split(tmp_path, [TRAIN])
    finish(tmp_path, score(TRAIN, 2.0), report({}))
    found = lessons(tmp_path, "tiny", find_run(tmp_path, "tiny"))
    assert (found.checked.n, found.everything.n, found.astray, found.templates) == (0, 0, {}, [])
