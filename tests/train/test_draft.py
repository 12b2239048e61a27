"""Drafts, from a model's answer to the train side."""

import json
from collections import Counter

import pytest

from annotation.queue import queue_of
from pipeline.cli import run
from pipeline.drafts import REFUSED, drafts_folder, read_drafts
from pipeline.renderer import Renderer
from pipeline.template import load_templates
from schemas import ConfigError, DataError
from tests.train.chat_server import chat_server, said
from tests.train.drafted_project import OPEN, answer_rows, answered, drafted, question_in
from train.draft import fault_of
from train.draft_rows import ToAsk

TEMPLATES = load_templates([])
KEY = "sk-very-secret"
GOOD = dict(zip(OPEN, ("A cherry.", "Jade.", "The earth.", "The raven."), strict=True))


@pytest.fixture
def tuneloop(monkeypatch, capsys):
    """Return what runs a command in a project's folder: exit code, stdout and stderr."""

    def command(project, *words):
        monkeypatch.chdir(project.root)
        code = run([*words, "--recipe", "recipe.toml"])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


def lines(project, name="open.instruct.jsonl"):
    path = drafts_folder(project.data, "tiny") / name
    return read_drafts(path) if path.exists() else []


def asked_of(line):
    return line["asked"][-1]["content"]


@pytest.mark.slow
def test_a_draft_goes_the_whole_way_from_a_missing_response_to_the_train_side(make_project, tuneloop, monkeypatch):
    monkeypatch.setenv("TUNELOOP_DRAFT_KEY", KEY)
    with chat_server(lambda asked, _n: (200, said(GOOD[question_in(asked)]))) as (url, seen):
        project = drafted(make_project(), model="m", endpoint=url, license="MIT", max_share=1, system="Be short.")
        project.run()
        assert Counter(row["reason"] for row in project.dropped("annotate"))["to_write"] == 4
        waiting = {row["fields"][0]["value"]: row["id"] for row in project.rows("format") if not row["completion"]}
        code, out, err = tuneloop(project, "draft")
        assert (code, out) == (0, "data/drafts/tiny\n")
        assert "4 asked, 4 drafts kept" in err
        assert seen[0][1]["authorization"] == f"Bearer {KEY}"
        assert [one["role"] for one in seen[0][2]["messages"]] == ["system", "user"]
        # Nothing is asked twice, neither before the data are made anew nor after.
        assert "4 rows with a draft already" in tuneloop(project, "draft")[2]
        project.run()
        assert "nothing to ask" in tuneloop(project, "draft")[2]
        assert len(seen) == 4
    drafts = lines(project)
    assert {one["fields"]["instruction"]: one["fields"]["response"] for one in drafts} == GOOD
    for one in drafts:
        parent = waiting[one["fields"]["instruction"]]
        assert one["synthetic"] | {"prompt": ""} == {
            "kind": "draft", "model": "m", "prompt": "", "parents": [parent], "license": "MIT",
        }  # fmt: skip

    # People are not asked twice: the row without a response has gone where its draft is, and is no conflict.
    reasons = Counter(row["reason"] for row in project.dropped("annotate"))
    assert (reasons["draft_unreviewed"], reasons["to_write"]) == (4, 0)
    ids = {row["id"] for row in project.dropped("annotate") if row["reason"] == "draft_unreviewed"}
    gone = [row for row in project.dropped("dedupe") if row["source"] == "open"]
    assert {row["partner_id"] for row in gone} == ids
    assert not any("conflict" in row["marks"] for row in project.rows("format") if row["id"] in ids)
    assert not any(row["id"] in ids for row in project.rows("split"))
    queue = [*queue_of(project.data, project.recipe, TEMPLATES, random_share=0.1).rows()]
    assert {one.row["id"] for one in queue if one.kind == "ranked"} >= ids
    assert [one.state for one in queue if one.kind == "ranked"][:4] == ["draft_unreviewed"] * 4

    answered(project, "accept")
    project.run()
    kept = [row for row in project.rows("split") if row["id"] in ids]
    assert [(row["split"], row["status"]) for row in kept] == [("train", "accepted")] * 4
    meta = json.loads(kept[0]["meta"])
    assert meta["author"] in {"a0", "a1", "a2", "a3"}
    assert meta["synthetic"]["model"] == "m"
    held = [path for path in project.data.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert held == []


def test_a_draft_that_people_reject_leaves_the_prompt_to_be_written_and_is_not_drafted_again(make_project, tuneloop):
    with chat_server(lambda asked, _n: (200, said(GOOD[question_in(asked)]))) as (url, seen):
        project = drafted(make_project(), model="m", endpoint=url)
        project.run()
        tuneloop(project, "draft")
        project.run()
        answered(project, "reject")
        project.run()
        reasons = Counter(row["reason"] for row in project.dropped("annotate"))
        assert (reasons["rejected"], reasons["to_write"]) == (4, 4)
        assert "4 rows with a draft already" in tuneloop(project, "draft")[2]
        assert len(seen) == 4


def test_an_inversion_makes_a_new_example_of_a_train_response_and_follows_its_parent(make_project, tuneloop):
    def answer(asked, _n):
        text = asked["messages"][-1]["content"]
        assert text.startswith("Which question has this answer? ")
        return 200, said(f"What do people mean when they say {text[32:]}?")

    with chat_server(answer) as (url, seen):
        project = drafted(
            make_project(), model="m", endpoint=url, invert=["questions"], templates=["summarize"], max_share=1,
            invert_prompt="Which question has this answer? {response}",
        )  # fmt: skip
        project.run()
        parents = {row["id"]: row for row in project.rows("split") if row["source"] == "questions"}
        trained = {one: row for one, row in parents.items() if row["split"] == "train"}
        assert tuneloop(project, "draft")[0] == 0
        assert len(seen) == len(trained) > 0
    made = lines(project, "questions.instruct.jsonl")
    assert {line["synthetic"]["parents"][0] for line in made} == set(trained)
    for line in made:
        parent = trained[line["synthetic"]["parents"][0]]
        assert line["fields"]["response"] == parent["completion"][0]["content"]
        assert line["synthetic"]["kind"] == "inversion"
    project.run()
    answered(project, "accept")
    project.run()
    after = [row for row in project.rows("split") if row["source"] == "draft-questions-instruct"]
    assert len(after) == len(trained)
    assert {row["split"] for row in after} == {"train"}


def test_what_is_no_draft_is_counted_kept_apart_and_not_asked_again(make_project, tuneloop):
    bad = dict(
        zip(OPEN, (("", "stop"), ("Sorry, I cannot help with that.", "stop"), ("The ear", "length"), ("", "stop")),
            strict=True)
    )  # fmt: skip

    def answer(asked, _n):
        question = question_in(asked)
        text, ended = bad[question]
        return 200, said(asked["messages"][-1]["content"].upper() if question == OPEN[3] else text, ended)

    with chat_server(answer) as (url, seen):
        project = drafted(make_project(), model="m", endpoint=url)
        project.run(to="format")
        _, _, err = tuneloop(project, "draft")
        assert "4 asked, 0 drafts kept; not kept: " in err
        assert {line["reason"] for line in lines(project, REFUSED)} == {"empty", "refusal", "cut", "repeats_prompt"}
        assert "4 rows asked before in the same words, without a usable answer" in tuneloop(project, "draft")[2]
        assert len(seen) == 4
        # Another model may do better.
        project.replace("recipe.toml", 'model = "m"', 'model = "n"')
        tuneloop(project, "draft")
        assert len(seen) == 8
    assert project.ran(to="format") == []


def test_a_server_that_goes_away_is_a_service_error_and_what_it_said_before_is_kept(
    make_project, tuneloop, monkeypatch
):
    monkeypatch.setattr("train.draft._AT_ONCE", 1)
    monkeypatch.setattr("train.endpoint._LONGEST_WAIT", 0)
    down = True

    def answer(asked, n):
        return (503, b"over the limit") if down and n > 2 else (200, said(GOOD[question_in(asked)]))

    with chat_server(answer) as (url, seen):
        project = drafted(make_project(), model="m", endpoint=url)
        project.run(to="format")
        code, _, err = tuneloop(project, "draft")
        assert code == 5
        assert f"2 drafts are kept in {drafts_folder(project.data.relative_to(project.root), 'tiny')}" in err
        assert "over the limit" in err
        assert len(lines(project)) == 2
        down, n = False, len(seen)
        tuneloop(project, "draft")
        assert len(seen) == n + 2
    assert {line["fields"]["instruction"] for line in lines(project)} == set(OPEN)


def test_a_dry_run_says_what_it_would_ask_and_asks_nothing(make_project, tuneloop):
    project = drafted(make_project(), model="m", endpoint="http://127.0.0.1:9/v1", invert=["questions"], max_rows=5)
    project.run()
    code, out, err = tuneloop(project, "draft", "--dry-run", "--limit", "3")
    assert code == 0
    assert out.splitlines()[0] == "3 calls: 3 missing responses, 0 instructions to responses"
    assert "at most 768 tokens of answers" in out
    assert "over --limit or [draft] max_rows" in err
    assert tuneloop(project, "draft", "--dry-run")[1].startswith("5 calls: 4 missing responses, 1 instructions")
    assert not drafts_folder(project.data, "tiny").exists()


def test_a_recipe_without_the_section_or_with_unknown_names_says_how_to_mend_it(make_project, tuneloop):
    project = drafted(make_project())
    code, _, err = tuneloop(project, "draft")
    assert code == 2
    assert "the recipe does not say which model drafts" in err
    drafted(project, model="m", endpoint="http://127.0.0.1:9/v1", sources=["opne"], invert=["note"])
    code, _, err = tuneloop(project, "draft")
    assert code == 2
    assert "did you mean 'open'?" in err
    assert "did you mean 'notes'?" in err
    project.replace("recipe.toml", '"opne"', '"open"')
    project.replace("recipe.toml", '"note"', '"notes"')
    code, _, err = tuneloop(project, "draft")
    assert code == 2
    assert "run `tuneloop data` with it first" in err


def test_a_model_in_a_folder_drafts_and_is_asked_once(make_project, tuneloop, base_folder):
    project = drafted(make_project(), model=str(base_folder), max_new_tokens=4)
    project.run(to="format")
    code, _, err = tuneloop(project, "draft")
    assert code == 0
    # A base of chance stops where it happens to: all that counts is that every row has its outcome.
    assert len(lines(project)) + len(lines(project, REFUSED)) == 4
    assert "4 asked" in err
    assert {question_in({"messages": line["asked"]}) for line in (*lines(project), *lines(project, REFUSED))} == set(
        OPEN
    )
    project.replace("recipe.toml", "max_new_tokens = 4", "max_new_tokens = 128")
    _, _, err = tuneloop(project, "draft")
    assert "nothing to ask" in err


def test_a_prompt_too_long_for_the_folder_model_is_counted_and_the_rest_goes_on(make_project, tuneloop, base_folder):
    project = drafted(make_project(), model=str(base_folder), max_new_tokens=128)
    project.run(to="format")
    code, _, err = tuneloop(project, "draft")
    assert code == 0
    assert "too_long 4" in err
    assert lines(project, REFUSED) == []


def to_ask(**more):
    given = {
        "kind": "draft", "source": "s", "template": "classify", "parent": "p", "messages": [{"role": "user", "content": "Which?"}],
        "fields": {}, "fills": "", "turns": [], "kept": {}, "n_tokens": 1,
    }  # fmt: skip
    return ToAsk(**{**given, **more})


def test_a_response_must_be_a_choice_and_what_its_template_renders():
    maths = TEMPLATES["maths"][0]
    fills = next(name for name, field in maths.fields.items() if field.side == "response")
    fields = {name: "2 and 3" for name, field in maths.fields.items() if field.side == "prompt"}
    renderer = Renderer(maths)
    shown = renderer.render(fields | {fills: "5"}, "p").response
    fault = fault_of("5", to_ask(template="maths", fields=fields, fills=fills), maths, renderer)
    assert fault == ("" if shown == "5" else "not_rendered")
    field = maths.fields[fills].model_copy(update={"choices": ["6"]})
    choosy = maths.model_copy(update={"fields": {**maths.fields, fills: field}})
    assert fault_of("5", to_ask(template="maths", fields=fields, fills=fills), choosy, renderer) == "not_a_choice"
    assert fault_of(" which? ".strip(), to_ask(), TEMPLATES["chat"][0], None) == "repeats_prompt"
    assert fault_of("This one.", to_ask(), TEMPLATES["chat"][0], None) == ""


def test_a_recipe_with_nothing_but_open_prompts_can_be_drafted_reviewed_and_trained_on(make_project, tuneloop):
    with chat_server(lambda asked, _n: (200, said(GOOD[question_in(asked)]))) as (url, _):
        project = drafted(make_project(), model="m", endpoint=url)
        text = (project.root / "recipe.toml").read_text("utf-8")
        first, rest = text.index("[[ingest.sources]]"), text.index('[[ingest.sources]]\nname = "open"')
        (project.root / "recipe.toml").write_text(text[:first] + text[rest:], encoding="utf-8")
        with pytest.raises(DataError, match="annotate kept no row") as caught:
            project.run()
        assert "they wait for people" in caught.value.fix
        assert tuneloop(project, "draft")[0] == 0
        with pytest.raises(DataError, match="annotate kept no row"):
            project.run()
    queue = [*queue_of(project.data, project.recipe, TEMPLATES).rows()]
    assert [one.state for one in queue] == ["draft_unreviewed"] * 4
    answer_rows(project, [one.row for one in queue], "accept")
    with pytest.raises(ConfigError, match="all 4 train rows are synthetic") as caught:
        project.run()
    assert caught.value.fix.startswith("set draft.max_share = 1")
    project.replace("recipe.toml", "[draft]\n", "[draft]\nmax_share = 1\n")
    assert project.run()["split"].record.rows_kept == 4
