from pipeline.template import load_templates
from tests.train.small_split import split_row
from train.copy_floor import copies

TEMPLATES = {name: template for name, (template, _) in load_templates([]).items()}


def row(prompt, template="summarize", **fields):
    named = [{"name": name, "value": value} for name, value in fields.items()]
    return split_row(prompt, "a", template=template, fields=named)


def test_the_input_is_the_longest_field_of_the_prompt_side_without_the_words_of_the_template():
    asked = row(
        "Summarize this.\n\nThe pool opens.", document="The pool opens.", summary="The pool opens in June, at last."
    )
    assert copies([asked], TEMPLATES) == ["The pool opens."]


def test_a_field_that_the_prompt_no_longer_holds_is_not_the_input():
    assert copies([row("Summarize: it is shut.", document="The pool opens.")], TEMPLATES) == ["Summarize: it is shut."]


def test_without_known_fields_the_last_message_of_the_user_is_the_input():
    assert copies([row("2 + 2?", "chat"), row("3?", "gone", text="3")], TEMPLATES) == ["2 + 2?", "3?"]


def test_a_row_without_a_user_message_copies_nothing():
    asked = row("x", "chat") | {"prompt": []}
    assert copies([asked], TEMPLATES) == [""]
