"""Drafts on disk: added to, read, and taken into a recipe as sources."""

import json

import pytest

from pipeline.drafts import add_drafts, drafts_folder, read_drafts, with_drafts
from pipeline.recipe import Recipe
from schemas import ConfigError, SnapshotError
from tests.conftest import RECIPE

DRAFT = '\n[draft]\nmodel = "m"\nendpoint = "http://127.0.0.1:1/v1"\n'


def line(instruction="Add 2 and 3.", response="5", **more):
    return {
        "source": "questions", "template": "instruct", "fields": {"instruction": instruction, "response": response},
        "synthetic": {"kind": "draft", "model": "m", "prompt": "d", "parents": ["p"]}, "asked": [], "at": "", **more,
    }  # fmt: skip


def path_of(project):
    return drafts_folder(project.data, "tiny") / "questions.instruct.jsonl"


def test_lines_are_added_and_one_that_a_crash_cut_short_makes_way(tmp_path):
    path = tmp_path / "drafts" / "a.b.jsonl"
    add_drafts(path, [{"n": 1}])
    with path.open("ab") as file:
        file.write(b'{"n": 2, "te')
    assert read_drafts(path) == [{"n": 1}]
    add_drafts(path, [{"n": 3}, {"n": 4}])
    assert read_drafts(path) == [{"n": 1}, {"n": 3}, {"n": 4}]


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / "a.b.jsonl"
    path.write_text('{"n": 1}\nnonsense\n{"n": 3}\n', encoding="utf-8")
    with pytest.raises(SnapshotError) as caught:
        read_drafts(path)
    assert caught.value.where == f"{path}:2"


def test_a_recipe_without_the_section_reads_no_drafts_and_its_keys_stay(project):
    before = {name: one.record.key for name, one in project.run().items()}
    add_drafts(path_of(project), [line()])
    recipe = project.recipe
    assert with_drafts(recipe, project.data, project.root) is recipe
    assert project.ran() == []
    assert {name: one.record.key for name, one in project.outcomes.items()} == before


def test_a_section_without_drafts_changes_no_key_either(make_project):
    project = make_project()
    before = {name: one.record.key for name, one in project.run().items()}
    (project.root / "recipe.toml").write_text(RECIPE + DRAFT, encoding="utf-8")
    assert {name: one.record.key for name, one in project.run().items()} == before


def test_drafts_are_a_source_after_all_others_with_mark_meta_and_the_licence_of_their_source(make_project):
    project = make_project(
        RECIPE.replace('path = "questions.jsonl"', 'path = "questions.jsonl"\nlicense = "CC0-1.0"') + DRAFT
    )
    add_drafts(path_of(project), [line(author="ann"), line("Sort the list.", "[1, 2]")])
    project.run(to="ingest")
    assert [source.name for source in with_drafts(project.recipe, project.data, project.root).ingest.sources] == [
        "questions", "notes", "draft-questions-instruct",
    ]  # fmt: skip
    first, second = (row for row in project.rows("ingest") if row["source"] == "draft-questions-instruct")
    assert first["marks"] == ["synthetic"]
    assert first["origin"] == "data/drafts/tiny/questions.instruct.jsonl:1"
    assert first["license"] == "CC0-1.0"
    assert json.loads(first["meta"]) == {
        "author": "ann", "synthetic": {"kind": "draft", "model": "m", "prompt": "d", "parents": ["p"]},
    }  # fmt: skip
    assert {field["name"]: field["value"] for field in second["fields"]} == {
        "instruction": "Sort the list.", "response": "[1, 2]",
    }  # fmt: skip
    # One more draft is a new input of ingest; the parts of the other sources are taken over.
    add_drafts(path_of(project), [line("Name a fruit.", "Apple")])
    assert project.run(to="ingest")["ingest"].reused == 2


def test_drafts_of_a_source_that_is_gone_or_held_out_are_left_aside(make_project):
    project = make_project(RECIPE + DRAFT)
    add_drafts(path_of(project), [line()])
    add_drafts(drafts_folder(project.data, "tiny") / "gone.instruct.jsonl", [line() | {"source": "gone"}])
    names = [source.name for source in with_drafts(project.recipe, project.data, project.root).ingest.sources]
    assert names == ["questions", "notes", "draft-questions-instruct"]
    project.replace("recipe.toml", "[split]", '[split.hold_out]\nsources = ["questions"]\n[split]')
    recipe = project.recipe
    assert with_drafts(recipe, project.data, project.root) is recipe


def test_a_source_with_the_name_of_one_of_drafts_is_refused(make_project):
    project = make_project(RECIPE.replace('"notes"', '"draft-questions-instruct"') + DRAFT)
    add_drafts(path_of(project), [line()])
    with pytest.raises(ConfigError, match="has the name of a source of drafts"):
        project.run()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model": "m", "temperature": 0.5}, "at temperature 0 only"),
        ({"model": "m", "endpoint": "ftp://x/v1"}, "must begin with http"),
        ({"model": "m", "endpoint": "http://me:pw@x/v1"}, "must hold no key or password"),
        ({"model": "m", "endpoint": "http://x/v1", "key_env": "sk-secret"}, "key_env"),
        ({"model": "m", "invert_prompt": "Write."}, "where the response goes"),
    ],
)
def test_a_section_that_cannot_be_right_is_refused(settings, said):
    source = {"name": "a", "path": "a", "template": "instruct"}
    with pytest.raises(ValueError, match=said):
        Recipe.model_validate({"name": "x", "ingest": {"sources": [source]}, "draft": settings})
