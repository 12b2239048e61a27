"""Whole columns and single rows come to the same text, reason and sentence."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import rendering
from pipeline.renderer import Renderer
from pipeline.rendering import RenderedRows, render_rows
from pipeline.sandbox import MAX_CHARS
from pipeline.template import load_templates
from schemas import Template

FIELDS = pa.list_(pa.struct([("name", pa.string()), ("value", pa.string())]))
SINGLE = [template for template, _ in load_templates([]).values() if not template.chat]
# All that a text may do by columns, and some that it may not.
BITS = st.sampled_from(
    (
        *("{{ a }}", "{{ b }}", "{{ b }}\n", "\n\n", " x ", "{% if b %}\n{{ b }} y\n{% endif %}\n"),
        *(
            "{% if b and a %}1{% else %} 2 {% endif %}",
            "{{ 'z ' ~ b if b }}",
            "{{ b|upper }}",
            "{{ ' ' }}",
            "{{ a or b }}",
        ),
    )
)
VALUES = st.one_of(st.text(max_size=5), st.sampled_from(["", " ", "\n", "\x1c", "\u3000", "{{ a }}", "日本"]))


def template(prompts: dict[str, str], system: str = "", response: str = "{{ r }}{{ s }}") -> Template:
    field = {"about": "x", "optional": True}
    return Template.model_validate(
        {
            "name": "t",
            "task": "t",
            "about": "x",
            "license": "CC0-1.0",
            "prompts": prompts,
            "system": system or None,
            "response": response,
            "fields": {
                "a": field | {"side": "prompt", "optional": False},
                "b": field | {"side": "prompt"},
                "r": field | {"side": "response", "optional": False},
                "s": field | {"side": "response"},
            },
            "metrics": ["exact_match"],
            "review": {"question": "?", "error_types": ["x"], "guideline": "x"},
            "examples": [{}, {}],
        }
    )


def render(rows: list[dict[str, str]], one: Template, fewest: int) -> RenderedRows:
    fields = [[{"name": name, "value": value} for name, value in sorted(row.items())] for row in rows]
    ids = pa.array([f"{n:032x}" for n in range(len(rows))], pa.string())
    old, rendering._FEWEST_ROWS = rendering._FEWEST_ROWS, fewest
    try:
        return render_rows(ids, pa.array(fields, FIELDS), Renderer(one))
    finally:
        rendering._FEWEST_ROWS = old


def check_equal(rows: list[dict[str, str]], one: Template) -> list[dict[str, Any]]:
    by_columns, one_by_one = render(rows, one, 1), render(rows, one, 10**9)
    for name, left, right in zip(RenderedRows._fields, by_columns, one_by_one, strict=True):
        left.validate(full=True)
        assert left.to_pylist() == right.to_pylist(), name
    return by_columns.completion.to_pylist()


@given(
    st.lists(BITS, min_size=1, max_size=6).map("".join),
    st.sampled_from(["", "Be {{ b }}", "{{ b }}", "Short."]),
    st.sampled_from(["{{ r }}{{ s }}", "{{ r|upper }}{{ s }}", "{{ r[1] }}", "{{ r|trim }}{{ b }}"]),
    st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys("abrs", VALUES)), max_size=6),
)
def test_whole_columns_come_to_the_text_of_single_rows(prompt, system, response, rows):
    check_equal(rows, template({"plain": prompt, "short": "{{ a }}"}, system, response))


@pytest.mark.parametrize("one", SINGLE, ids=lambda one: one.name)
def test_the_built_in_templates_come_to_the_same_both_ways(one):
    rows = [{**example.fields} for example in one.examples for _ in range(3)]
    rows += [{name: value for name, value in row.items() if name != left} for row in rows for left in row]
    rows += [row | dict.fromkeys(row, "{{ x }} %s \\ \n{% if %}") for row in rows]
    check_equal([{name: value for name, value in row.items() if name != "tools"} for row in rows], one)


def test_a_blank_answer_and_a_long_text_are_told_as_one_by_one():
    rows = [{"a": "x", "r": answer} for answer in (" ", "\x85", "　", "日本", "\x1f ", "y" * (MAX_CHARS + 1))]
    rows += [{"a": "x" * 400_000, "b": "y" * 400_000, "r": "z"}]
    check_equal(rows, template({"plain": "{{ a }}{{ b }}{{ a }}"}))
    reasons = render(rows, template({"plain": "{{ a }}{{ b }}{{ a }}"}), 1).reason.to_pylist()
    assert reasons == ["empty_render", "empty_render", "empty_render", None, "empty_render", "too_long", "too_long"]


def test_a_row_with_too_long_a_field_goes_also_where_its_text_leaves_the_field_out():
    rows = [{"a": "x", "b": "y" * (MAX_CHARS + 1), "r": "z"}]
    check_equal(rows, template({"plain": "{{ a }}"}))
    assert render(rows, template({"plain": "{{ a }}"}), 1).reason.to_pylist() == ["too_long"]


def test_a_row_that_lacks_a_field_is_told_and_the_others_of_its_kind_are_joined():
    rows = [{"a": "x", "r": "y"}] * 20 + [{"b": "x", "r": "y"}]
    reasons = render(rows, template({"plain": "{{ a }}"}), 16).reason.to_pylist()
    assert reasons == [None] * 20 + ["render_error"]
