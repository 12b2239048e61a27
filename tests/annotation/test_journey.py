"""People's work survives: one project, reviewed once, then changed in every way that must lose nothing."""

import json
from pathlib import Path

import pytest

from annotation.cli import app
from pipeline.explain import explain

ANSWERS = {
    "William Shakespeare": {"verdict": "accept"},
    "the Nile": {"verdict": "edit", "text": "the River Nile"},
    "Brot": {"verdict": "reject", "error": "wrong answer"},
    "Good cherries near Toft.": {"verdict": "accept"},
    "Dear Ann": {"verdict": "accept"},
}


def run(*words: str) -> None:
    app(list(words), exit_on_error=False, result_action="return_value")


@pytest.fixture
def reviewed(project, monkeypatch):
    """The tiny project after one round of review by one person."""
    monkeypatch.chdir(project.root)
    project.run(to="annotate")
    run("tasks", "--to", "tasks.json", "--recipe", "recipe.toml")
    tasks = json.loads(Path("tasks.json").read_text("utf-8"))
    at = {"created_at": "2026-03-01T09:00:00Z", "updated_at": "2026-03-01T09:00:00Z"}
    for number, task in enumerate(tasks):
        answer = ANSWERS.get(task["data"]["response"])
        results = []
        if answer:
            results.append({"from_name": "verdict", "type": "choices", "value": {"choices": [answer["verdict"]]}})
            text = answer.get("text", task["data"]["response"])
            results.append({"from_name": "response", "type": "textarea", "value": {"text": [text]}})
        given = [{"id": number, "completed_by": 7, "result": results, **at}] if answer else []
        task.update(id=number, project=1, annotations=given)
    Path("export.json").write_text(json.dumps(tasks), encoding="utf-8")
    run("import", "export.json")
    project.run()
    return project


def statuses(project) -> dict[str, str]:
    """Return response to status, dropped rows included."""
    rows = {str(row["completion"][0]["content"]): str(row["status"]) for row in project.rows("annotate")}
    gone = {str(row["completion"][0]["content"]): f"dropped {row['reason']}" for row in project.dropped("annotate")}
    return rows | gone


REVIEWED = {
    "William Shakespeare": "accepted",
    "the River Nile": "edited",
    "Brot": "dropped rejected",
    "Good cherries near Toft.": "accepted",
}


def answered(project) -> dict[str, str]:
    return {text: status for text, status in statuses(project).items() if text in REVIEWED}


def orphans(project) -> int:
    return project.outcomes["annotate"].record.counts.get("orphans", 0)


def test_answers_reach_the_data(reviewed):
    assert answered(reviewed) == REVIEWED
    assert orphans(reviewed) == 0


def test_a_new_answer_makes_no_part_of_dedupe_again(reviewed):
    dedupe = reviewed.outcomes["dedupe"]
    assert dedupe.why == ["annotated changed"]
    assert dedupe.reused == len(dedupe.record.parts) == 2


def test_moving_the_source_file_loses_no_answer(reviewed):
    (reviewed.root / "moved").mkdir()
    (reviewed.root / "questions.jsonl").rename(reviewed.root / "moved" / "q.jsonl")
    reviewed.replace("recipe.toml", 'path = "questions.jsonl"', 'path = "moved/q.jsonl"')
    assert "ingest" in reviewed.ran()
    assert answered(reviewed) == REVIEWED
    assert orphans(reviewed) == 0


def test_renaming_a_template_field_loses_no_answer(project, monkeypatch, request):
    builtin = Path(__file__).resolve().parents[2] / "pipeline" / "templates" / "summarize.yaml"
    own = project.root / "mine" / "brief.yaml"
    own.parent.mkdir()
    text = builtin.read_text("utf-8").replace("name: summarize", "name: brief", 1)
    own.write_text(text, encoding="utf-8")
    project.replace("recipe.toml", 'name = "tiny"', 'name = "tiny"\ntemplate_dirs = ["mine"]')
    project.replace("recipe.toml", 'template = "summarize"', 'template = "brief"')
    reviewed = request.getfixturevalue("reviewed")
    own.write_text(text.replace("summary:", "gist:").replace("{{ summary }}", "{{ gist }}"), encoding="utf-8")
    project.replace("recipe.toml", "summary =", "gist =")
    assert "ingest" in reviewed.ran()
    assert "gist" in {field["name"] for row in reviewed.rows("ingest") for field in row["fields"]}
    assert answered(reviewed) == REVIEWED
    assert orphans(reviewed) == 0


def test_turning_redaction_on_loses_no_answer(project, request):
    with (project.root / "questions.jsonl").open("a") as file:
        file.write('{"q": "Write to ann.berg@example.com about the bread.", "a": "Dear Ann"}\n')
    reviewed = request.getfixturevalue("reviewed")
    assert statuses(reviewed)["Dear Ann"] == "accepted"
    reviewed.replace("recipe.toml", "[ingest]", '[ingest]\npii = "redact"')
    assert "ingest" in reviewed.ran()
    assert answered(reviewed) == REVIEWED
    assert orphans(reviewed) == 0
    (row,) = [row for row in reviewed.rows("annotate") if "stale" in row["marks"]]
    # The text is another now, so the answer waits beside it: stale, not lost.
    assert "[EMAIL]" in row["prompt"][-1]["content"]
    assert row["status"] == "unreviewed"


def test_mending_a_text_makes_its_answer_stale_and_loses_no_other(reviewed):
    reviewed.replace("notes.csv", "Good cherries near Toft.", "A good cherry harvest near Toft.")
    reviewed.run()
    assert statuses(reviewed)["A good cherry harvest near Toft."] == "unreviewed"
    (row,) = [row for row in reviewed.rows("annotate") if "stale" in row["marks"]]
    assert row["completion"][0]["content"] == "A good cherry harvest near Toft."
    assert orphans(reviewed) == 0
    rest = {text: status for text, status in REVIEWED.items() if "Toft" not in text}
    assert answered(reviewed) == rest


def story(project, origin: str) -> str:
    chapters = explain(project.data, "tiny", origin)
    return "\n".join(f"{one.stage} ({one.fate})\n" + "\n".join(f"  {line}" for line in one.lines) for one in chapters)


def test_explain_tells_of_a_kept_row(reviewed):
    told = story(reviewed, "questions.jsonl:3")
    assert "read from questions.jsonl:3 (source questions) for template instruct" in told
    assert "response: William Shakespeare" in told
    assert "answers (a1)\n  2026-03-01T09:00:00" in told
    assert "status accepted" in told
    assert "votes: a1 accept" in told
    assert ", for good" in told


def test_explain_tells_of_an_edited_row_what_it_was_and_who_changed_it_when(reviewed):
    told = story(reviewed, "questions.jsonl:6")
    assert "edited from: the Nile\n  to: the River Nile" in told
    assert "2026-03-01T09:00:00" in told
    assert "wrote: the River Nile" in told


def test_explain_tells_of_a_rejected_row_why_it_went(reviewed):
    told = story(reviewed, "questions.jsonl:9")
    assert "annotate (dropped)" in told
    assert "dropped as rejected" in told
    assert "split" not in told


def test_explain_tells_of_a_stale_row_what_was_seen_then(reviewed):
    reviewed.replace("notes.csv", "Good cherries near Toft.", "A good cherry harvest near Toft.")
    reviewed.run()
    told = story(reviewed, "notes.csv:5")
    assert "status unreviewed (an older answer no longer fits)" in told
    assert "saw: Good cherries near Toft." in told
    assert "summary: A good cherry harvest near Toft." in told


def test_explain_tells_of_a_duplicate_which_row_stands_for_it(reviewed):
    told = {origin: story(reviewed, origin) for origin in ("questions.jsonl:1", "questions.jsonl:2")}
    gone, stays = sorted(told, key=lambda origin: "dropped as" not in told[origin])
    assert "because of" in told[gone]
    assert f"({stays}), similarity" in told[gone]


def test_explain_tells_of_a_quarantined_row_as_it_stands_in_the_file(reviewed):
    told = story(reviewed, "questions.jsonl:8")
    assert 'as it stands there: {"q": "", "a": "nothing to answer"}' in told
    assert "dropped as empty_prompt" in told
