"""The page on sources is true: its commands are run, top to bottom, in an empty folder."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pipeline.cli import run
from pipeline.recipe import Recipe

PAGE = Path(__file__).resolve().parent.parent / "docs" / "add-a-source.md"


def steps(text):
    """Yield the files a page shows, each with its name in a comment, and its command lines, in order."""
    for fenced, line in re.findall(
        r"```(?:toml|python)\n(.*?)```|^    ((?:tuneloop|printf|mkdir) [^\n]*)$", text, re.M | re.S
    ):
        yield ("file", fenced) if fenced else ("command", line)


@pytest.mark.slow
def test_every_command_of_the_page_works(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(PAGE.parent.parent))
    commands = 0
    for kind, text in steps(
        PAGE.read_text("utf-8").split("\nprints\n")[0] + PAGE.read_text("utf-8").split("## Bad rows")[1]
    ):
        if kind == "file":
            Path(text.split()[1]).write_text(text, encoding="utf-8")
            continue
        commands += 1
        if text.startswith("tuneloop"):
            code = run(shlex.split(text)[1:])
        else:
            line = text.replace("| tuneloop", f"| {sys.executable} -m pipeline")
            code = subprocess.run(["bash", "-c", line], check=False).returncode
        assert code == 0, f"{text}\n{capfd.readouterr().err}"
    assert commands > 20
    shown = capfd.readouterr()
    assert "+ Is it schön? Write to [EMAIL]" in shown.out
    assert "cleaned_out 1" in shown.err
    assert "empty_prompt 1" in shown.err


def test_the_recipe_that_reads_the_hub_is_a_recipe():
    (text,) = [text for kind, text in steps(PAGE.read_text("utf-8")) if kind == "file" and "# hub.toml" in text]
    assert Recipe.model_validate(tomllib.loads(text)).ingest.sources[0].is_hub
