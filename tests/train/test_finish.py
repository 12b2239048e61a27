import json

import pytest

from pipeline import cli
from schemas.report import Report
from schemas.training import TrainingRecord
from tests.train.test_judge import endpoint, write_scores
from tests.train.test_page import report
from train.plan import MANIFEST, REPORT, SCORES, plan_run

TRAIN = """
[train]
base_text = "BASE"
base_tokenizer = "tokenizer"
[evaluate]
"""


@pytest.fixture
def done(project, base_text, monkeypatch):
    """Return what writes a recipe with more lines in [evaluate], the plan of its finished run, and the command."""
    monkeypatch.chdir(project.root)
    path = project.root / "recipe.toml"
    start = path.read_text("utf-8") + TRAIN.replace("BASE", str(base_text))

    def asking(line):
        path.write_text(f"{start}{line}\n", encoding="utf-8")

    asking("")
    project.run()
    plan = plan_run(project.recipe, project.data)
    given = report()  # forgot +0.085 (+0.071 to +0.099)
    (plan.folder / "model").mkdir(parents=True)
    (plan.folder / REPORT).write_text(given.model_dump_json(), encoding="utf-8")
    write_scores(plan.folder / SCORES, [row["id"] for row in project.rows("split") if row["split"] == "validation"])
    record = TrainingRecord(
        key=plan.key, key_parts=plan.key_parts, evaluation=plan.evaluation, recipe=plan.recipe, parents={}, settings={},
        base=plan.base, code="c", distributions={}, git_commit=None, started_at="2026-01-01T00:00:00+00:00", seconds=1.0,
        peak_memory_bytes=1, model=given.model,
    )  # fmt: skip
    (plan.folder / MANIFEST).write_text(record.model_dump_json(), encoding="utf-8")
    return asking, plan, ["train", "--recipe", str(path), "--data-root", str(project.data)]


def test_a_done_run_keeps_failing_its_gate_until_the_gate_is_changed(done, capsys):
    """Nothing is trained: the run is done, and only its gates are looked at anew."""
    asking, plan, words = done
    asking("gates = { max_forgetting = 0.05 }")
    for _ in range(2):
        assert cli.run(words) == 4
        said = capsys.readouterr().err
        assert "train     skipped" in said
        assert (
            "gate max_forgetting fails: NLL of general text changed by +0.085, surely by +0.099 at most, 0.049 over"
            in said
        )
    assert "A gate of the recipe fails" in (plan.folder / "report.html").read_text("utf-8")
    assert "Gate `max_forgetting` **fails**" in (plan.folder / "model" / "README.md").read_text("utf-8")
    asking("gates = { max_forgetting = 0.1 }")
    assert cli.run(words) == 0
    assert "train     skipped" in capsys.readouterr().err
    assert json.loads((plan.folder / REPORT).read_text("utf-8"))["gates"][0]["holds"] is True
    assert "All gates of the recipe hold." in (plan.folder / "report.html").read_text("utf-8")


def test_a_judge_that_was_down_is_asked_when_the_command_is_given_again(done, monkeypatch, capsys):
    """Nothing is scored: the answers stand, and only the judge is asked for what it has not said."""
    asking, plan, words = done
    monkeypatch.setattr("train.endpoint._LONGEST_WAIT", 0)
    with endpoint(lambda _: "A") as (settings, asked):
        asking(f'judge = {{ url = "{settings.url}", model = "wise" }}')
        for _ in range(2):
            assert cli.run(words) == 0
            found = Report.model_validate_json((plan.folder / REPORT).read_bytes()).judge
            assert (found.failed, found.n, found.n_turned, len(asked)) == ("", 3, 3, 6)
    assert "skipped" in capsys.readouterr().err
    asking(f'judge = {{ url = "{settings.url}", model = "wiser" }}')
    assert cli.run(words) == 0
    said = capsys.readouterr().err
    assert "train     skipped" in said
    assert "warning: the report is made without the judge: the model cannot be asked: it does not answer" in said
    assert "This report is made without the judge wiser" in (plan.folder / "report.html").read_text("utf-8")
    with endpoint(lambda _: "TIE") as (again, asked):
        asking(f'judge = {{ url = "{again.url}", model = "wiser" }}')
        assert cli.run(words) == 0
        assert len(asked) == 6
    asking("")
    assert cli.run(words) == 0
    assert "judge" not in (plan.folder / "report.html").read_text("utf-8")
