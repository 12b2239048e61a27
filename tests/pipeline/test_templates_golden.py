"""The templates we ship: each is whole, and its own examples are its golden tests."""

import pytest
import yaml

from pipeline.renderer import Renderer
from pipeline.template import BUILT_IN, load_templates

TEMPLATES = load_templates([])  # fails here if any example renders otherwise than it says
RENDERED = sorted(name for name, (template, _) in TEMPLATES.items() if not template.chat)


def test_every_file_of_the_folder_is_a_template():
    assert sorted(TEMPLATES) == sorted(path.stem for path in BUILT_IN.iterdir())


@pytest.mark.parametrize("name", RENDERED)
def test_there_are_three_wordings_and_each_is_shown(name):
    template, _ = TEMPLATES[name]
    assert len(template.prompts) >= 3
    assert {example.paraphrase for example in template.examples} == set(template.prompts)


@pytest.mark.parametrize("name", RENDERED)
def test_optional_fields_are_shown_given_and_left_out(name):
    template, _ = TEMPLATES[name]
    optional = {field for field, spec in template.fields.items() if spec.optional}
    for field in optional:
        assert {field in example.fields for example in template.examples} == {True, False}


@pytest.mark.parametrize("name", RENDERED)
def test_no_wording_leaves_a_gap_where_an_optional_field_is_missing(name):
    template, _ = TEMPLATES[name]
    required = {field: f"<{field}>" for field, spec in template.fields.items() if not spec.optional}
    for paraphrase in template.prompts:
        prompt = Renderer(template).render_as(required, paraphrase).prompt
        assert "\n\n\n" not in prompt
        assert "  " not in prompt
        assert prompt == prompt.strip()


@pytest.mark.parametrize("name", RENDERED)
def test_wordings_are_short_and_differ(name):
    template, _ = TEMPLATES[name]
    renderer = Renderer(template)
    blank = {field: field[:3] for field in template.fields}
    prompts = [renderer.render_as(blank, paraphrase).prompt for paraphrase in template.prompts]
    assert len(set(prompts)) == len(prompts)
    # Small models read these too: 100 characters are about 25 tokens.
    assert max(map(len, prompts)) < 100


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_annotators_are_told_what_to_do(name):
    template, _ = TEMPLATES[name]
    review = template.review
    assert template.license == "Apache-2.0"
    own = {"classify": "classify", "preference": "preference"}
    assert review.screen == own.get(name, "chat" if template.chat else "review")
    assert review.question.endswith("?")
    assert len(review.error_types) == len(set(review.error_types)) >= 3
    choices = {
        "classify": ("choose the label", "no label fits", "unsure"),
        "preference": ("no difference", "both bad"),
    }
    for verdict in choices.get(review.screen, ("accept", "edit", "reject", "unsure")):
        assert f"**{verdict}" in review.guideline.lower(), f"{name} does not say when to {verdict}"


def test_one_file_explains_every_key():
    text = (BUILT_IN / "instruct.yaml").read_text("utf-8")
    comments = " ".join(line for line in text.splitlines() if line.lstrip().startswith("#"))
    for word in ("side", "optional", "document", "choices", "system", "Duplicates", "licence", "wordings", "scored"):
        assert word in comments


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_the_file_reads_alike_with_the_slow_and_strict_yaml_reader(name):
    # Machines without libyaml read with the pure Python one, which refuses some unquoted marks.
    _, path = TEMPLATES[name]
    assert yaml.safe_load(path.read_text("utf-8"))["name"] == name
