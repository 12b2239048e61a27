"""A tiny project published whole, then looked at as a stranger would who has the folder alone."""

import json
import socket
from pathlib import Path
from typing import Any

import mlcroissant
import pyarrow.parquet as pq
import pytest
import yaml
from datasets import load_dataset

from pipeline.annotations import add_annotations
from pipeline.cli import run
from pipeline.screen import screen
from schemas import Annotation

ANN, BEN = "ann@example.org", "ben@example.org"
NAME = "Zebedee-of-this-machine"


@pytest.fixture
def tuneloop(project, monkeypatch, capsys):
    """Run commands in the tiny project; return exit code, stdout and stderr."""
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("LOGNAME", NAME)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(project.root / "cache"))
    monkeypatch.delenv("TUNELOOP_PUBLISH_SALT", raising=False)

    def command(*words: str) -> tuple[int, str, str]:
        code = run([*words, *(["--recipe", "recipe.toml"] if words[0] in ("publish", "tag") else [])])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def answer(row: dict[str, Any], who: str, verdict: str, response: str | None = None) -> Annotation:
    return Annotation(
        key=f"ls:1:{row['id']}-{who}",
        example=row["id"],
        source=row["source"],
        seen=screen(row["prompt"], row["completion"]),
        annotator=who,
        verdict=verdict,  # type: ignore[arg-type]
        response=response,
        error_types=["wrong fact"] if verdict == "edit" else [],
        comment=f"{who} says so",
        guideline="5d01",
        created_at="2026-11-27T09:14:03Z",
        updated_at="2026-11-27T09:14:03Z",
    )


def reviewed(project) -> dict[str, str]:
    """Run the project, let two people answer, run it again; return which row is which.

    capital: both accept; river: ann edits, ben accepts, so it is disputed and dropped; gas: ann edits.
    """
    project.run()
    rows = {row["prompt"][0]["content"]: row for row in project.rows("format")}  # type: ignore[index]
    capital, river, gas = (
        next(row for text, row in rows.items() if part in text) for part in ("capital", "river", "gas")
    )
    add_annotations(
        project.data,
        [
            answer(capital, ANN, "accept"),
            answer(capital, BEN, "accept"),
            answer(river, ANN, "edit", "the Nile, at 6,650 km"),
            answer(river, BEN, "accept"),
            answer(gas, ANN, "edit", "CO2, carbon dioxide"),
        ],
    )
    project.run()
    return {"capital": capital["id"], "river": river["id"], "gas": gas["id"]}  # type: ignore[dict-item]


def everything_in(folder: Path) -> str:
    """Return all texts of all files, tables decoded."""
    texts = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            texts += [json.dumps(table.to_pylist(), ensure_ascii=False), str(pq.read_metadata(path).metadata)]
        elif path.is_file():
            texts.append(path.read_text("utf-8"))
    return "\n".join(texts)


def test_a_stranger_loads_both_tables_and_learns_nothing_of_us(tuneloop, project):
    ids = reviewed(project)
    tuneloop("tag", "v1")
    code, out, err = tuneloop("publish", "v1", "--to", "out")
    assert (code, out) == (0, f"{project.root}/out/v1\n")
    assert "source questions" in err
    assert "licence is not stated" in err
    folder = project.root / "out" / "v1"

    rows = [row for side in load_dataset(str(folder)).values() for row in side]
    assert sorted(row["id"] for row in rows) == sorted(row["id"] for row in project.rows("split"))
    answers = [row for side in load_dataset(str(folder), "annotations").values() for row in side]
    # The disputed row was dropped, and its answers stay here too.
    assert sorted((row["example"], row["verdict"], row["edited"], row["day"]) for row in answers) == sorted(
        [
            (ids["capital"], "accept", False, "2026-11-27"),
            (ids["capital"], "accept", False, "2026-11-27"),
            (ids["gas"], "edit", True, "2026-11-27"),
        ]
    )
    by_id = {row["id"]: row for row in rows}
    people = {row["annotator"] for row in answers}
    assert len(people) == 2
    assert set(by_id[ids["capital"]]["annotators"]) == people
    assert by_id[ids["gas"]]["completion"][0]["content"] == "CO2, carbon dioxide"

    told = everything_in(folder)
    for secret in (ANN, BEN, "says so", NAME, socket.gethostname(), str(project.root), "questions.jsonl", '"a1"'):
        assert secret not in told, secret
    assert (project.data / "publish" / "salt").read_text().strip() not in told
    assert not (project.data / "publish" / "tmp").exists()


def test_the_card_tells_agreement_licences_and_what_nobody_answered(tuneloop, project):
    reviewed(project)
    project.replace("recipe.toml", "[format]", '[publish]\ntitle = "Tiny"\n[format]')
    (project.root / "datasheet.toml").write_text(
        '[people]\npay = "18 euros an hour"\n[contact]\nauthors = "A Lee, B Poe"\n'
    )
    code, _, err = tuneloop("publish", "--to", "out")
    assert code == 0
    assert "not answered in datasheet.toml: motivation.purpose" in err
    assert "people.pay" not in err
    (folder,) = (path for path in (project.root / "out").iterdir() if path.is_dir())
    card = (folder / "README.md").read_text("utf-8")
    assert "3 answers of 2 people stand behind these examples" in card
    # capital: both accept, river: edit and accept; of 4 comparable answers 3 accept and 1 edits, so by chance
    # 6/12 of the pairs differ, and 1/2 do: alpha 0.
    assert "over 5 answers" in card
    assert "| instruct |  | verdict | 4 | 0.00 (" in card
    assert "minimum wage?** 18 euros an hour" in card
    assert "- Which errors, gaps and biases are known?" in card
    assert "the licence is not stated" in card
    citation = yaml.safe_load((folder / "CITATION.cff").read_text("utf-8"))
    assert citation["title"] == "Tiny"
    assert citation["authors"] == [{"name": "A Lee"}, {"name": "B Poe"}]


def test_other_tools_read_the_metadata_and_every_record(tuneloop, project):
    reviewed(project)
    tuneloop("publish", "--to", "out")
    (path,) = (project.root / "out").glob("*/croissant.json")
    metadata = mlcroissant.Dataset(str(path))
    assert not metadata.metadata.issues.errors
    records = {record["default/id"].decode(): record for record in metadata.records("default")}
    rows = {row["id"]: row for row in project.rows("split")}
    assert set(records) == set(rows)
    for key, row in rows.items():
        prompt = [message["default/prompt/content"].decode() for message in records[key]["default/prompt"]]
        assert prompt == [message["content"] for message in row["prompt"]]  # type: ignore[attr-defined]
    assert sum(1 for _ in metadata.records("annotations")) == 3


def test_the_same_person_has_the_same_name_in_the_next_version(tuneloop, project):
    reviewed(project)

    def names() -> set[str]:
        _, out, _ = tuneloop("publish", "--to", "out")
        return {
            row["annotator"]
            for path in Path(out.strip()).glob("annotations/*")
            for row in pq.read_table(path).to_pylist()
        }

    before = names()
    project.replace("questions.jsonl", "eight", "8 legs")
    project.run()
    assert names() == before
    assert len([path for path in (project.root / "out").iterdir() if path.is_dir()]) == 2


def test_personal_data_is_not_published_by_chance(tuneloop, project):
    project.replace("questions.jsonl", "carbon dioxide", "carbon dioxide, says ann@example.org")
    project.run()
    code, out, err = tuneloop("publish", "--to", "out")
    assert (code, out) == (4, "")
    assert "1 examples hold what looks like personal data: 1 email" in err
    assert "ann@example.org" not in err
    assert "--acknowledge pii" in err
    assert not (project.root / "out").exists()
    code, out, _ = tuneloop("publish", "--to", "out", "--acknowledge", "pii")
    assert code == 0
    assert "1 email in 1 examples. They were published knowingly." in (Path(out.strip()) / "README.md").read_text(
        "utf-8"
    )
    assert json.loads((Path(out.strip()) / "manifest.json").read_text())["acknowledged"] == ["pii"]


def test_redacted_data_needs_no_acknowledgement(tuneloop, project):
    project.replace("questions.jsonl", "carbon dioxide", "carbon dioxide, says ann@example.org")
    project.replace("recipe.toml", "[ingest]", '[ingest]\npii = "redact"')
    project.run()
    code, out, _ = tuneloop("publish", "--to", "out")
    assert code == 0
    assert "says [EMAIL]" in everything_in(Path(out.strip()))


def test_a_source_that_may_not_be_passed_on_stops_it(tuneloop, project):
    project.replace("recipe.toml", 'key = "id"', 'key = "id"\nlicense = "CC-BY-ND-4.0"')
    project.run()
    code, _, err = tuneloop("publish", "--to", "out")
    assert code == 4
    assert "source notes is under CC-BY-ND-4.0, which forbids changed versions" in err
    code, out, _ = tuneloop("publish", "--to", "out", "--acknowledge", "license,pii")
    assert code == 0
    assert "Published although it was told of: licence." in (Path(out.strip()) / "README.md").read_text("utf-8")


def test_kept_columns_leave_by_name_alone(tuneloop, project):
    def meta(to: str) -> set[str]:
        _, out, _ = tuneloop("publish", "--to", to)
        return {row["meta"] for path in Path(out.strip()).glob("data/*") for row in pq.read_table(path).to_pylist()}

    project.run()
    assert meta("out") == {"{}"}
    project.replace("recipe.toml", "[format]", '[publish]\nmeta = ["key"]\n[format]')
    assert meta("other") == {"{}", *(f'{{"key":"n{n}"}}' for n in range(4))}


def test_a_kept_column_that_no_row_has_is_told(tuneloop, project):
    project.replace("recipe.toml", "[format]", '[publish]\nmeta = ["key", "kez"]\n[format]')
    project.run()
    _, _, err = tuneloop("publish", "--to", "out")
    assert "no row keeps a column 'kez', which [publish] meta names" in err
    assert "'key'" not in err


def test_settings_of_publishing_make_no_data_anew(tuneloop, project):
    project.run()
    project.replace("recipe.toml", "[format]", '[publish]\nmeta = ["key"]\n[format]')
    assert project.ran() == []


def test_a_first_publish_writes_the_datasheet_beside_the_recipe(tuneloop, project):
    code, out, _ = tuneloop("publish", "--datasheet")
    assert (code, out) == (0, "datasheet.toml\n")
    assert (project.root / "datasheet.toml").exists()


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ((), "no place is named"),
        (("--to", "out"), "recipe tiny has no split yet"),
        (("--to", "out", "--acknowledge", "pi"), "did you mean 'pii'?"),
        (("--to", "hf://team"), "names no repository"),
        (("v9", "--to", "out"), "0 versions begin with 'v9'"),
    ],
)
def test_what_cannot_be_done_is_told_with_a_cure(tuneloop, project, words, what):
    code, out, err = tuneloop("publish", *words)
    assert (code, out) == (2, "")
    assert what in err


def test_a_published_folder_is_fetched_and_loads(tuneloop, project):
    project.run()
    tuneloop("tag", "v1")
    tuneloop("publish", "--to", "out")
    code, out, err = tuneloop("fetch", "out", "--to", "here", "--revision", "v1")
    assert (code, out) == (0, "here\n")
    assert "load it by: datasets.load_dataset('here')" in err
    assert sum(len(side) for side in load_dataset(str(project.root / "here")).values()) == len(project.rows("split"))
    assert "0 files brought" in tuneloop("fetch", "out", "--to", "here")[2]
