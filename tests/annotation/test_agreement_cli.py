import csv
import json
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App
from tokenizers import Tokenizer, models, pre_tokenizers

from annotation.agreement_cli import agreement_command
from pipeline import refs
from pipeline.annotations import add_annotations
from pipeline.recipe import load_recipe
from pipeline.run import run_data
from pipeline.screen import screen
from pipeline.snapshot import Snapshot
from schemas import Annotation, AnnotationError, ConfigError

RECIPE = """
name = "tiny"
[format]
tokenizer = "tokenizer"
[[ingest.sources]]
name = "sums"
path = "sums.jsonl"
template = "instruct"
fields = { instruction = "q", response = "a" }
keep = ["language"]
"""
SUMS = [("What is two and two?", "5", "en"), ("Wer schrieb Faust?", "Goethe", "de"), ("Name a colour.", "red", "en")]
ANN, BEN = "ann@example.org", "ben@example.org"
app = App()
app.command(agreement_command, name="agreement")


def run(*words: str) -> None:
    app(["agreement", "--recipe", "recipe.toml", *words], exit_on_error=False, result_action="return_value")


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: Any) -> dict[str, dict[str, Any]]:
    """A tiny project that has run up to annotate; its rows by response."""
    monkeypatch.chdir(tmp_path)
    words = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    Path("tokenizer").mkdir()
    words.save("tokenizer/tokenizer.json")
    Path("recipe.toml").write_text(RECIPE)
    Path("sums.jsonl").write_text("".join(json.dumps({"q": q, "a": a, "language": x}) + "\n" for q, a, x in SUMS))
    run_data(load_recipe(Path("recipe.toml")), Path("data"), quiet, to="annotate", workers=1)
    record = refs.newest(Path("data"), "annotate", "tiny")
    assert record is not None
    table = Snapshot.open(Path("data/annotate"), record.version).table()
    return {row["completion"][0]["content"]: row for row in table.to_pylist()}


def answer(row: dict[str, Any], who: str, verdict: str, **more: Any) -> Annotation:
    when = "2026-01-01T00:00:00Z"
    return Annotation.model_validate(
        {
            "key": f"ls:1:{row['id']}{who}", "example": row["id"], "source": "sums", "annotator": who,
            "seen": screen(row["prompt"], row["completion"]), "verdict": verdict,
            "created_at": when, "updated_at": when, **more,
        }
    )  # fmt: skip


def test_agreement_is_told_by_template_language_and_person(
    rows: dict[str, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [
        answer(rows["5"], ANN, "reject", error_types=["=wrong"]), answer(rows["5"], BEN, "accept"),
        answer(rows["red"], ANN, "accept"), answer(rows["red"], BEN, "accept"),
        answer(rows["Goethe"], ANN, "accept"),
    ]  # fmt: skip
    add_annotations(Path("data"), answers)
    run("--kappa", "--csv", "agreement.csv")
    said = capsys.readouterr()
    lines = [line.split() for line in said.out.splitlines()]
    # en: reject accept, accept accept: observed 1/2, expected 2 * 3 * 1 / (4 * 3) = 1/2: alpha 0, as kappa.
    assert lines[2][:6] == ["instruct", "en", "verdict", "2", "4", "0.00"]
    assert lines[1][:3] == ["instruct", "de", "verdict"]
    assert said.out.splitlines()[1].endswith("alpha, nominal: one person gave all answers")
    assert lines[3][:6] == ["a1", "and", "a2", "2", "4", "0.00"]
    assert "5 of 5 answers counted" in said.err
    assert "not judged: fewer than 30 items" in said.out
    assert "example.org" not in said.out + said.err + Path("agreement.csv").read_text("utf-8-sig")

    with Path("agreement.csv").open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert {line["question"] for line in table} == {"verdict", "error: =wrong"}
    (kappa,) = [line for line in table if line["measure"] == "Cohen's kappa" and line["question"] == "verdict"]
    assert (kappa["annotator"], kappa["other_annotator"], kappa["value"]) == ("a1", "a2", "0.0")


def test_without_answers_the_command_says_how_to_get_some(rows: dict[str, dict[str, Any]]) -> None:
    with pytest.raises(AnnotationError) as caught:
        run()
    assert "there are no answers yet" in str(caught.value)
    assert "tuneloop annotate import" in caught.value.fix


def test_a_csv_file_that_cannot_be_written_is_named(rows: dict[str, dict[str, Any]]) -> None:
    add_annotations(Path("data"), [answer(rows["5"], ANN, "accept")])
    with pytest.raises(ConfigError, match="cannot be written: No such file") as caught:
        run("--csv", "nowhere/agreement.csv")
    assert caught.value.where == "nowhere/agreement.csv"


def test_answers_about_other_data_are_told_without_a_template(
    rows: dict[str, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    add_annotations(Path("data"), [answer({**rows["5"], "id": "gone"}, who, "accept") for who in (ANN, BEN)])
    run()
    said = capsys.readouterr()
    assert "(not in the data)" in said.out
    assert "every answer is 'accept'" in said.out
    assert "no data under data that these answers are about" in said.err
