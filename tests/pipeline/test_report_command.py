"""The data report: its numbers, its words, and what must not be on it."""

import json
import re

import pytest

from pipeline.cli import run
from pipeline.data_page import data_page
from pipeline.data_report import data_report
from pipeline.diff import diff
from pipeline.doctor import findings
from pipeline.fsck import fsck
from pipeline.gc import find_garbage
from pipeline.snapshot import Snapshot


def report_of(project):
    return data_report(project.data, project.outcomes["split"].record, project.recipe)


@pytest.fixture
def made(project, monkeypatch):
    monkeypatch.chdir(project.root)
    project.run()
    return project


def stage(report, name):
    return next(one for one in report.stages if one.stage == name)


def test_the_funnel_says_how_many_rows_went_where_and_why(made):
    report = report_of(made)
    assert (report.rows_in, report.rows_out) == (13, 11)
    assert [(one.stage, one.rows_in, one.rows_dropped) for one in report.stages] == [
        ("ingest", 13, 1), ("dedupe", 12, 1), ("format", 11, 0), ("annotate", 11, 0), ("split", 11, 0)
    ]  # fmt: skip
    (reason,) = stage(report, "ingest").reasons
    assert (reason.reason, reason.rows, reason.before) == ("empty_prompt", 1, None)
    assert reason.words == "nothing is asked: a field of the prompt is empty"
    assert reason.command == "tuneloop show ingest --reason empty_prompt --recipe tiny -n 20"
    (row,) = reason.examples
    assert (row.origin, row.detail) == ("questions.jsonl:8", "column 'q' is empty")
    assert "tuneloop duplicates --border --recipe tiny<" in data_page(report)
    assert row.text == '{"q": "", "a": "nothing to answer"}'


def test_tokens_and_shares_add_up_to_the_rows_of_the_split(made):
    report = report_of(made)
    assert {line["template"]: line["rows"] for line in report.shares["template"]} == {"instruct": 7, "summarize": 4}
    rows = made.rows("split")
    for one in report.lengths:
        mine = [row["n_prompt_tokens"] for row in rows if row["template"] == one.template]
        assert sum(one.bins["prompt"]) == one.rows == len(mine)
        assert one.most["prompt"] == max(mine)
    longest = max(rows, key=lambda row: row["n_prompt_tokens"] + row["n_completion_tokens"])
    assert report.longest.origin == longest["origin"]
    train = [row for row in rows if row["split"] == "train"]
    assert sum(line["completion"] for line in report.train_tokens) == sum(row["n_completion_tokens"] for row in train)


def test_a_duplicate_stands_beside_the_row_that_stays_with_what_differs(made):
    (pair,) = report_of(made).pairs.near or report_of(made).pairs.clusters[0].pairs
    assert (pair.left, pair.right) == ("questions.jsonl:1", "questions.jsonl:2")
    prompt, response = pair.sides
    assert [piece for piece in prompt.pieces if piece.kind != "same"] == [
        ("gone", "What"),
        ("new", "what"),
        ("gone", "?"),
    ]
    assert response.same
    assert response.left == "Paris"


def test_conflicting_answers_stand_side_by_side(made):
    (group,) = report_of(made).pairs.conflicts
    (pair,) = group.pairs
    assert [(side.left, side.right) for side in pair.sides if not side.same] == [("eight", "six")]


def test_the_first_version_says_so_and_the_next_tells_what_came_went_and_changed(made):
    assert report_of(made).changes.note.startswith("This is the first version")
    before = Snapshot.open(made.data / "split", made.outcomes["split"].record.version)
    made.replace("notes.csv", "Good cherries near Toft.", "Cherries are good near Toft.")  # same key: changed
    made.replace(
        "questions.jsonl", "Name the longest river in Africa.", "Which river is the longest?"
    )  # one went, one came
    made.run()
    report = report_of(made)
    change = report.changes
    assert (change.came, change.went, change.changed, change.same) == (1, 1, 1, 9)
    assert change.came_from == {"": 1}
    assert change.went_as == {"": 1}
    assert {"completion", "n_completion_tokens"} == set(change.columns)
    assert [row.text.partition("Which river")[1] for row in change.came_rows] == ["Which river"]
    (pair,) = change.changed_rows
    assert pair.left == pair.right == "notes.csv:5"
    assert [side.name for side in pair.sides] == ["completion"]
    slow = diff(before, Snapshot.open(made.data / "split", made.outcomes["split"].record.version))
    assert (change.came, change.went, change.changed) == (len(slow.added), len(slow.removed), len(slow.changed))
    assert "1 row came" in data_page(report)
    assert "1 new in the sources." in data_page(report)


def test_rows_that_went_say_which_reason_took_them_and_rows_that_come_back_which_had(made):
    (made.root / "quiz.jsonl").write_text(
        json.dumps({"question": "Which gas do plants take in?", "answer": "CO2"}) + "\n"
    )
    recipe = (made.root / "recipe.toml").read_text()
    (made.root / "recipe.toml").write_text(recipe + '[dedupe]\nbenchmarks = ["quiz.jsonl"]\n')
    made.run()
    report = report_of(made)
    assert report.changes.went_as == {"dedupe benchmark": 1, "": 0}
    assert [(one.file, one.rows, one.items) for one in report.benchmarks] == [("quiz.jsonl", 1, 1)]
    assert [
        (one.reason, one.rows, one.before) for one in stage(report, "dedupe").reasons if one.reason == "benchmark"
    ] == [("benchmark", 1, 0)]
    page = data_page(report)
    assert "dropped now by dedupe as benchmark" in page
    assert "quiz.jsonl:1" in page
    (made.root / "recipe.toml").write_text(recipe)
    made.run()
    assert report_of(made).changes.came_from == {"dedupe benchmark": 1, "": 0}


def test_people_who_agree_and_disagree_are_counted(made):
    kept = made.rows("annotate")
    at = "2026-03-01T09:00:0{}Z"
    seen = [{"prompt": row["prompt"], "response": row["completion"][0]["content"]} for row in kept]
    lines = [
        {"key": f"k{n}", "example": kept[row]["id"], "annotator": who, "verdict": verdict, "seen": seen[row],
         "created_at": at.format(n), "updated_at": at.format(n)}
        for n, (row, who, verdict) in enumerate(
            [(0, "ann", "accept"), (0, "ben", "accept"), (1, "ann", "accept"), (1, "ben", "reject"), (2, "ann", "accept")]
        )
    ]  # fmt: skip
    (made.data / "annotations").mkdir()
    (made.data / "annotations" / "000001-x.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (made.data / "annotations" / "people.json").write_text('{"ann": "a1", "ben": "a2"}')
    made.run()
    review = report_of(made).review
    assert (review.answered, review.answers, review.pairs, review.agreeing) == (3, 5, 2, 1)
    assert sum(mine.get("disputed", 0) for mine in review.statuses.values()) == 1
    assert "Of 2 pairs of answers by two people to one row 1 (50.0 %) give the same verdict." in data_page(
        report_of(made)
    )


def test_personal_data_stand_neither_on_the_page_nor_in_the_json(make_project, monkeypatch):
    project = make_project()
    project.replace("questions.jsonl", "Who wrote the play Hamlet?", "Write to ann@example.org about Hamlet.")
    project.replace("questions.jsonl", '"q": ""', '"q": "", "from": "bob@example.org"')
    monkeypatch.chdir(project.root)
    project.run()
    assert run(["report", "--recipe", "recipe.toml"]) == 0
    folder = next(project.data.glob("reports/tiny/*"))
    for path in (folder / "data.html", folder / "data.json"):
        text = path.read_text("utf-8")
        assert "example.org" not in text
        assert "[EMAIL]" in text
    assert "email 1" in (folder / "data.html").read_text("utf-8")


def test_no_text_of_the_data_is_markup_and_nothing_is_loaded(make_project, monkeypatch):
    project = make_project()
    project.replace(
        "questions.jsonl", "Who wrote the play Hamlet?", "<script>alert(1)</script><img src=x onerror=alert(1)>"
    )
    project.replace("questions.jsonl", '"q": ""', '"q": "", "<b>": "<script>alert(2)</script>"')
    monkeypatch.chdir(project.root)
    project.run()
    page = data_page(report_of(project))
    assert "&lt;script&gt;" in page
    assert not re.search(r"<(script|img|link|iframe|object|form)", page)
    assert not re.search(r'(src|href)="(?!#)', page)


def test_the_command_prints_where_the_page_is_and_the_newest_training_runs(made, capsys):
    assert run(["report", "--recipe", "tiny"]) == 0
    version = made.outcomes["split"].record.version
    assert capsys.readouterr().out == f"data/reports/tiny/{version}/data.html\n"
    trained = made.data / "runs" / "5b1e"
    trained.mkdir(parents=True)
    (trained / "report.html").write_text("<p>")
    (made.data / "runs" / "latest-tiny").symlink_to("5b1e")
    assert run(["report", "--recipe", "tiny", "--to", "here.html"]) == 0
    assert capsys.readouterr().out == f"here.html\n{trained.resolve()}/report.html\n"
    told = json.loads((made.root / "here.json").read_text("utf-8"))
    assert (told["rows_in"], told["rows_out"]) == (13, 11)


def test_the_store_is_whole_with_a_report_in_it(made):
    before = fsck(made.data), find_garbage(made.data, 1).paths
    assert run(["report", "--recipe", "tiny"]) == 0
    assert run(["browse", "--recipe", "tiny"]) == 0
    assert (fsck(made.data), find_garbage(made.data, 1).paths) == before
    assert [one.what for one in findings(made.data) if "split" in one.what] == [f"finished splits: tiny in {made.data}"]


def test_a_report_reads_the_runs_its_split_came_from_though_dedupe_has_run_since(made):
    split = made.outcomes["split"].record
    made.replace("recipe.toml", "[split]", "[dedupe]\nnear = 1.0\n[split]")
    made.run(to="dedupe")
    report = data_report(made.data, split, made.recipe)
    assert stage(report, "dedupe").rows_dropped == 1


def test_a_recipe_that_never_ran_and_a_page_without_a_name_are_refused(made, capsys):
    assert run(["report", "--recipe", "tyni"]) == 2
    assert "split has never run for recipe tyni" in capsys.readouterr().err
    assert run(["report", "--recipe", "tiny", "--to", "data"]) == 2
    assert "name a file that ends in .html" in capsys.readouterr().err
