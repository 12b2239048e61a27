"""The templates we ship: each is whole, and its own examples are its golden tests."""

import re
from itertools import combinations

import pytest
import yaml
from rapidfuzz import fuzz

from pipeline.renderer import Renderer
from pipeline.template import BUILT_IN, load_templates
from pipeline.wording import RenderError
from schemas.template import TemplateField
from train.metrics import METRICS

TEMPLATES = load_templates([])  # fails here if any example renders otherwise than it says
RENDERED = sorted(name for name, (template, _) in TEMPLATES.items() if not template.chat)
LABELLED = {"classify", "sentiment", "entailment", "multiple-choice"}


def is_answer(field: TemplateField) -> bool:
    return field.side == "response"


def test_every_file_of_the_folder_is_a_template():
    assert sorted(TEMPLATES) == sorted(path.stem for path in BUILT_IN.iterdir())
    assert len(TEMPLATES) >= 25


def test_each_has_a_task_of_its_own():
    # Rows of one task are searched for duplicates: a draft of a list would go where a summary of its text is there.
    assert {template.task for template, _ in TEMPLATES.values()} == TEMPLATES.keys()


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
    required = {
        field: f"<{field}>" for field, spec in template.fields.items() if not (spec.optional or is_answer(spec))
    }
    for paraphrase in template.prompts:
        prompt = Renderer(template).render_as(required, paraphrase).prompt
        assert "\n\n\n" not in prompt
        assert "  " not in prompt
        assert prompt == prompt.strip()


@pytest.mark.parametrize("name", RENDERED)
def test_wordings_are_short_and_differ(name):
    template, _ = TEMPLATES[name]
    renderer = Renderer(template)
    blank = {field: field[:3] for field, spec in template.fields.items() if not is_answer(spec)}
    prompts = [renderer.render_as(blank, paraphrase).prompt for paraphrase in template.prompts]
    assert len(set(prompts)) == len(prompts)
    # Small models read these too: 100 characters are about 25 tokens.
    assert max(map(len, prompts)) < 100


@pytest.mark.parametrize("name", RENDERED)
def test_no_two_wordings_are_nearly_equal(name):
    template, _ = TEMPLATES[name]
    words = {each: " ".join(re.sub(r"{{.*?}}|{%.*?%}", "", text).split()) for each, text in template.prompts.items()}
    for one, other in combinations(words, 2):
        # Without a word of their own, as two of instruct are, they differ in the order of the fields.
        texts = words if words[one] + words[other] else template.prompts
        assert fuzz.ratio(texts[one].lower(), texts[other].lower()) < 80, f"{name}: {one} and {other}"


@pytest.mark.parametrize("name", RENDERED)
def test_a_wording_begins_with_a_value_or_ends_with_one_and_another_does_not(name):
    template, _ = TEMPLATES[name]
    values = {field: f"<{field}>" for field, spec in template.fields.items() if not is_answer(spec)}
    renderer = Renderer(template)
    prompts = [renderer.render_as(values, paraphrase).prompt for paraphrase in template.prompts]
    assert len({(prompt[0] == "<", prompt[-1] == ">") for prompt in prompts}) > 1


def test_other_scripts_and_marks_of_templates_come_out_unharmed():
    shown = {
        example.prompt
        for template, _ in TEMPLATES.values()
        for example in template.examples
        for value in example.fields.values()
        if value in example.prompt
    }
    for pattern in (r"[\u0590-\u06ff]{3}", r"[\u3040-\u30ff\u4e00-\u9fff]{3}", r"(?s){{.*%|%.*{{"):
        assert any(re.search(pattern, prompt) for prompt in shown), pattern


@pytest.mark.parametrize("name", RENDERED)
def test_every_choice_is_shown_by_an_example_or_is_a_letter(name):
    template, _ = TEMPLATES[name]
    for field, spec in template.fields.items():
        shown = {example.fields.get(field) for example in template.examples}
        assert all(choice in shown or len(choice) == 1 for choice in spec.choices)


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_annotators_are_told_what_to_do(name):
    template, _ = TEMPLATES[name]
    review = template.review
    assert template.license == "Apache-2.0"
    own = dict.fromkeys(LABELLED, "classify") | {"preference": "preference"}
    assert review.screen == own.get(name, "chat" if template.chat else "review")
    assert review.question.endswith("?")
    assert len(review.error_types) == len(set(review.error_types)) >= 3
    choices = {
        "classify": ("choose the label", "no label fits", "unsure"),
        "preference": ("no difference", "both bad"),
    }
    for verdict in choices.get(review.screen, ("accept", "edit", "reject", "unsure")):
        assert f"**{verdict}" in review.guideline.lower(), f"{name} does not say when to {verdict}"
    assert len(review.guideline.split()) >= 60


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_answers_are_scored_by_metrics_that_there_are_and_examples_score_full_marks(name):
    template, _ = TEMPLATES[name]
    assert len(template.metrics) == len(set(template.metrics))
    for metric in template.metrics:
        assert {METRICS[metric](example.response, example.response) for example in template.examples} == {1.0}


def test_a_label_that_is_no_option_gives_no_letter():
    template, _ = TEMPLATES["classify-options"]
    fields = {"text": "Where is it?", "options": "billing, delivery", "label": "refund"}
    with pytest.raises(RenderError, match="came out empty"):
        Renderer(template).render_as(fields, "plain")


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
