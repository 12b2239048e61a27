import json

from pipeline import cli
from schemas.training import TrainingRecord
from tests.train.test_page import report
from train.plan import MANIFEST, REPORT, plan_run

RECIPE_END = """
[train]
base_text = "BASE"
base_tokenizer = "tokenizer"
[evaluate]
gates = { max_forgetting = LIMIT }
"""


def test_a_done_run_keeps_failing_its_gate_until_the_gate_is_changed(project, base_text, monkeypatch, capsys):
    """Nothing is trained: the run is done, and only its gates are looked at anew."""
    monkeypatch.chdir(project.root)
    path = project.root / "recipe.toml"
    start = path.read_text("utf-8")

    def asking(limit):
        path.write_text(start + RECIPE_END.replace("BASE", str(base_text)).replace("LIMIT", limit), encoding="utf-8")

    asking("0.05")
    project.run()
    plan = plan_run(project.recipe, project.data)
    given = report()  # forgot +0.085 (+0.071 to +0.099)
    (plan.folder / "model").mkdir(parents=True)
    (plan.folder / REPORT).write_text(given.model_dump_json(), encoding="utf-8")
    record = TrainingRecord(
        key=plan.key, key_parts=plan.key_parts, evaluation=plan.evaluation, recipe=plan.recipe, parents={}, settings={},
        base=plan.base, code="c", distributions={}, git_commit=None, started_at="2026-01-01T00:00:00+00:00", seconds=1.0,
        peak_memory_bytes=1, model=given.model,
    )  # fmt: skip
    (plan.folder / MANIFEST).write_text(record.model_dump_json(), encoding="utf-8")
    words = ["train", "--recipe", str(path), "--data-root", str(project.data)]
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
    asking("0.1")
    assert cli.run(words) == 0
    assert "train     skipped" in capsys.readouterr().err
    assert json.loads((plan.folder / REPORT).read_text("utf-8"))["gates"][0]["holds"] is True
    assert "All gates of the recipe hold." in (plan.folder / "report.html").read_text("utf-8")
