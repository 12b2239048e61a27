import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from annotation.answers_cli import export
from annotation.answers_file import COLUMNS, write_answers
from annotation.safe_csv import SIGNS, unescaped
from pipeline.annotations import add_annotations
from schemas import Annotation, AnnotationError, ConfigError

ANN, BEN = "ann@example.org", "ben@example.org"


def answer(n: int = 1, who: str = ANN, **more: Any) -> Annotation:
    moment = f"2026-01-0{n}T00:00:00Z"
    fields = {
        "key": f"ls:1:{n}", "example": f"e{n}", "annotator": who, "verdict": "edit", "response": "4",
        "seen": {"prompt": [{"role": "user", "content": "2 + 2?"}], "response": "5"}, "error_types": ["a", "b"],
        "created_at": moment, "updated_at": moment, "lead_time_seconds": 7.5, "rating": 3,
    }  # fmt: skip
    return Annotation.model_validate(fields | more)


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))


def test_csv_has_a_line_an_answer(tmp_path: Path) -> None:
    assert write_answers(tmp_path / "a.csv", [answer()], {ANN: "a1"}) == 1
    (row,) = read(tmp_path / "a.csv")
    assert tuple(row) == COLUMNS
    told = {
        name: row[name] for name in ("annotator", "prompt", "shown", "response", "error_types", "rating", "comment")
    }
    assert told == {
        "annotator": "a1", "prompt": "2 + 2?", "shown": "5", "response": "4", "error_types": "a; b", "rating": "3",
        "comment": "",
    }  # fmt: skip


def test_json_holds_every_field_and_reads_back(tmp_path: Path) -> None:
    one = answer(comment="ü\u2028=1")
    write_answers(tmp_path / "a.json", [one], {ANN: ANN})
    (read_back,) = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert Annotation.model_validate(read_back) == one


def test_another_format_and_a_missing_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        write_answers(tmp_path / "a.xlsx", [], {})
    assert "end the name in .json or .csv" in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be written"):
        write_answers(tmp_path / "nowhere" / "a.json", [], {})


def test_the_command_shows_pseudonyms_unless_names_are_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_annotations(tmp_path, [answer(1), answer(2, BEN)])
    app = App(name="annotate")
    app.command(export)

    def run(*words: str) -> str:
        app(["export", "--data-root", str(tmp_path), *words], exit_on_error=False, result_action="return_value")
        return capsys.readouterr().err

    out = tmp_path / "a.json"
    assert "2 answers of 2 people" in run("--to", str(out))
    assert "@" not in out.read_text("utf-8")
    assert "it names people" in run("--to", str(out), "--names")
    assert ANN in out.read_text("utf-8")
    (tmp_path / "annotations" / "people.json").unlink()
    with pytest.raises(AnnotationError) as caught:
        run("--to", str(out))
    assert "2 annotators have no pseudonym" in str(caught.value)


@pytest.mark.shared
def test_published_payloads_in_any_text_never_begin_a_cell(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "csv-injection-payloads" / "Intruder" / "csv-payload.txt"
    payloads = [*path.read_text("utf-8").splitlines(), "\t=1+1", "-2+3", "@A1"]
    answers = [
        answer(
            1, who=payload, key=payload, example=payload, source=payload, response=payload, comment=payload,
            error_types=[payload], round=payload, guideline=payload, contradiction=payload, purpose=payload,
            seen={"prompt": [{"role": "user", "content": payload}], "response": payload},
        )
        for payload in payloads
    ]  # fmt: skip
    write_answers(tmp_path / "a.csv", answers, {payload: payload for payload in payloads})
    rows = read(tmp_path / "a.csv")
    assert len(rows) == len(payloads)
    for row, payload in zip(rows, payloads, strict=True):
        assert not any(cell and cell[0] in SIGNS for cell in row.values())
        assert {unescaped(row[name]) for name in ("prompt", "shown", "response", "comment", "annotator")} == {payload}
