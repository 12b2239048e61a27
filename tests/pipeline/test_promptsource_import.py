"""Templates of promptsource come over as they render, or are refused with the reason."""

import importlib.util
from pathlib import Path

import pytest
from jinja2 import Environment

from pipeline.cli import run
from pipeline.jinja_source import source_of
from pipeline.promptsource_file import Foreign, read_promptsource
from pipeline.promptsource_import import Made, make_templates, take
from pipeline.promptsource_parser import RefusedError
from pipeline.renderer import Renderer
from pipeline.template_check import check_files

BENCH = Path(__file__).parent.parent / "bench" / "promptsource_import.py"


def foreign(jinja: str, choices: str = "", name: str = "one", metrics: tuple[str, ...] = ("Accuracy",)) -> Foreign:
    return Foreign("tiny/set", name, jinja, choices, metrics)


def rendered(jinja: str, choices: str, row: dict[str, object]) -> tuple[str, str | None]:
    taken = take(foreign(jinja, choices))
    (made,) = make_templates([taken], set())
    assert isinstance(made, Made)
    one = Renderer(made.template).render_as({k: v for k, v in taken.fields_of(row).items() if v}, "one")
    return one.prompt, one.response


def test_a_whole_number_chooses_among_the_answer_choices():
    taken = take(
        foreign(
            "{{text}}\nTopic? {{ answer_choices | join(', ') }} ||| {{ answer_choices[label] }}", "World ||| Sports"
        )
    )
    assert taken.asked == '{{ text.lstrip() }}\nTopic? {{ ((["World", "Sports"] | join(", ")) | string).rstrip() }}'
    assert taken.target == '{{ ["World", "Sports"][label | int] }}'
    row = {"text": "Goal!", "label": 1}
    assert rendered(taken.foreign.jinja, taken.foreign.choices, row) == ("Goal!\nTopic? World, Sports", "Sports")


@pytest.mark.parametrize(
    ("jinja", "choices", "row", "prompt", "response"),
    [
        # A path into a column is a field of its own.
        ("{{q}} ||| {{ answers['text'][0] }}", "", {"q": "Who?", "answers": {"text": ["Ann"]}}, "Who?", "Ann"),
        # A list travels as its JSON.
        ("{% for c in cs %}\n- {{c}}{% endfor %}\n||| {{ cs[k] }}", "", {"cs": ["a", "b"], "k": 1}, "- a\n- b", "b"),
        # Blank lines and blank space before a block stay, which trim_blocks would take.
        ("{{q}}\n  {% if q %}\n\nx{% endif %}\n ||| {{a}}", "", {"q": "Q", "a": "A"}, "Q\n  \n\nx", "A"),
        # A condition around all of it stays with the answer: no prompt looks at the label.
        ("{% if label == 1 %}{{q}} ||| {{ a }}{% endif %}", "", {"q": "Q", "a": "A", "label": 1}, "Q", "A"),
        # A table of constants is a chain of conditions.
        ("{{q}} ||| {{ {'s': 'Yes', 'r': 'No'}[label] }}", "", {"q": "Q", "label": "r"}, "Q", "No"),
        # Column names that are no names of fields; true and false; python's methods.
        ("{{ Text.replace('a', 'b') }} ||| {% if isGood %}yes{% else %}no{% endif %}", "", {"Text": "ala", "isGood": False}, "blb", "no"),
        ("{{q}} {{choices.text | join('/')}} ||| {{ answer_choices[choices.label.index(key)] }}", "{{ choices.text | join('|||') }}",
         {"q": "Q", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "key": "B"}, "Q x/y", "y"),
        # Choices made of columns.
        ("{{q}} ||| {{ answer_choices[label] }}", "{{one}} ||| {{two}}", {"q": "Q", "one": "x", "two": "y", "label": 0}, "Q", "x"),
        # Arithmetic, and text that looks like Jinja.
        ("{{q}} {{'{{'}} ||| {{ ((score * 2) | round) / 2 }}", "", {"q": "Q", "score": 1.3}, "Q {{", "1.5"),
        # Values lose blank space at the ends of a text only.
        ("{{q}}\n{{r}} ||| {{a}}", "", {"q": " Q ", "r": " R ", "a": " A "}, "Q \n R", "A"),
    ],
)  # fmt: skip
def test_what_is_taken_over_renders_as_promptsource_would(jinja, choices, row, prompt, response):
    assert rendered(jinja, choices, row) == (prompt, response)
    assert bench().Rule(choose_first=False).pieces(foreign(jinja, choices), row) == [prompt, response]


@pytest.mark.parametrize(
    ("jinja", "choices", "reason"),
    [
        ("{{q}} {{ ['a', 'b'] | choice }} ||| {{a}}", "", "it chooses at random"),
        ("{{q}} ||| {{ range(a) }}", "", "it calls a function of Python"),
        ("{% set x = [] %}{{ x.append(q) or '' }}{{q}} ||| {{a}}", "", "it changes a list or an object as it goes"),
        ("{{q}} {{a}}", "", "it has no target"),
        ("{{q}} ||| {{a}} ||| {{b}}", "", "it has several targets"),
        ("{{q}} ||| yes", "", "its answer reads no column that the prompt does not show"),
        ("{{q}} {{a}} ||| {{a}}", "", "its answer reads no column that the prompt does not show"),
        ("Say it. ||| {{a}}", "", "its prompt reads no column"),
        ("{{q.__class__}} ||| {{a|map('upper')|join}}", "", "there is no filter"),
        ("{{q ||| {{a}}", "", "it is not valid Jinja"),
        ("{{q}} ||| {{ answer_choices[a] }}", "", "it uses answer_choices and has none"),
        ("{% for x in q %}{{x}} ||| {{a}}{% endfor %}", "", "its target begins inside a loop"),
        ("{{q}} {% for x in q %}{{x}}{% endfor %} ||| {{a}}", "", "a column is used as a list and as a text"),
        ("{{q}} ||| {{ answer_choices[a] }}", "{% if q %}x{% endif %} ||| y", "its answer choices have statements"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_reason(jinja, choices, reason):
    with pytest.raises(RefusedError) as error:
        take(foreign(jinja, choices))
    assert error.value.reason == reason


def test_a_random_choice_is_the_first_only_if_that_is_asked_for():
    taken = take(foreign("{{q}} ||| {{ names | choice }}"), choose_first=True)
    assert taken.target == "{{ (((names | fromjson) | first) | string) | trim }}"


def test_templates_with_the_same_columns_and_answer_are_paraphrases_of_one_file():
    texts = {"a": "{{q}}? ||| {{a}}", "b": "Say: {{q}} ||| {{a}}", "c": "{{a}} is the answer to ||| {{q}}"}
    one, two = make_templates([take(foreign(text, name=name)) for name, text in texts.items()], {"tiny-set-c"})
    assert (one.template.name, list(one.template.prompts)) == ("tiny-set", ["a", "b"])
    assert two.template.name == "tiny-set-c-2"
    assert one.template.license == "Apache-2.0"
    assert one.template.fields["q"].side == "prompt"
    assert two.template.fields["q"].side == "response"


def test_jinja_read_and_written_again_renders_the_same():
    source = "{% if a and not (b or c) %}x {{ (a ~ 'q')[1:] }}{% elif b == 2 %}\n  {% set d = b * (3 - 1) %}{{ d }}{% else %}{{ '{%' }}{% endif %}"
    plain = Environment()
    again = source_of(plain.parse(source).body)
    ours = Environment(trim_blocks=True, lstrip_blocks=True)
    for values in ({"a": "hi"}, {"a": "", "b": 2}, {"a": "", "b": 1}):
        assert ours.from_string(again).render(values).strip() == plain.from_string(source).render(values).strip()


def test_the_command_writes_files_that_pass_and_tells_what_was_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = """\
dataset: tiny
subset: set
templates:
  1: !Template {name: Ask, jinja: "{{q}}? ||| {{a}}", answer_choices: null, metadata: !TemplateMetadata {metrics: [ROUGE]}}
  2: !Template {name: Guess, jinja: "{{q}} ||| {{ a | choice }}", answer_choices: null, metadata: !TemplateMetadata {metrics: []}}
"""
    (tmp_path / "templates.yaml").write_text(text)
    (tmp_path / "rows.jsonl").write_text('{"q": "Who", "a": "Ann"}\n{"q": "When", "a": "now"}\n')
    asked = ["template", "import", "promptsource", "templates.yaml", "--rows", "rows.jsonl"]
    assert run(asked) == 0
    told = capsys.readouterr()
    assert told.out == "my_templates/tiny-set.yaml: 1 paraphrase; q = q, a = a\n"
    assert "it chooses at random: filter choice: tiny/set 'Guess'" in told.err
    assert "1 of 2 templates taken over, from 1 of 1 files" in told.err
    found = check_files([tmp_path / "my_templates" / "tiny-set.yaml"])
    assert (found.errors, found.warnings) == ([], [])
    (template, _) = found.templates[0]
    assert template.metrics == ["rouge_l"]
    assert [one.fields for one in template.examples] == [{"q": "Who", "a": "Ann"}, {"q": "When", "a": "now"}]
    assert run(asked) == 0  # nothing is written over
    assert (tmp_path / "my_templates" / "tiny-set-ask.yaml").exists()
    assert run(["template", "import", "promptsource", "nowhere"]) == 2
    assert "there is no templates.yaml" in capsys.readouterr().err
    (tmp_path / "bad.yaml").write_text("a: !!python/object/apply:os.system [x]")
    assert run(["template", "import", "promptsource", "bad.yaml"]) == 2
    assert "cannot be read as YAML" in capsys.readouterr().err


@pytest.mark.shared
@pytest.mark.parametrize("dataset", ["ag_news", "squad", "ai2_arc/ARC-Easy", "glue/mrpc", "hellaswag"])
def test_real_ones_render_as_promptsource_would(shared_data, dataset):
    path = shared_data / "promptsource" / "templates" / dataset / "templates.yaml"
    taken = []
    for one in read_promptsource(path):
        try:
            taken.append(take(one))
        except RefusedError:
            continue
    tool = bench()
    rule = tool.Rule(choose_first=False)
    words = []
    for made in make_templates(taken, set()):
        assert isinstance(made, Made)
        renderer = Renderer(made.template)
        for paraphrase, one in made.taken.items():
            words += [tool.outcome(one, renderer, paraphrase, row, rule)[0] for row in tool.rows_for(one, 8)]
    assert set(words) <= {"equal", "neither", "only theirs"}
    assert words.count("equal") > 10


def bench():
    spec = importlib.util.spec_from_file_location("promptsource_bench", BENCH)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
