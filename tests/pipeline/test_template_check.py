"""`template check` tells every mistake with its line, and what is likely one."""

from pathlib import Path

import pytest

from pipeline.branch_reach import unreached
from pipeline.cli import run
from pipeline.paraphrase_likeness import alike
from pipeline.template import BUILT_IN
from pipeline.template_check import check_files

GOOD = """\
name: gloss
task: gloss
about: A word and what it means.
license: Apache-2.0
fields:
  word: {side: prompt, about: The word.}
  hint: {side: prompt, optional: true, about: A hint.}
  meaning: {side: response, about: The meaning.}
prompts:
  plain: |
    What does {{ word }} mean?
    {% if hint %}
    Hint: {{ hint }}
    {% endif %}
response: "{{ meaning }}"
metrics: [rouge_l]
review:
  question: Right?
  error_types: [wrong]
  guideline: Accept what a good dictionary says in other words, edit what is nearly right, reject all else.
examples:
  - fields: {word: fen, meaning: a marsh}
    prompt: What does fen mean?
    response: a marsh
  - fields: {word: fen, hint: wet, meaning: a marsh}
    prompt: |-
      What does fen mean?
      Hint: wet
    response: a marsh
"""


def checked(folder: Path, old: str = "", new: str = ""):
    assert old in GOOD
    path = folder / "gloss.yaml"
    path.write_text(GOOD.replace(old, new), "utf-8")
    return check_files([path])


def test_the_built_in_templates_have_neither_errors_nor_warnings():
    found = check_files(sorted(BUILT_IN.glob("*.yaml")))
    assert len(found.templates) >= 8
    assert [str(one) for one in found.errors + found.warnings] == []


def test_a_good_template_has_none(tmp_path):
    found = checked(tmp_path)
    assert (found.errors, found.warnings) == ([], [])


@pytest.mark.parametrize(
    ("old", "new", "what", "line", "fix"),
    [
        ("[rouge_l]", "[rogue_l]", "there is no metric 'rogue_l'", 16, "did you mean 'rouge_l'?"),
        ("Apache-2.0", '" "', "the licence is empty", 4, "SPDX"),
        ("{{ hint }}\n", "{{ hint|uper }}\n", "there is no filter 'uper'", 13, "did you mean 'upper'?"),
        ("mean?\n    {%", "mean {{ meaning }}?\n    {%", "shows the model its answer, 'meaning'", 10, "take"),
    ],
)
def test_an_error_has_its_line_and_its_cure(tmp_path, old, new, what, line, fix):
    (error, *_) = checked(tmp_path, old, new).errors
    assert what in error.what
    assert error.where.startswith(f"{tmp_path / 'gloss.yaml'}:{line}, ")
    assert fix in error.fix


@pytest.mark.parametrize(
    ("old", "new", "what", "line", "fix"),
    [
        ("Apache-2.0", "apache", "the licence 'apache' is no SPDX name", 4, "LicenseRef-<name>"),
        ("Hint: ", "Hint: <|im_start|> ", "'<|im_start|>' is a control token", 13, "take it out"),
        (GOOD[GOOD.index("Accept what") : GOOD.index("\nexamples")], "Look.", "the guideline has 5 characters", 20, "say when"),
        ("    {% if hint", "    {{ 'x' if not word }}{% if hint", "no example reaches this `if`", 12, "add an example"),
        ("a marsh}\n    prompt: What does fen mean?\n    response: a marsh", "fen}\n    prompt: What does fen mean?\n    response: fen", "holds the whole answer, 'fen'", 23, "options"),
    ],
)  # fmt: skip
def test_a_warning_has_its_line_and_its_cure(tmp_path, old, new, what, line, fix):
    found = checked(tmp_path, old, new)
    told = [one for one in found.warnings if what in one.what]
    assert told, (found.errors, found.warnings)
    assert told[0].where.startswith(f"{tmp_path / 'gloss.yaml'}:{line}, ")
    assert fix in told[0].fix


def test_an_answer_that_is_one_of_the_options_may_stand_in_the_prompt(tmp_path):
    text = GOOD.replace("[rouge_l]", "[accuracy]").replace("meaning: a marsh}\n", "meaning: fen}\n", 1)
    (tmp_path / "gloss.yaml").write_text(text.replace("response: a marsh", "response: fen", 1), "utf-8")
    assert check_files([tmp_path / "gloss.yaml"]).warnings == []


def test_two_paraphrases_alike_are_told_with_their_score():
    prompts = {
        "one": "Summarize this text for me: {{ document }}",
        "two": "Summarize the text for me: {{ document }}",
        "behind": "{{ document }}\nSummarize this text for me:",
        "other": "What happened here, in short? {{ document }}",
    }
    ((one, two, score),) = alike(prompts)
    assert (one, two) == ("one", "two")
    assert 90 <= score < 100
    assert alike({"a": "{{ x }}\n\n{{ y }}", "b": "{{ y }}\n\n{{ x }}"}) == []
    assert alike({"a": "{{ x }}?", "b": "{{ x }}."}) == [("a", "b", 100.0)]


def test_an_arm_is_reached_or_told_by_line_and_kind():
    source = "{% if a == '1' %}x\n{% elif b %}y\n{% else %}z{% endif %}\n{% for c in b %}{{ c }}{% endfor %}{{ 'p' if a else 'q' }}"
    assert unreached(source, [{"a": "1", "b": ""}]) == [(2, "elif"), (3, "else"), (4, "else"), (4, "for")]
    assert unreached(source, [{"a": "1", "b": ""}, {"a": "2", "b": "k"}, {"a": "", "b": ""}]) == []


def test_all_problems_of_all_files_come_at_once_and_warnings_stop_only_where_strict(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my_templates"
    folder.mkdir()
    checked(folder, "Apache-2.0", "apache")
    assert run(["template", "check"]) == 0
    assert "warning: the licence 'apache' is no SPDX name" in capsys.readouterr().out
    assert run(["template", "check", "--strict"]) == 2
    (folder / "pod.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {}\n")
    (folder / "list.yaml").write_text("- a\n- b\n")
    (folder / "bad.yaml").write_text("name: [\n")
    capsys.readouterr()
    assert run(["template", "check", "my_templates"]) == 2
    told = capsys.readouterr()
    assert told.out.count("error: ") == 3
    assert "this YAML is no template: it has the keys 'apiVersion', 'kind', 'metadata', 'spec'" in told.out
    assert "this YAML is no template: it is a list" in told.out
    assert "1 template read, 3 errors, 1 warning" in told.err
    assert run(["template", "check", "glos"]) == 2
    assert "did you mean 'gloss'?" in capsys.readouterr().err


def test_rows_of_a_recipe_show_what_is_missing_and_what_is_too_long(tmp_path, monkeypatch, capsys, small_tokenizer):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_templates").mkdir()
    checked(tmp_path / "my_templates")
    rows = [
        '{"word": "fen", "meaning": "a marsh"}',
        '{"word": "", "meaning": "x"}',
        '{"word": "%s", "meaning": "y"}' % ("z" * 99),
    ]
    (tmp_path / "words.jsonl").write_text("\n".join(rows) + "\n")
    (tmp_path / "my.toml").write_text(
        'name = "my"\ntemplate_dirs = ["my_templates"]\n[[ingest.sources]]\nname = "words"\npath = "words.jsonl"\n'
        'template = "gloss"\n[format]\ntokenizer = "tokenizer"\nmax_tokens = 60\n'
    )
    assert run(["template", "check", "gloss", "--recipe", "my.toml"]) == 0
    told = capsys.readouterr().out
    assert "1 of the first 3 rows (33.3%) of source words cannot be taken (empty_prompt), first words.jsonl:2" in told
    assert "none of the first 2 rows of source words fills the optional field 'hint'" in told
    assert "1 of the first 2 rows (50.0%) of source words have more than max_tokens = 60" in told
    assert run(["template", "check", "gloss", "--recipe", "my.toml", "--source", "word"]) == 2
    assert "did you mean 'words'?" in capsys.readouterr().err


@pytest.fixture
def small_tokenizer(tmp_path):
    source = Path(__file__).parent.parent.parent / "data" / "sample" / "tokenizer" / "tokenizer.json"
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "tokenizer.json").write_bytes(source.read_bytes())
