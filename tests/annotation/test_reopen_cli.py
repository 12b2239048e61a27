from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from annotation.queue import queue_of
from annotation.reopen_cli import reopen
from pipeline.annotations import add_annotations
from pipeline.explain import explain
from pipeline.screen import screen
from pipeline.template import load_templates
from schemas import Annotation, ConfigError
from tests.conftest import Project

OLD, NEW = "5d01c3aa" * 4, "77ab0000" * 4


def answer(example: str, **more: Any) -> Annotation:
    fields = {
        "key": f"ls:1:{example}", "example": example, "annotator": "ann", "verdict": "reject", "guideline": OLD,
        "error_types": ["wrong date"], "seen": {"prompt": [], "response": "five"},
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    return Annotation.model_validate(fields | more)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    add_annotations(tmp_path, [answer("a"), answer("b", error_types=["too long"]), answer("c", guideline=NEW)])
    return tmp_path


def response(row: Any) -> str:
    text: str = row["completion"][0]["content"]
    return text


def run(*words: str) -> None:
    app = App(name="annotate")
    app.command(reopen)
    app(["reopen", *words], exit_on_error=False, result_action="return_value")


def test_it_only_says_what_it_would_do_until_told_yes(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--guideline", "5d01", "--where", "error_type=wrong date", "--because", "Dates\nstay.")
    run(*words, "--data-root", str(data))
    said = capsys.readouterr()
    assert "1 of 2 answers under guideline 5d01c3aa5d01 are asked again, about 1 examples" in said.err
    assert "nothing was changed; --yes does it" in said.err
    assert said.out == ""
    assert not list((data / "annotations").glob("reopened-*"))
    run(*words, "--data-root", str(data), "--yes")
    said = capsys.readouterr()
    assert "run `tuneloop data`" in said.err
    assert '"reason": "Dates stay."' in Path(said.out.strip()).read_text("utf-8")
    run(*words, "--data-root", str(data), "--yes")
    said = capsys.readouterr()
    assert "0 of 2 answers" in said.err
    assert said.out == ""


def test_a_reopened_example_waits_again_first_in_the_queue(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.run(workers=1)
    row: Any = next(one for one in project.rows("annotate") if response(one) == "Brot")
    given = answer(row["id"], source="questions", seen=screen(row["prompt"], row["completion"]))
    add_annotations(project.data, [given])
    project.run(workers=1)
    assert "Brot" not in [response(one) for one in project.rows("annotate")]
    run("--guideline", OLD, "--because", "Nouns alone.", "--data-root", str(project.data), "--yes")
    # Nothing before annotate has to work again.
    assert project.ran(workers=1) == ["annotate", "split"]
    (again,) = [one for one in project.rows("annotate") if one["id"] == row["id"]]
    assert (again["status"], again["marks"]) == ("unreviewed", ["stale", "reopened: Nouns alone."])
    told = [line for chapter in explain(project.data, "tiny", row["id"]) for line in chapter.lines]
    assert "to be given again: Nouns alone." in told
    queue = queue_of(project.data, project.recipe, load_templates([]))
    for queued in queue.rows_of([str(row["id"])]):  # rows on the test side never wait
        assert queued.why == "Please answer this again: Nouns alone."


def test_a_condition_that_fits_nothing_lists_what_there_is(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("--guideline", "5d01", "--where", "error_type=wrong dat", "--because", "x", "--data-root", str(data))
    assert "no such answer names 'wrong dat'; error types there: too long, wrong date" in capsys.readouterr().err


def test_everything_wrong_with_the_command_line_is_told_at_once(data: Path) -> None:
    where = ("--where", "verdict", "--where", "errortype=x", "--where", "source=a", "--where", "source=b")
    with pytest.raises(ConfigError) as caught:
        run("--guideline", "9", *where, "--because", " ", "--data-root", str(data))
    text = str(caught.value)
    assert "0 guidelines that answers followed begin with '9'" in text
    assert "5d01c3aa5d01 (2 answers), 77ab000077ab (1 answers)" in text
    assert "--where 'verdict' is no condition" in text
    assert "did you mean 'error_type'?" in text
    assert "--where names 'source' twice" in text
    assert "--because has 0 characters" in text
