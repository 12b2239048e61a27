"""What lies beside a split: the card and the Croissant metadata."""

import json
from pathlib import Path

import mlcroissant

from pipeline.snapshot import Snapshot


def folder_of(project) -> Path:
    return project.data / "split" / project.outcomes["split"].record.version


def test_the_metadata_of_a_split_is_valid_and_every_record_is_read(project):
    project.run()
    metadata = mlcroissant.Dataset(str(folder_of(project) / "croissant.json"))
    assert not metadata.metadata.issues.errors
    records = list(metadata.records("default"))
    rows = {row["id"]: row for row in project.rows("split")}
    assert {record["default/id"].decode() for record in records} == set(rows)
    for record in records:
        row = rows[record["default/id"].decode()]
        assert record["default/n_prompt_tokens"] == row["n_prompt_tokens"]
        said = [message["default/completion/content"].decode() for message in record["default/completion"]]
        assert said == [message["content"] for message in row["completion"]]  # type: ignore[attr-defined]


def test_the_metadata_names_the_files_with_their_digests_and_the_licence_all_share(project):
    project.replace("recipe.toml", 'key = "id"', 'key = "id"\nlicense = "MIT"')
    project.replace("recipe.toml", 'path = "questions.jsonl"', 'path = "questions.jsonl"\nlicense = "mit"')
    project.run()
    said = json.loads((folder_of(project) / "croissant.json").read_text("utf-8"))
    assert said["license"] in ("MIT", "mit")
    files = [one for one in said["distribution"] if one["@type"] == "cr:FileObject"]
    assert {one["name"] for one in files} == {path.name for path in folder_of(project).glob("*.parquet")}


def test_licences_that_do_not_go_together_are_named_in_the_card(project):
    project.replace("recipe.toml", 'key = "id"', 'key = "id"\nlicense = "CC-BY-NC-4.0"')
    project.replace("recipe.toml", 'path = "questions.jsonl"', 'path = "questions.jsonl"\nlicense = "CC-BY-SA-4.0"')
    project.run()
    card = (folder_of(project) / "README.md").read_text("utf-8")
    assert "CC-BY-NC-4.0 (source notes) and CC-BY-SA-4.0 (source questions) do not go together" in card
    assert "| notes | CC-BY-NC-4.0 | 4 |" in card
    assert "license" not in json.loads((folder_of(project) / "croissant.json").read_text("utf-8"))


def test_drafts_stand_under_the_licence_of_the_model_that_wrote_them(project):
    lines = (project.root / "questions.jsonl").read_text("utf-8").splitlines()
    draft = {
        "q": "Who was Hypatia?",
        "a": "A mathematician.",
        "synthetic": {"model": "/home/ann/mine", "license": "llama3"},
    }
    lines = [json.dumps(json.loads(line) | {"synthetic": None}) for line in lines] + [json.dumps(draft)]
    (project.root / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    project.replace("recipe.toml", 'path = "questions.jsonl"', 'path = "questions.jsonl"\nkeep = ["synthetic"]')
    project.run()
    card = (folder_of(project) / "README.md").read_text("utf-8")
    assert "| mine | llama3 | 1 |" in card
    assert "- drafts by mine: llama3 asks that a model trained on it have Llama at the start of its name." in card
    assert "/home/ann" not in card


def test_a_split_is_the_same_version_with_and_without_its_papers(project):
    project.run()
    version = project.outcomes["split"].record.version
    for name in ("README.md", "croissant.json"):
        (folder_of(project) / name).unlink()
    assert Snapshot.open(project.data / "split", version).manifest.version == version


def test_a_licence_or_a_language_of_a_stranger_s_file_is_no_markup(project):
    lines = (project.root / "questions.jsonl").read_text("utf-8").splitlines()
    marked = [json.dumps(json.loads(line) | {"language": "<script>alert(1)</script>"}) for line in lines]
    (project.root / "questions.jsonl").write_text("\n".join(marked) + "\n", encoding="utf-8")
    project.replace(
        "recipe.toml", 'path = "questions.jsonl"',
        'path = "questions.jsonl"\nkeep = ["language"]\nlicense = "![x](//evil.invalid/x)"',
    )  # fmt: skip
    project.run()
    card = (folder_of(project) / "README.md").read_text("utf-8")
    assert "| &lt;script&gt;alert(1)&lt;/script&gt; |" in card
    assert "| questions | \\!\\[x\\](//evil.invalid/x) |" in card
    assert "<script" not in card
