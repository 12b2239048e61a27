import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from annotation.desk_cli import pay, status
from annotation.voting import voting
from pipeline.annotations import add_annotations, annotation_files, read_annotations
from pipeline.practice import record_passed
from pipeline.reopening import Reopening, add_reopening
from schemas import Annotation, ConfigError

ANN, BEN = "ann@example.org", "ben@example.org"
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def answer(example: str, who: str, verdict: str = "accept") -> Annotation:
    fields: dict[str, Any] = {
        "key": f"ls:1:{example}{who}", "example": example, "annotator": who, "verdict": verdict,
        "seen": {"prompt": [{"role": "user", "content": example}], "response": "five"},
        "created_at": YESTERDAY, "updated_at": YESTERDAY, "lead_time_seconds": 90.0,
    }  # fmt: skip
    return Annotation.model_validate(fields)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    add_annotations(root, [answer("x", ANN), answer("y", ANN, "reject"), answer("x", BEN)])
    folder = root / "label-studio"
    folder.mkdir()
    project = {"id": 3, "title": "Round 1", "purpose": "main", "tasks": 200, "answered": 57, "skipped": 3, "left": 143}
    (folder / "projects.json").write_text(json.dumps({"url": "http://127.0.0.1:8080", "projects": [project]}))
    return root


def run(*words: str) -> None:
    app = App(name="annotate")
    app.command(status)
    app.command(pay)
    app(list(words), exit_on_error=False, result_action="return_value")


def test_status_is_a_table_on_stdout_without_names(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("status", "--data-root", str(data), "--pay-per-hour", "20")
    said = capsys.readouterr().out
    assert [line.split()[:5] for line in said.splitlines()[:4]] == [
        ["annotator", "done", "left", "skipped", "disputed"],
        ["a1", "2", "143", "-", "0"],
        ["a2", "1", "143", "-", "0"],
        ["all", "3", "143", "3", "0"],
    ]
    # Two if midnight falls into the test.
    assert re.search(r"left: 143 tasks; forecast: not enough days \([12] of 3\)", said)
    assert "an answer counts for at most 3 times the median of its template and 10 minutes" in said
    assert "@" not in said


def test_status_as_csv_holds_the_same_figures(data: Path, tmp_path: Path) -> None:
    run("status", "--data-root", str(data), "--pay-per-hour", "20", "--csv", str(tmp_path / "week.csv"))
    # Three answers of 1.5 minutes are 4.5 minutes: 40 an hour, 1.50 at 20 an hour, over x alone (y is rejected).
    last = (tmp_path / "week.csv").read_text("utf-8").splitlines()[-1]
    assert last == '"all",3,143,3,0,0,40.0,1.5,13.3,1,1.5'


def test_the_pay_sheet_sums_what_it_shows(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("pay", "--data-root", str(data), "--pay-per-item", "0.335", "--csv", str(tmp_path / "pay.csv"), "--names")
    lines = (tmp_path / "pay.csv").read_text("utf-8").splitlines()
    assert lines == [
        '"annotator","items","of them practice","minutes","amount"',
        '"ann@example.org",2,0,3.0,0.67',
        '"ben@example.org",1,0,1.5,0.34',
        '"all",3,0,4.5,1.01',
    ]
    assert "ann@example.org" in capsys.readouterr().out


def test_answers_that_do_not_vote_are_work_and_decide_nothing(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Only ben has passed, so ann's reject of y is no outcome; then ben's word on x is asked for again.
    record_passed(data, {BEN: "2020-01-01"})
    run("status", "--data-root", str(data))
    assert capsys.readouterr().out.splitlines()[3].split()[:2] == ["all", "3"]
    files = list(annotation_files(data).values())
    answers = read_annotations(files)
    assert [one.annotator for one in voting(answers, files)] == [BEN]
    listed = [(one.key, one.created_at, one.updated_at) for one in answers]
    add_reopening(data, Reopening(at="2026-01-01", guideline="g", where={}, reason="why", answers=listed))
    assert voting(answers, annotation_files(data).values()) == []


def test_pay_without_a_rate_and_bad_rates_are_told(data: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        run("pay", "--data-root", str(data))
    assert "set pay_per_hour or pay_per_item under [review] in the recipe" in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        run("pay", "--data-root", str(data), "--pay-per-hour", "-1", "--pay-per-item", "nan")
    assert "--pay-per-hour is -1.0" in str(caught.value)
    assert "--pay-per-item is nan" in str(caught.value)


def test_status_before_anything_happened_is_not_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("status", "--data-root", str(tmp_path / "data"))
    said = capsys.readouterr().out
    assert "left: 0 tasks; forecast: 0 days (between 0 and 0)" in said
    assert "by week: no answers" in said
    assert not (tmp_path / "data").exists()
