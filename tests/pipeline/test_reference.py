from pathlib import Path

from pipeline.cli import run
from pipeline.reference import recipe_markdown

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_of_the_recipe_is_what_the_models_say():
    page = (ROOT / "docs" / "recipe.md").read_text("utf-8")
    assert page == recipe_markdown(), "make it again: tuneloop recipe --markdown > docs/recipe.md"


def test_a_setting_has_its_type_bounds_default_and_meaning(capsys):
    assert run(["recipe", "--markdown"]) == 0
    said = capsys.readouterr().out
    assert said == recipe_markdown()
    assert "| `near` | number, 0.5 to 1 | `0.9` | least similarity" in said
    assert "| `task_weights` | table of: number, 0 or more | `{}` |" in said
    assert "| `learning_rate` | number, over 0 | *none* |" in said
    assert "## `[[ingest.sources]]`" in said
    assert "| `name` | text | required |" in said
    assert "any value |" in said.partition("chat_template_kwargs")[2][:60]


def test_every_setting_has_a_meaning():
    rows = [line for line in recipe_markdown().splitlines() if line.startswith("| `")]
    assert [line for line in rows if line.endswith("|  |")] == []
