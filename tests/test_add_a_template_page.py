"""The commands of docs/add-a-template.md work as they stand there, in a fresh folder with the sample."""

import re
import shlex
from pathlib import Path

from pipeline.cli import run

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "add-a-template.md"
STEPS = PAGE.read_text("utf-8").partition("## From promptsource")[0]
COMMANDS = [line.strip() for line in re.findall(r"^ {7}(tuneloop .*)$", STEPS, re.MULTILINE)]


def test_the_five_steps_work_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sample").symlink_to(ROOT / "data" / "sample")
    assert [line.split()[2] for line in COMMANDS] == ["new", "check", "preview", "preview", "preview"]
    for line in COMMANDS:
        assert run(shlex.split(line)[1:]) == 0, f"{line}\n{capsys.readouterr().err}"
    assert (tmp_path / "preview.html").read_text("utf-8").count("<article") == 15  # five rows in three paraphrases


def test_the_promptsource_command_works(tmp_path, monkeypatch):
    (line,) = re.findall(r"^ {4}(tuneloop template import .*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    folder = tmp_path / "promptsource" / "templates" / "ag_news"
    folder.mkdir(parents=True)
    (folder / "templates.yaml").write_text(
        "dataset: ag_news\ntemplates:\n  1: !Template {name: ask, jinja: '{{text}} ||| {{label}}', answer_choices: null}\n"
    )
    monkeypatch.chdir(tmp_path)
    assert run(shlex.split(line)[1:]) == 0
    assert (tmp_path / "my_templates" / "ag-news.yaml").exists()
