"""What a template's text may do, and that nothing in it can reach out, run on, or grow."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sandbox import MAX_CHARS
from pipeline.template_filters import FILTERS, LOOP_NAMES, METHODS, TESTS
from pipeline.wording import MAX_SOURCE_CHARS, RenderError, Wording
from schemas import ConfigError

ROOT = Path(__file__).resolve().parents[2]


def render(source: str, **values: str) -> str:
    return Wording(source, "test").render(values)


@given(st.text())
def test_a_value_stands_in_the_text_as_it_is(value):
    assert render("<{{ value }}>", value=value) == f"<{value}>"


@pytest.mark.parametrize("value", ["{{ 7*7 }}", "{% raw %}", "100 % of {x}", "C:\\n", "{#", " \n blank \t", "&<>'"])
def test_braces_and_blanks_in_a_value_are_data(value):
    assert render("{{ value }}", value=value) == value


def test_blank_space_of_the_template_is_cut_at_both_ends_and_that_of_values_is_not():
    assert render("\n  {{ a }}\n\n{{ b }}\n\n", a=" x", b="y \n") == " x\n\ny \n"
    assert render("{{ a }}\n\n{{ b }}\n", a="x", b="") == "x"  # an empty field takes its blank lines along


def test_a_block_tag_takes_no_line_of_its_own():
    source = "{{ a }}\n  {% if b %}\nInput: {{ b }}\n  {% endif %}\nEnd"
    assert render(source, a="x", b="y") == "x\nInput: y\nEnd"
    assert render(source, a="x", b="") == "x\nEnd"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{% for line in a.splitlines() %}{{ loop.index }}. {{ line }}; {% endfor %}", "1. b; 2. A;"),
        ("{{ a.splitlines()|sort|join(', ') }}", "A, b"),
        ("{{ a.split('\n')[0] ~ '!' ~ 3 }}", "b!3"),
        ("{{ ''|default('none') }}", "none"),
        ("{{ ' x '|trim|upper }}", "X"),
        ("{{ '3.14159'|float|round(2) }}", "3.14"),
        ("{{ ('7'|int + 1) * 2 }}", "16"),
        ("{{ 7|round(2) }} {{ 7.5|round }}", "7 8.0"),
        ("{{ 'ñ<&\"'|tojson }}", '"ñ<&\\""'),  # JSON for people, not for HTML
        ("{{ ['x', 'x', 'y']|unique|join }}", "xy"),
        ("{{ 'aab'|replace('a', 'x') }}", "xxb"),
        ("{{ 'yes' if 'b' in a else 'no' }}", "yes"),
        ("{{ ' but' if not a }}{{ a|length }}", "3"),  # no else: nothing
        ("{% for x in 'ab' %}{% if 'ab'.startswith(x) %}{{ x }}{% endif %}{% endfor %}", "a"),
        ("{% set n = a|wordcount %}{{ n }} words", "2 words"),
        ('{% for x in \'[{"n": 1.5}, {"n": "b"}]\'|fromjson %}{{ x[\'n\'] }};{% endfor %}', "1.5;b;"),
        ("{{ ''|fromjson|length }}{{ '[1, [2]]'|fromjson|length }}", "02"),
    ],
)
def test_what_is_allowed_works(source, expected):
    assert render(source, a="b\nA") == expected


def test_the_guide_names_all_that_is_allowed():
    guide = (ROOT / "docs" / "add-a-template.md").read_text("utf-8")
    for name in [*FILTERS, *TESTS, *METHODS, *LOOP_NAMES]:
        assert f"`{name}`" in guide or f"`.{name}" in guide or f"`loop.{name}`" in guide, name


@pytest.mark.parametrize(
    ("source", "what", "fix"),
    [
        ("{{ a|uper }}", "there is no filter 'uper'", "did you mean 'upper'?"),
        ("{{ a|random }}", "there is no filter 'random'", "known names: capitalize"),
        ("{{ a is even }}", "there is no test 'even'", "known names: defined"),
        ("{{ a.center(9) }}", "there is no method 'center'", "known names: capitalize"),
        ("{{ a.__class__ }}", "it reads the attribute '__class__'", "docs/add-a-template.md"),
        ("{{ loop.cycle(1) }}", "there is no method 'cycle'", "known names"),
        ("{{ range(9) }}", "it calls a function, and templates have none", "docs/add-a-template.md"),
        ("{{ a|join(*a) }}", "it spreads a value over arguments", "one by one"),
        ("{% include 'x' %}", "templates have no include", "{% if %}"),
        ("{% macro m() %}{% endmacro %}", "templates have no macro", "{% if %}"),
        ("{{ 2 ** 3 }}", "templates have no pow", "{% set %}"),
        ("{{ {'a': 1} }}", "templates have no dict", "{% set %}"),
        ("{% for x, y in a %}{% endfor %}", "gives several names at once", "give one name"),
        ("{% for x in a %}" * 3 + "{% endfor %}" * 3, "loops nest more than 2 deep", "in the source"),
        ("{{ a" + "|lower" * 60 + " }}", "nested more than 50 deep", "{% set %}"),
        ("{{ " + "(" * 900 + "a" + ")" * 900 + " }}", "nested more than 50 deep", "{% set %}"),
        ("{{ " + "9" * 16 + " }}", "a number passes 1,000,000,000,000,000", "in quotes"),
        ("{{ " + "9" * 5000 + " }}", "not valid Jinja", "shorten the number"),
        ("{{ '\\ud800' }}", "half a character", "write the character itself"),
        ("x" * (MAX_SOURCE_CHARS + 1), "20,001 characters, at most 20,000", "belong in a field"),
        ("{{ a", "not valid Jinja: unexpected end of template", "docs/add-a-template.md"),
    ],
)
def test_what_is_not_allowed_is_refused_before_a_row_is_read(source, what, fix):
    with pytest.raises(ConfigError) as error:
        Wording(source, "my.yaml, prompts.plain")
    assert what in error.value.what
    assert "my.yaml, prompts.plain" in error.value.where
    assert fix in error.value.fix


def test_all_problems_of_a_text_come_at_once_with_their_lines():
    with pytest.raises(ConfigError) as error:
        Wording("{{ a|uper }}\n{% include 'x' %}", "here")
    found = {(each.where, each.what) for each in (error.value, *error.value.also)}
    assert found == {
        ("here, line 1", "there is no filter 'uper'"),
        ("here, line 2", "templates have no include"),
    }


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ a * 3 }}", "expected a number, got text"),
        ("{{ '%9d' % 3 }}", "expected a number, got text"),
        ("{{ [a] }}", "expected text, got a list"),
        ("{{ a == a }}", "expected text, got true or false"),
        ("{{ none }}", "expected text, got none"),
        ("{{ 1 // 0 }}", "integer division"),
        ("{{ 999999999999999 * 9 }}", "a number passes 1,000,000,000,000,000"),
        ("{{ b }}", "'b' is undefined"),
        ("{{ a['upper'] }}", "has no attribute 'upper'"),  # and not the method of that name
        ("{{ [a][5] }}", "has no element 5"),
        ("{{ a|fromjson }}", "fromjson: 'x' is no JSON"),
        ("{{ '[NaN]'|fromjson }}", "NaN is no number of JSON"),
        ("{{ '[1]'|fromjson }}", "expected text, got a list"),
        ("{{ '{\"a\": 1}'|fromjson }}", "expected text, got an object"),
        ("{{ ('{}'|fromjson)['keys'] }}", "has no attribute 'keys'"),
    ],
)
def test_a_row_that_does_not_fit_the_text_is_told_with_its_place(source, message):
    with pytest.raises(RenderError, match=r"^test: ") as error:
        render(source, a="x")
    assert message in str(error.value)
    assert error.value.reason == "render_error"


def test_an_error_does_not_quote_a_whole_document():
    with pytest.raises(RenderError) as error:
        render("{{ a[b] }}", a="x", b="y" * 9000)
    assert len(str(error.value)) < 300


def test_more_than_a_million_characters_are_too_long():
    for source, a in [("{{ a }}{{ a }}", "x" * (MAX_CHARS // 2 + 1)), ("{{ a[0] }}", "x" * (MAX_CHARS + 1))]:
        with pytest.raises(RenderError, match="more than 1,000,000 characters") as error:
            render(source, a=a)
        assert error.value.reason == "too_long"
    assert len(render("{{ a }}", a="x" * MAX_CHARS)) == MAX_CHARS


# Each would take more than a gigabyte, or minutes, if it ran: with a = 900,000 characters, b = 50,000.
BOMBS = [
    "{{ 'a' * 2000000000 }}",
    "{{ [0] * 1000000000 }}",
    "{{ 10 ** 10 ** 9 }}",
    "{{ '%2000000000d' % 1 }}",
    "{{ '{:>2000000000}'.format(a) }}",
    "{{ a.center(2000000000) }}",
    "{{ a|center(2000000000) }}",
    "{{ a|indent(2000000000) }}",
    "{{ '%2000000000d' is even }}",
    "{{ 'a'|round(2000000000, 'ceil') }}",
    "{{ 1.5|round(2000000000) }}",
    "{% for x in range(1000000000) %}{% endfor %}",
    "{% for x in a %}{% for y in a %}{% endfor %}{% endfor %}",
    "{% for x in b %}{% for y in b %}{% endfor %}{% endfor %}",
    "{% set l = b|list %}{% for x in l %}{% for y in l %}{% endfor %}{% endfor %}",
    "{% for x in b %}{% set z = a[1:] %}{% endfor %}",
    "{% for x in b %}{% if 'q' in a %}{% endif %}{% endfor %}",
    "{% for x in b %}{% if a == a|lower %}{% endif %}{% endfor %}",
    "{% for x in b %}{{ a[1:] }}{% endfor %}",
    "{% for x in b %}{{ a }}{% endfor %}",
    "{% for x in b %}{% set z = a|title %}{% endfor %}",
    "{% for x in b %}{% set z = a.split('x') %}{% endfor %}",
    "{% for x in b %}{% set z = a ~ x %}{% endfor %}",
    "{% set s = 'x' %}" + "{% set s = s ~ s %}" * 40 + "{{ s }}",
    "{% set s = 'x' %}" + "{% set s = s + s %}" * 40 + "{{ s }}",
    "{% set s = 'xx' %}" + "{% set s = s|replace('x', s) %}" * 40 + "{{ s }}",
    "{% set s = 'xx' %}" + "{% set s = [s, s]|join(s) %}" * 40 + "{{ s }}",
    "{% set n = 9 %}" + "{% set n = n * n %}" * 40 + "{{ n }}",
    "{{ a|replace('x', b) }}",
    "{{ a|replace('x', '[')|fromjson }}",
    "{{ ('[' ~ a|replace('x', '{},') ~ '0]')|fromjson|length }}",
    "{% for x in b %}{% set z = ('[' ~ a|replace('x', '1,') ~ '0]')|fromjson %}{% endfor %}",
    "{% set l = ('[' ~ b|replace('y', '{},') ~ '0]')|fromjson %}{% for x in l %}{% set z = l|unique %}{% endfor %}",
    "{{ a|replace('x', '9')|fromjson }}",
    "{{ a|replace('', b) }}",
    "{{ b|list|join(b) }}",
    "{{ a.strip(b ~ 'x') }}",
    "{{ a|trim(b ~ 'x') }}",
    "{{ a" + " ~ a" * 4000 + " }}",
    "{{ a }}" * 2500,
    "{{ a|upper }}" * 1500,
    "{% set l = [a|upper, a|lower] %}" * 600,
    "{{ [a[1:], a[2:], a[3:]]|length }}" * 550,
    "{{ " + "[" * 9000 + "]" * 9000 + " }}",
    "{{ " + "not " * 4000 + "a }}",
    "{{ 1" + "+1" * 9000 + " }}",
    "{{ a" + "[0]" * 6000 + " }}",
    "{% if a %}" * 800 + "{% endif %}" * 800,
]
CHILD = """
import json, resource, sys
from pipeline.wording import RenderError, Wording
from schemas import ConfigError
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))   # all of them together, on a slow machine
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
values = {"a": "x" * 900_000, "b": "y" * 50_000}
said = []
for source in json.load(sys.stdin):
    try:
        said.append(f"gave {len(Wording(source, 'bomb').render(values))}")
    except (ConfigError, RenderError) as error:
        said.append(f"{type(error).__name__}: {error}")
print(json.dumps(said))
"""


def test_bombs_end_in_an_error_within_a_gigabyte_and_a_minute_all_together():
    child = subprocess.run(
        [sys.executable, "-c", CHILD], input=json.dumps(BOMBS), capture_output=True, text=True, cwd=ROOT
    )
    assert child.returncode == 0, child.stderr
    said = dict(zip(BOMBS, json.loads(child.stdout), strict=True))
    assert [source[:60] for source, message in said.items() if message.startswith("gave")] == []
    assert "takes more work than one row may ask for" in said["{{ b|list|join(b) }}"]


@pytest.mark.shared
def test_no_known_attack_gets_anything(shared_data):
    folder = shared_data / "ssti-payloads"
    lines = {line for path in folder.rglob("*") if path.is_file() for line in path.read_text("utf-8").splitlines()}
    payloads = sorted(line for line in lines if "{{" in line or "{%" in line)
    assert len(payloads) > 25  # the set is there
    given = {}
    for payload in payloads:
        try:
            given[payload] = render(payload)
        except (ConfigError, RenderError):
            continue
    # Arithmetic is allowed and harmless; nothing else came back.
    assert set(given.values()) <= {"4[[3*3]]", "9", "$9"}
