"""`template new` writes a file that passes every check, and never waits where nobody can answer."""

import os
import pty
import subprocess
import sys

import pytest

from pipeline.cli import run
from pipeline.renderer import Renderer
from pipeline.template_check import check_files
from pipeline.template_file import read_template
from pipeline.template_writer import template_text

SLOGAN = ["template", "new", "slogan", "--fields", "document", "--response", "slogan"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_new_template_passes_every_check_and_says_what_to_type_next(here, capsys):
    assert run(SLOGAN) == 0
    told = capsys.readouterr()
    assert told.out == "my_templates/slogan.yaml\n"
    for line in (
        "tuneloop template check my_templates/slogan.yaml",
        "tuneloop template preview my_templates/slogan.yaml",
        'template_dirs = ["my_templates"]',
        'fields = { document = "<column>", slogan = "<column>" }',
    ):
        assert line in told.err
    found = check_files([here / "my_templates" / "slogan.yaml"])
    assert (found.errors, found.warnings) == ([], [])
    (template, _) = found.templates[0]
    assert list(template.prompts) == ["plain", "text_first", "labelled"]
    assert len(template.examples) == 3
    rendered = Renderer(template).render_as({"document": "Rain.", "slogan": "Wet"}, "labelled")
    assert rendered.prompt == "Document: Rain.\nSlogan:"


def test_several_fields_each_stand_in_every_wording(here):
    run(["template", "new", "reply", "--fields", "mail", "tone", "--response", "answer", "--task", "write"])
    (template, _) = check_files([here / "my_templates" / "reply.yaml"]).templates[0]
    assert template.task == "write"
    assert all("{{ mail }}" in text and "{{ tone }}" in text for text in template.prompts.values())


def test_nothing_is_written_over(here, capsys):
    run(SLOGAN)
    before = (here / "my_templates" / "slogan.yaml").read_bytes()
    assert run(SLOGAN) == 2
    assert "my_templates/slogan.yaml is there already" in capsys.readouterr().err
    assert (here / "my_templates" / "slogan.yaml").read_bytes() == before
    assert run(["template", "new", "summarize", "--fields", "a", "--response", "b"]) == 2
    assert "a built-in template is called 'summarize'" in capsys.readouterr().err


def test_without_a_terminal_the_missing_flags_are_named(here):
    words = [sys.executable, "-m", "pipeline", "template", "new", "slogan", "--fields", "document"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "nobody can be asked here for --response" in done.stderr
    assert "tuneloop template new slogan --fields document --response summary" in done.stderr
    assert not (here / "my_templates").exists()


def test_on_a_terminal_what_is_missing_is_asked(here):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "template", "new", "slogan"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.write(ours, b"document\nslogan\n\n\n")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Fields the model is given" in err
    assert out == "my_templates/slogan.yaml\n"
    template = read_template(here / "my_templates" / "slogan.yaml")
    assert (template.task, template.license) == ("slogan", "Apache-2.0")


def test_like_takes_over_a_template_with_its_comments_under_a_new_name(here, capsys):
    assert run(["template", "new", "mine", "--like", "instruct", "--license", "MIT", "--dir", "other"]) == 0
    text = (here / "other" / "mine.yaml").read_text("utf-8")
    assert "\nname: mine\n" in text
    assert "\nlicense: MIT\n" in text
    assert "# The wordings of the prompt, in Jinja." in text
    assert run(["template", "new", "two", "--like", "instruct", "--fields", "a"]) == 2
    assert "--like takes over the fields" in capsys.readouterr().err


def test_a_name_that_is_none_is_refused(here, capsys):
    assert run(["template", "new", "slogan", "--fields", "Docu ment", "--response", "slogan"]) == 2
    assert "command line, template slogan" in capsys.readouterr().err
    assert not (here / "my_templates").exists()


@pytest.mark.parametrize(
    "text", ["{{ word }}  \nx", "a: b\n- c", "'\"\n", "{{ word }}\n\n\n", "tab\there\n#x", "\u2028 x\ny"]
)
def test_whatever_the_wording_its_file_reads_back_the_same(tmp_path, here, text):
    run(SLOGAN)
    path = here / "my_templates" / "slogan.yaml"
    template = read_template(path).model_copy(update={"prompts": {"plain": text}})
    path.write_text(template_text(template, {"": "two\nlines", "prompts": "one"}), "utf-8")
    assert read_template(path) == template
    assert "# two\n# lines\nname:" in path.read_text("utf-8")
