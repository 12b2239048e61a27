import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from annotation.cli import app
from pipeline import refs
from pipeline.annotations import annotation_files, read_annotations
from pipeline.recipe import load_recipe
from pipeline.run import run_data
from pipeline.snapshot import Snapshot
from schemas import AnnotationError, ConfigError

SUMS = [
    ("What is two and two?", "5"),
    ("Name a colour of the flag of Peru.", "red"),
    ("Who wrote Faust?", "Goethe"),
]
RECIPE = """
name = "tiny"
[format]
tokenizer = "tokenizer"
[[ingest.sources]]
name = "sums"
path = "sums.jsonl"
template = "instruct"
fields = { instruction = "q", response = "a" }
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: Any) -> Callable[[], dict[str, dict[str, Any]]]:
    """A tiny project; calling it runs the data up to annotate and returns its rows by response."""
    monkeypatch.chdir(tmp_path)
    words = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    Path("tokenizer").mkdir()
    words.save("tokenizer/tokenizer.json")
    Path("recipe.toml").write_text(RECIPE)
    Path("sums.jsonl").write_text("".join(json.dumps({"q": q, "a": a}) + "\n" for q, a in SUMS))

    def run() -> dict[str, dict[str, Any]]:
        run_data(load_recipe(Path("recipe.toml")), Path("data"), quiet, to="annotate", workers=1)
        record = refs.newest(Path("data"), "annotate", "tiny")
        assert record is not None
        table = Snapshot.open(Path("data/annotate"), record.version).table()
        return {row["completion"][0]["content"]: row for row in table.to_pylist()}

    return run


def run(*words: str) -> None:
    app(list(words), exit_on_error=False, result_action="return_value")


def answered(path: Path, **verdicts: dict[str, Any]) -> Path:
    """Write what Label Studio would export: the tasks, those answered whose response is named."""
    tasks = json.loads(path.read_text("utf-8"))
    for n, task in enumerate(tasks):
        answer = verdicts.get(task["data"]["response"], {})
        results = [
            {"from_name": name, "type": kind, "value": {key: [value]}}
            for name, (kind, key, value) in {
                "verdict": ("choices", "choices", answer.get("verdict")),
                "response": ("textarea", "text", answer.get("text")),
            }.items()
            if value
        ]
        at = {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
        given = [{"id": n, "completed_by": who, "result": results, **at} for who in answer.get("by", [])]
        task.update(id=n, project=1, annotations=given)
    export = path.with_name("export.json")
    export.write_text(json.dumps(tasks), encoding="utf-8")
    return export


def test_tasks_go_out_and_answers_come_back_into_the_data(
    data: Callable[[], dict[str, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert {row["status"] for row in data().values()} == {"unreviewed"}
    run("tasks", "--to", "tasks.json", "--recipe", "recipe.toml")
    said = capsys.readouterr()
    assert said.out == "tasks.json\n"
    assert "3 tasks written to tasks.json of 3 that wait: 3 unreviewed" in said.err
    assert "there is no split yet" in said.err
    assert "review.xml" in said.err

    export = answered(
        Path("tasks.json"),
        **{
            "5": {"verdict": "edit", "text": "4", "by": [7]},
            "red": {"verdict": "accept", "text": "red", "by": [7]},
        },
    )
    run("import", str(export))
    said = capsys.readouterr()
    assert said.out == ""
    assert "2 answers from 1 people over 2 examples, in 3 tasks of which 1 are unanswered; 0 skipped" in said.err
    assert "2 new records in data/annotations/000001-" in said.err
    kept = read_annotations(annotation_files(Path("data")).values())
    assert {answer.queue for answer in kept} <= {"ranked", "random"}

    rows = data()
    assert {response: row["status"] for response, row in rows.items()} == {
        "4": "edited", "red": "accepted", "Goethe": "unreviewed",
    }  # fmt: skip
    assert rows["4"]["edited_from"] == "5"

    run("tasks", "--to", "tasks.json", "--recipe", "recipe.toml")
    (left,) = json.loads(Path("tasks.json").read_text("utf-8"))
    assert left["data"]["response"] == "Goethe"


def test_importing_the_same_file_again_adds_nothing(
    data: Callable[[], dict[str, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    data()
    run("tasks", "--to", "tasks.json", "--recipe", "recipe.toml", "--limit", "1")
    (task,) = json.loads(Path("tasks.json").read_text("utf-8"))
    export = answered(Path("tasks.json"), **{task["data"]["response"]: {"verdict": "reject", "by": ["a@b.org", 7]}})
    run("import", str(export), "--adjudicator", "A@b.org", "--adjudicator", "lead@b.org")
    said = capsys.readouterr().err
    assert "1 of them by an adjudicator" in said
    assert "nobody called 'lead@b.org' answered here; who did: a@b.org, user 7" in said
    assert "verdict and text disagreed, rule reject_without_reason: 2" in said
    run("import", str(export), "--adjudicator", "a@b.org")
    assert "nothing new: every answer was here already" in capsys.readouterr().err


def test_another_screen_is_read_by_the_names_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = tmp_path / "export.json"
    result = [{"from_name": "sentiment", "type": "choices", "value": {"choices": ["Fine"]}}]
    task = {"data": {"text": "t", "output": "o"}, "annotations": [{"id": 1, "result": result}]}
    export.write_text(json.dumps([task, {"data": {"image": "x"}, "annotations": [{"id": 2, "result": result}]}]))
    where = ("--data-root", str(tmp_path / "data"))
    with pytest.raises(AnnotationError) as caught:
        run("import", str(export), *where)
    text = str(caught.value)
    assert "no answer can be used: no verdict (1 of 2): controls answered: sentiment" in text
    assert "`--verdict sentiment` with `--means WORD=accept`" in text
    assert "no prompt (1 of 2): no prompt among the task's data" in text
    assert not (tmp_path / "data").exists()
    run("import", str(export), *where, "--verdict", "sentiment", "--means", "Fine=accept")
    said = capsys.readouterr().err
    assert "1 new records in" in said
    assert "not usable, no prompt: 1; first: task 1: no prompt among the task's data" in said


def test_an_export_that_nobody_has_answered_is_no_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = tmp_path / "export.json"
    export.write_text(json.dumps([{"data": {"text": "t", "output": "o"}, "annotations": []}]))
    run("import", str(export), "--data-root", str(tmp_path / "data"))
    assert "nothing new: nobody has answered yet" in capsys.readouterr().err


def test_words_without_a_meaning_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        run("import", str(tmp_path / "x.json"), "--means", "Fine", "--means", "Good=acept")
    text = str(caught.value)
    assert "'Fine' gives no word a meaning" in text
    assert "did you mean 'accept'?" in text
    assert "--means" in text


def test_a_bad_export_adds_nothing(tmp_path: Path) -> None:
    export = tmp_path / "export.csv"
    export.write_text("id,verdict\n")
    with pytest.raises(AnnotationError, match="not JSON"):
        run("import", str(export), "--data-root", str(tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_a_file_that_cannot_be_written_and_a_limit_of_nothing_are_told(
    data: Callable[[], dict[str, dict[str, Any]]],
) -> None:
    data()
    with pytest.raises(ConfigError) as caught:
        run("tasks", "--to", "nowhere/tasks.json", "--recipe", "recipe.toml")
    assert caught.value.where == "nowhere/tasks.json"
    assert "a folder that is there" in caught.value.fix
    with pytest.raises(ConfigError, match="--limit is 0"):
        run("tasks", "--to", "tasks.json", "--recipe", "recipe.toml", "--limit", "0")
