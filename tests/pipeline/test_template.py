"""Templates are found, checked as a whole, and rendered; every mistake is told with its cure."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.renderer import Renderer
from pipeline.template import BUILT_IN, check_template, load_templates
from pipeline.template_file import read_template
from pipeline.wording import RenderError
from schemas import ConfigError, Template

GOOD = """\
name: gloss
task: gloss
about: A word and what it means.
license: Apache-2.0
fields:
  word: {side: prompt, about: The word.}
  hint: {side: prompt, optional: true, about: A hint.}
  meaning: {side: response, about: The meaning.}
system: "{{ 'Hint: ' ~ hint if hint }}"
prompts:
  plain: "What does {{ word }} mean?"
  short: |
    {{ word }}?
response: "{{ meaning }}"
metrics: [exact_match]
review: {question: Right?, error_types: [wrong], guideline: Look it up.}
examples:
  - fields: {word: fen, meaning: a marsh}
    paraphrase: plain
    prompt: What does fen mean?
    response: a marsh
  - fields: {word: fen, hint: wet, meaning: a marsh}
    paraphrase: short
    system: "Hint: wet"
    prompt: |
      fen?
    response: a marsh
"""
FEN = {"word": "fen", "meaning": "a marsh"}


def write(folder: Path, old: str = "", new: str = "", name: str = "gloss.yaml") -> Path:
    assert old in GOOD
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    return path


def gloss(tmp_path: Path) -> Template:
    return read_template(write(tmp_path))


def problems(tmp_path: Path, old: str, new: str) -> list[ConfigError]:
    write(tmp_path, old, new)
    with pytest.raises(ConfigError) as error:
        load_templates([tmp_path])
    return [error.value, *error.value.also]


# Finding


def test_a_users_folder_adds_to_the_built_in_templates(tmp_path):
    path = write(tmp_path)
    found = load_templates([tmp_path])
    assert found["gloss"] == (read_template(path), path)
    assert found.keys() == {path.stem for path in BUILT_IN.iterdir()} | {"gloss"}


def test_a_template_called_like_a_built_in_one_is_to_take_another_name(tmp_path):
    path = write(tmp_path, "name: gloss", "name: headline", name="headline.yaml")
    with pytest.raises(ConfigError) as error:
        load_templates([tmp_path])
    assert error.value.what == "two templates are called 'headline'"
    assert error.value.where == f"{BUILT_IN / 'headline.yaml'} and {path}"
    assert error.value.fix == "give yours another `name` and file name; the first one comes with tuneloop"


def test_two_templates_of_one_name_are_refused_naming_both(tmp_path):
    one, two = write(tmp_path / "one"), write(tmp_path / "two")
    with pytest.raises(ConfigError) as error:
        load_templates([tmp_path / "one", tmp_path / "two"])
    assert error.value.what == "two templates are called 'gloss'"
    assert error.value.where == f"{one} and {two}"
    assert "another `name`" in error.value.fix


def test_the_problems_of_all_files_come_at_once(tmp_path):
    write(tmp_path / "one", "metrics", "metric")
    write(tmp_path / "two", "{{ word }}?", "{{ wrd }}?")
    write(tmp_path / "two", name="other.yml")
    with pytest.raises(ConfigError) as error:
        load_templates([tmp_path / "one", tmp_path / "two", tmp_path / "absent"])
    text = str(error.value)
    assert "unknown key 'metric'" in text
    assert "'wrd', which is not declared" in text
    assert "other.yml would not be read" in text
    assert "call it other.yaml" in text
    assert f"there is no folder {tmp_path / 'absent'}" in text


# Form


@pytest.mark.parametrize(
    ("old", "new", "what", "where", "fix"),
    [
        ("metrics:", "metric:", "unknown key 'metric'", "gloss.yaml:15, metric", "did you mean 'metrics'?"),
        ("about: The word.", "abuot: The word.", "unknown key 'abuot'", ":6, fields.word.abuot", "'about'"),
        ("license: Apache-2.0\n", "", "license is missing", ":1, license", "SPDX name"),
        ("side: response", "side: answer", "fields.meaning.side is 'answer'", ":8,", "prompt: the model reads it"),
        ("word: fen, m", "word: no, m", "fields.word is False, not text", ":18,", "put it in quotes"),
        ("hint: wet", "hint: 1.10", "fields.hint is 1.1, not text", ":22,", "put it in quotes"),
        ("  hint:", "  Hint-1:", "'Hint-1' is no name", ":7,", "small letters"),
        ("  short:", "  plain:", "the key 'plain' stands twice", "gloss.yaml:12", "mend that line"),
        ("  short:", "  yes:", "the key True must be in quotes", "gloss.yaml:12", "mend that line"),
        ("[exact_match]", "&m [exact_match]\ntask: *m", "aliases (*name) are not read", ":16", "mend that line"),
        ("prompts:", "prompts: [", "not valid YAML", "gloss.yaml:12", "mend that line"),
        ("name: gloss", "name: glosses", "the file is called gloss.yaml", "gloss.yaml", "call it glosses.yaml"),
        ("side: response", "side: prompt", "no field has side = response", "gloss.yaml:1", "instruct.yaml"),
    ],
)
def test_a_file_of_wrong_form_is_refused_with_its_line(tmp_path, old, new, what, where, fix):
    (problem,) = [each for each in problems(tmp_path, old, new) if what in each.what]
    assert str(tmp_path / "gloss.yaml") in problem.where
    assert where in problem.where
    assert fix in problem.fix


def test_a_file_that_is_no_text_or_no_template_is_refused(tmp_path):
    path = tmp_path / "bad.yaml"
    for raw, what in [
        (b"\xff\xfe", "not UTF-8"),
        (b"", "this YAML is no template: it is empty"),
        (b"- a", "this YAML is no template: it is a list, ['a']"),
        (b"just words", "this YAML is no template: it is 'just words'"),
        (b"apiVersion: v1\nkind: Pod\nmetadata: {name: x}", "it has the keys 'apiVersion', 'kind', 'metadata'"),
        (b"[" * 5000, "not valid YAML|nested too deep"),
        (b"a: \x00", "not valid YAML"),
        (b"x" * 300_000, "the file has 300,000 bytes"),
    ]:
        path.write_bytes(raw)
        with pytest.raises(ConfigError) as error:
            read_template(path)
        assert any(part in error.value.what for part in what.split("|")), error.value
        assert str(path) in error.value.where


# Use of fields


@pytest.mark.parametrize(
    ("old", "new", "what", "where", "fix"),
    [
        ("{{ word }}?", "{{ wrd }}?", "uses 'wrd', which is not declared", "prompts.short", "did you mean 'word'?"),
        ("{{ word }}?", "{{ word }} {{ meaning }}?", "shows the model its answer, 'meaning'", "prompts.short", "take"),
        ("'Hint: '", "meaning", "shows the model its answer, 'meaning'", "system", "take {{ meaning }} out"),
        ("{{ word }}?", "Which word?", "never uses its field 'word' here", "prompts.short", "put {{ word }} in"),
        ('"{{ meaning }}"', "x", "never uses its field 'meaning' here", "response", "put {{ meaning }} in"),
        ("~ hint if hint }}", "}}", "never uses its field 'hint' here", "prompts.plain", "take the field out"),
        ("{{ word }}?", "{{ word|uper }}?", "there is no filter 'uper'", "prompts.short", "did you mean 'upper'?"),
        ("hint: {side", "loop: {side", "'loop' is a word of Jinja", "fields.loop", "choose another name"),
        ("optional: true,", "choices: [dry],", "'wet' is none of the choices", "example 2, fields.hint", "names: dry"),
        ("word: fen, m", "wort: fen, m", "there is no field 'wort'", "example 1, fields.wort", "did you mean 'word'?"),
    ],
)  # fmt: skip
def test_a_text_that_misuses_fields_is_refused(tmp_path, old, new, what, where, fix):
    found = [problem for problem in problems(tmp_path, old, new) if what in problem.what]
    assert found, problems(tmp_path, old, new)
    assert found[0].where == f"{tmp_path / 'gloss.yaml'}, {where}" or where in found[0].where
    assert fix in found[0].fix


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('"{{ word|uper }}?"', 12),  # beside its key
        (
            "|\n    {{ word }}\n\n    {% if hint %}\n    {{ hint|uper }}\n    {% endif %}",
            16,
        ),  # the block begins a line below
    ],
)
def test_a_mistake_in_jinja_is_told_with_its_line_in_the_file(tmp_path, text, line):
    (problem,) = problems(tmp_path, "|\n    {{ word }}?", text)
    assert problem.where == f"{tmp_path / 'gloss.yaml'}:{line}, prompts.short"


def test_a_required_field_must_stand_in_each_wording(tmp_path):
    found = problems(tmp_path, "What does {{ word }} mean?", "What is meant?")
    assert [problem.where for problem in found] == [f"{tmp_path / 'gloss.yaml'}:11, prompts.plain"]


def test_tools_need_no_place_in_a_text(tmp_path):
    field = "  tools: {side: prompt, optional: true, about: The tools.}\n  word"
    check_template(read_template(write(tmp_path, "  word", field)), tmp_path)
    (problem, *_) = problems(tmp_path, "  word", field.replace("side: prompt", "side: response"))
    assert problem.what == "tools are on the prompt's side"


# Examples


def test_an_example_that_renders_otherwise_shows_expected_and_got(tmp_path):
    (problem,) = problems(tmp_path, "prompt: What does fen mean?", "prompt: What is a fen?")
    assert problem.what.splitlines() == [
        "prompt does not render as the example says",
        "  expected: 'What is a fen?'",
        "  got:      'What does fen mean?'",
    ]
    assert problem.where == f"{tmp_path / 'gloss.yaml'}:20, example 1, prompt"
    assert "mend the text" in problem.fix


def test_system_and_response_of_an_example_are_compared_too(tmp_path):
    assert "system does not" in problems(tmp_path, 'system: "Hint: wet"', 'system: "Hint: dry"')[0].what
    assert "response does not" in problems(tmp_path, "response: a marsh", "response: a moor")[0].what


def test_an_example_names_one_of_several_wordings(tmp_path):
    (problem,) = problems(tmp_path, "paraphrase: plain", "paraphrase: plane")
    assert problem.what == "there is no paraphrase 'plane'"
    assert problem.fix == "name one; did you mean 'plain'?"
    (problem,) = problems(tmp_path, "    paraphrase: plain\n", "")
    assert problem.fix == "name one; known names: plain, short"


def test_an_example_without_a_required_field_is_refused(tmp_path):
    (problem,) = problems(tmp_path, "fields: {word: fen, meaning", "fields: {meaning")
    assert "it cannot be rendered: template 'gloss' needs the field 'word'" in problem.what


def test_a_chat_template_shows_turns_and_renders_nothing(tmp_path):
    path = tmp_path / "talk.yaml"
    text = """\
name: talk
task: talk
about: Talk.
license: Apache-2.0
chat: true
metrics: [exact_match]
review: {question: Right?, error_types: [wrong], guideline: Listen.}
examples:
  - turns: [{role: user, content: Hi}, {role: assistant, content: Hello}]
    prompt: Hi
    response: Hello
  - turns: [{role: system, content: Be kind}, {role: user, content: Hi}]
    system: Be kind
    prompt: Hi
"""
    path.write_text(text, encoding="utf-8")
    assert load_templates([tmp_path])["talk"][0].chat
    path.write_text(text.replace("response: Hello", "response: Bye"), encoding="utf-8")
    with pytest.raises(ConfigError, match="expected: 'Bye'"):
        load_templates([tmp_path])
    path.write_text(text.replace("chat: true", "chat: true\nprompts: {plain: x}"), encoding="utf-8")
    with pytest.raises(ConfigError, match="a chat template renders nothing"):
        load_templates([tmp_path])


# Rendering


def test_a_row_is_rendered_in_the_wording_of_its_id(tmp_path):
    renderer = Renderer(gloss(tmp_path))
    name = renderer.paraphrase_of("id-1")
    assert renderer.render(FEN, "id-1") == renderer.render_as(FEN, name)
    assert renderer.render_as(FEN, "plain") == ("", "What does fen mean?", "a marsh", "plain")
    assert renderer.render_as({**FEN, "hint": "wet"}, "short") == ("Hint: wet", "fen?", "a marsh", "short")


def test_a_row_that_nobody_answered_has_no_response(tmp_path):
    renderer = Renderer(gloss(tmp_path))
    for fields in ({"word": "fen"}, {"word": "fen", "meaning": ""}):
        assert renderer.render_as(fields, "short").response is None


@pytest.mark.parametrize(
    ("fields", "reason", "message"),
    [
        ({"meaning": "a marsh"}, "render_error", "template 'gloss' needs the field 'word', which this row has not"),
        ({"word": "", "meaning": "x"}, "render_error", "set optional: true in gloss.yaml"),
        ({"word": "fen", "meaning": " \n"}, "empty_render", "response came out empty (fields: meaning)"),
        ({"word": "x" * 1_000_001, "meaning": "y"}, "too_long", "system: the row's fields have more than"),
    ],
)
def test_a_row_that_cannot_be_rendered_says_template_field_and_cure(tmp_path, fields, reason, message):
    with pytest.raises(RenderError) as error:
        Renderer(gloss(tmp_path)).render_as(fields, "plain")
    assert error.value.reason == reason
    assert message in str(error.value)
    assert "template 'gloss'" in str(error.value)


def test_the_prompt_cannot_read_the_answer_even_unchecked(tmp_path):
    leaky = gloss(tmp_path).model_copy(update={"prompts": {"plain": "{{ word }} {{ meaning }}"}})
    with pytest.raises(RenderError, match="'meaning' is undefined"):
        Renderer(leaky).render_as(FEN, "plain")


@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip))
def test_whatever_the_values_they_come_out_unchanged(word, meaning):
    template = Template.model_validate(
        {
            **{key: "x" for key in ("name", "task", "about", "license")},
            "fields": {"word": {"side": "prompt", "about": ""}, "meaning": {"side": "response", "about": ""}},
            "prompts": {"plain": "Q: {{ word }}\n"},
            "response": "{{ meaning }}\n",
            "metrics": ["m"],
            "review": {"question": "?", "error_types": ["e"], "guideline": "g"},
            "examples": [{}, {}],
        }
    )
    rendered = Renderer(template).render({"word": word, "meaning": meaning}, "id")
    assert rendered == ("", f"Q: {word}", meaning, "plain")


def test_a_fourth_wording_moves_a_quarter_of_the_rows_and_none_between_the_old_ones(tmp_path):
    three = gloss(tmp_path).model_copy(update={"prompts": dict.fromkeys(("a", "b", "c"), "{{ word }}")})
    four = three.model_copy(update={"prompts": dict.fromkeys(("a", "b", "c", "d"), "{{ word }}")})
    ids = [f"{n:032x}" for n in range(4000)]
    old, new = Renderer(three), Renderer(four)
    before = [old.paraphrase_of(each) for each in ids]
    after = [new.paraphrase_of(each) for each in ids]
    moved = [(one, two) for one, two in zip(before, after, strict=True) if one != two]
    assert {two for _, two in moved} == {"d"}
    # 4000 / 4 = 1000, standard deviation sqrt(4000 * 1/4 * 3/4) = 27
    assert abs(len(moved) - 1000) < 5 * 27
    assert all(abs(before.count(name) - 4000 / 3) < 5 * 30 for name in "abc")
