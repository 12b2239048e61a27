"""Previews show what a model would read, mark what came from the row, and take no text for markup."""

import json
import re
from html import unescape
from pathlib import Path

import pytest

from pipeline.cli import run
from pipeline.page import visible
from pipeline.source_rows import Row
from pipeline.template import BUILT_IN, load_templates
from pipeline.template_listing import docs_page
from pipeline.template_preview import Piece, example_rows, previews
from pipeline.template_preview_page import preview_page

TEMPLATES = {name: template for name, (template, _) in load_templates([]).items()}
ROOT = Path(__file__).parent.parent.parent


def row(**fields: str) -> Row:
    return Row("id", "rows.jsonl:1", "instruct", fields, [])


def test_what_came_from_the_row_is_told_from_the_templates_own_words():
    (one,) = previews(TEMPLATES["instruct"], [row(instruction="Add.", input="2 3", response="5")], "labelled", len)
    user, assistant = one.parts
    assert user.pieces == [
        Piece("Instruction: ", False), Piece("Add.", True), Piece("\nInput: ", False), Piece("2 3", True),
        Piece("\nAnswer:", False),
    ]  # fmt: skip
    assert assistant.pieces == [Piece("5", True)]
    assert one.n_tokens == [len("Instruction: Add.\nInput: 2 3\nAnswer:"), 1]


def test_of_an_expression_only_the_values_are_the_rows():
    (one,) = previews(TEMPLATES["classify"], [row(text="Hi", labels="a, b", label="a")], "plain", None)
    assert [piece.text for piece in one.parts[0].pieces if piece.is_value] == ["a, b", "Hi"]
    assert one.parts[0].text == "Which label fits this text? Choose from: a, b.\n\nHi"


def test_every_paraphrase_is_shown_on_demand_and_a_row_that_would_be_dropped_says_why():
    found = list(previews(TEMPLATES["summarize"], [row(document="Rain.")], "all", None))
    assert [one.paraphrase for one in found] == ["plain", "main_points", "brief"]
    (one,) = previews(TEMPLATES["summarize"], [row(summary="Wet")], "brief", None)
    assert "needs the field 'document'" in one.problem
    assert one.parts == []


def test_a_conversation_is_shown_turn_by_turn():
    (first, *_) = previews(TEMPLATES["chat"], example_rows(TEMPLATES["chat"]), None, None)
    assert first.parts[0].role == "system"


@pytest.mark.shared
def test_naughty_strings_are_text_on_the_page(shared_data):
    naughty = [text for text in json.loads((shared_data / "blns" / "blns.json").read_text("utf-8")) if text.strip()]
    rows = [row(instruction=text, response=text) for text in naughty]
    found = list(previews(TEMPLATES["instruct"], rows, "plain", None))
    page = preview_page(TEMPLATES["instruct"], found, "Naughty strings")
    marked = [unescape(text) for text in re.findall(r"<mark>(.*?)</mark>", page, re.DOTALL)][1:]
    assert marked == [visible(text) for text in naughty for _ in range(2)]
    tags = set(re.findall(r"<([a-z0-9]+)", page))
    assert tags <= {"html", "head", "meta", "title", "style", "body", "h1", "p", "mark", "article", "b", "span"}
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", page)


def test_the_page_loads_nothing_and_lets_each_text_choose_its_direction():
    (one,) = previews(TEMPLATES["instruct"], [row(instruction="<script>x</script>", response="שלום")], "plain", len)
    page = preview_page(TEMPLATES["instruct"], [one], "One")
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert "default-src 'none'" in page
    assert '<p class="text assistant" dir="auto"><mark>שלום</mark></p>' in page
    assert not re.search(r"<script|src=|href=|https?://", page)


def test_the_command_shows_examples_then_rows_of_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["template", "preview", "maths", "-n", "1"]) == 0
    assert "Ann has 3 apples" in capsys.readouterr().out
    (tmp_path / "rows.csv").write_text("article,short\nRain until Friday.,Wet week\n")
    asked = ["template", "preview", "summarize", "--file", "rows.csv"]
    assert run(asked) == 2
    assert "say which is what: --columns document=<column> summary=<column>" in capsys.readouterr().err
    assert run([*asked, "--columns", "document=article", "summary=short", "--paraphrase", "brief"]) == 0
    told = capsys.readouterr()
    assert "rows.csv:2  brief" in told.out
    assert "  Tell me briefly what this says:\n  \n  Rain until Friday.\n" in told.out
    assert "The first row of rows.csv; for tokens and loss in training: tuneloop preview" in told.err
    assert run([*asked, "--columns", "document=article", "summary=short", "--html", "p.html"]) == 0
    assert "<mark>Rain until Friday.</mark>" in (tmp_path / "p.html").read_text("utf-8")


def test_a_wrong_paraphrase_or_source_is_told_with_the_nearest(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert run(["template", "preview", "maths", "--paraphrase", "step"]) == 2
    assert "did you mean 'steps'?" in capsys.readouterr().err
    assert run(["template", "preview", "maths", "--recipe", "pipeline/recipes/sample.toml"]) == 2
    assert "no source asked for names the template 'maths'" in capsys.readouterr().err
    assert run(["template", "preview", "extract", "--recipe", "pipeline/recipes/sample.toml", "-n", "1"]) == 0
    assert "data/sample/products.parquet:1" in capsys.readouterr().out


def test_the_list_has_one_line_a_template_and_json_for_programs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["template", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(TEMPLATES) + 1
    assert any(
        re.match(r"instruct +instruct +plain, labelled, input_first +instruction \[input\] -> response +rouge_l", line)
        for line in lines
    )
    assert run(["template", "list", "--json"]) == 0
    found = {one["name"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found["maths"]["metrics"] == ["number_match"]
    assert found["maths"]["file"] == str(BUILT_IN / "maths.yaml")


def test_the_page_of_the_templates_is_up_to_date_with_their_files():
    page = (ROOT / "docs" / "templates.md").read_text("utf-8")
    assert page == docs_page(TEMPLATES.values()), "run `tuneloop template docs`"
