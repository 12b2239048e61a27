import json

from pipeline.changes import changes_of
from pipeline.cli import run
from pipeline.ingest import Ingest
from pipeline.plan import place_of

ROWS = [
    {"q": "schÃ¶n, write to ann@example.org", "a": "ja\r\n"},
    {"q": "bob@example.org and 555-123-4567", "a": "no"},
    {"q": "nothing here", "a": "no"},
]


def _project(project):
    text = "".join(json.dumps(row) + "\n" for row in ROWS)
    (project.root / "questions.jsonl").write_text(text, encoding="utf-8")
    return project


def _changes(project, kinds, most=9):
    stage = Ingest(sources=[project.recipe.ingest.sources[0]])
    inputs = stage.inputs(place_of(project.recipe, project.data, project.root, {}))
    return [(c.kind, c.origin, c.field, c.before, c.after) for c in changes_of(stage, inputs, kinds, most)]


def test_every_change_is_shown_with_its_place_before_and_after(project):
    found = _changes(_project(project), ("normalized", "repaired", "email", "phone"))
    first, second = "questions.jsonl:1", "questions.jsonl:2"
    redacted = ("bob@example.org and 555-123-4567", "[EMAIL] and [PHONE]")
    assert found == [
        ("normalized", first, "response", "ja\\r\\n", "ja\\n"),
        ("repaired", first, "instruction", "schÃ¶n, write to ann@example.org", "schön, write to ann@example.org"),
        ("email", first, "instruction", "schön, write to ann@example.org", "schön, write to [EMAIL]"),
        ("email", second, "instruction", *redacted),
        ("phone", second, "instruction", *redacted),
    ]


def test_no_more_than_asked_for_of_each_kind(project):
    assert [kind for kind, *_ in _changes(_project(project), ("email", "phone"), 1)] == ["email", "phone"]


def test_the_command_says_what_is_only_a_proposal(project, monkeypatch, capsys):
    monkeypatch.chdir(_project(project).root)
    project.replace("recipe.toml", "[ingest]", "[ingest]\nrepair = true")
    assert (
        run(["source", "changes", "--recipe", "recipe.toml", "--kind", "repaired", "--kind", "email", "-n", "1"]) == 0
    )
    assert capsys.readouterr().out == (
        "repaired\n"
        "  questions.jsonl:1 instruction\n"
        "    - schÃ¶n, write to ann@example.org\n"
        "    + schön, write to ann@example.org\n"
        'email (not now: this is what [ingest] pii = "redact" would do)\n'
        "  questions.jsonl:1 instruction\n"
        "    - schön, write to ann@example.org\n"
        "    + schön, write to [EMAIL]\n"
    )
    assert run(["source", "changes", "--recipe", "recipe.toml", "--kind", "emails"]) == 2
    assert "did you mean 'email'?" in capsys.readouterr().err
