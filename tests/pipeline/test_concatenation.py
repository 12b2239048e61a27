"""What a text comes to, once it is known which fields have a value."""

import pytest

from pipeline.concatenation import Field
from pipeline.wording import Wording

A, B = Field("a"), Field("b")


def pieces(source: str, filled: str = "ab") -> tuple[object, ...] | None:
    return Wording(source, "test").plan(frozenset("ab"), frozenset(filled))


@pytest.mark.parametrize(
    ("source", "filled", "expected"),
    [
        ("Say {{ a }}!", "ab", ("Say ", A, "!")),
        ("\n{{ a }}\n\n{{ b }}\n", "ab", (A, "\n\n", B)),
        ("\n{{ a }}\n\n{{ b }}\n", "a", (A,)),  # the empty field takes its blank lines along
        ("{{ a }}{% if b %} and {{ b }}{% endif %}", "ab", (A, " and ", B)),
        ("{{ a }}{% if b %} and {{ b }}{% endif %}", "a", (A,)),
        ("{% if a and not b %}1{% elif a or b %}2{% else %}3{% endif %}", "a", ("1",)),
        ("{% if a and not b %}1{% elif a or b %}2{% else %}3{% endif %}", "ab", ("2",)),
        ("{% if a and not b %}1{% elif a or b %}2{% else %}3{% endif %}", "", ("3",)),
        ("{{ 'One of: ' ~ a if a }}.", "a", ("One of: ", A, ".")),
        ("{{ 'One of: ' ~ a if a }}.", "", (".",)),
        ("{{ a if b else ' none ' }}", "a", (" none ",)),  # blanks of a value stay
        ("{{ a }}", "", ()),
    ],
)
def test_words_and_fields_stand_in_a_row(source, filled, expected):
    assert pieces(source, filled) == expected


@pytest.mark.parametrize(
    "source",
    [
        "{{ a|upper }}",
        "{{ a[0] }}",
        "{{ a.strip() }}",
        "{{ a ~ b|lower }}",
        "{% if a == 'x' %}{{ b }}{% endif %}",
        "{% if a|length %}{{ b }}{% endif %}",
        "{% for x in a %}{{ x }}{% endfor %}",
        "{% set x = a %}{{ x }}",
        "{{ ' x ' }}{{ a }}",  # Jinja folds it into the words, and cuts its blanks with theirs
        "{{ 3 }}{{ a }}",
        "{{ c }}",  # not known: rendering tells
    ],
)
def test_a_text_that_does_more_is_left_to_rendering(source):
    assert pieces(source) is None
