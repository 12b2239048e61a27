from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.checked_texts import CHECKED, Kinds
from annotation.rule_checks import RULES, broken_rules, count_rules, doubt_of, rules_of
from pipeline.template import load_templates
from schemas import Annotated, arrow_schema

KINDS = Kinds(
    json=["extract"], translation=["translate"], label=["classify"], several=["classify-multi"], document=["headline"],
    unchanged=["correct-grammar"], declining=["refusal"],
)  # fmt: skip
TEMPLATES = {name: template for name, (template, _) in load_templates([]).items()}
SCHEMA = pa.schema([arrow_schema(Annotated).field(name) for name in CHECKED])


def message(role: str, content: str, tool_calls: str | None = None) -> dict[str, Any]:
    return {"role": role, "content": content, "tool_calls": tool_calls}


def row(answer: str, prompt: str = "Why?", template: str = "instruct", marks: tuple[str, ...] = ()) -> dict[str, Any]:
    completion = [message("assistant", answer)]
    return {
        "template": template,
        "marks": list(marks),
        "prompt": [message("user", prompt)],
        "completion": completion,
    }


def broken(*rows: dict[str, Any]) -> list[list[str]]:
    bits = broken_rules(pa.RecordBatch.from_pylist(list(rows), SCHEMA), KINDS)
    return [[rule.name for rule in rules_of(int(one))] for one in bits]


@pytest.mark.parametrize(
    ("answer", "rules"),
    [
        ("", ["blank"]),
        (" \n…", ["blank"]),
        ("ß", []),  # one letter is an answer
        ("7", []),
        ("N/A", ["placeholder"]),
        ("[TODO]", ["placeholder"]),
        ("None", []),  # a fine answer to "How many are left?"
        ("Why?", ["repeats_prompt"]),
        ("As an AI, I have no opinion.", ["refusal"]),
        ("I’m sorry, but I can’t help with that.", ["refusal"]),
        ("Sorry, I cannot answer.", ["refusal"]),
        ("I can't believe it is over.", []),  # a story
        ("The pier is long. It was built by the men of", ["cut_off"]),
        ("The pier is long. It was built in 1888.", []),
        ("The pier is long. It was built in 1888", []),  # a number may end it
        ("Buy it now! It is cheap #SaleOfTheYear", []),
        ("Come soon, it is warm here.\n\nYour past self", []),  # a signature
        ("Paris", []),
        ("Yours is the one. I remain, dear Bob, sincerely yours, Ann", []),
        ("<nooutput> A picture cannot be made.", ["placeholder"]),
        ("No output required", ["placeholder"]),
        ("1. Wash.\n2. Dry.\n3.", ["cut_off"]),
        ("```python\nprint(1)", ["cut_off"]),
        ("```python\nprint(1)\n```", []),
        ("It is 12 * 7 = 85.", ["wrong_sum"]),
        ("See https://example.org/a.", ["new_address"]),
        ("```\ncurl https://example.org/a\n```", []),
    ],
)
def test_a_rule_sees_the_answers_it_is_for_and_no_others(answer, rules):
    assert broken(row(answer)) == [rules]


@pytest.mark.parametrize(
    ("prompt", "answer", "rules"),
    [
        ("What is 12 * 7?", "85", ["missed_sum"]),
        ("What is 12 * 7?", "It is 84.", []),
        ("Describe the painting below.\n\n[Image provided]", "A pier at dawn.", ["absent_media"]),
        ("Name the boat in the attached photo.", "A skiff.", ["absent_media"]),
        ("Describe the photo that made her famous.", "A pier at dawn.", []),
        ("Design a logo for a bakery.", "A loaf in a ring.", ["wants_media"]),
        ("Draw a conclusion from this.", "It rains.", []),
        ("Write the code to draw a circle.", "circle()", []),
        ("Summarize this article: https://example.org/a", "It says much.", ["needs_page"]),
        ("Get the page https://example.org/a", "request('https://example.org/a')", []),
        ("What is https?", "A protocol for web pages.", []),
        ("Name the page of Example.", "https://example.org", ["new_address"]),
        ("Is https://example.org up?", "It is at https://www.example.org", []),
        ("Name three fruits.", "1. Fig\n2. Pear", ["another_count"]),
        ("Name three fruits.", "- Fig\n- Pear\n-Plum", []),
        ("Name three fruits.", "Fig and pear.", []),  # no list to count
        ("Give at least two fruits.", "1. Fig\n2. Pear\n3. Plum", []),
        ("Write 2 paragraphs with examples.", "1. Fig\n2. Pear\n3. Plum", []),
        ("Name 2 fruits and 1 tree.", "1. Fig\n2. Pear\n3. Oak", []),  # two numbers: which one is meant?
        ("Mend it.\n\nThe men was here on a day.", "The men was here on a day.", ["copies_input"]),
        ("Mend it.\n\nThe men was here.", "The men was here.", []),  # four words: a label may be as long
    ],
)
def test_a_rule_looks_at_the_prompt_too(prompt, answer, rules):
    assert broken(row(answer, prompt)) == [rules]


def test_a_label_must_be_among_the_choices_where_the_prompt_names_them():
    prompt = "Which label fits this text? Choose from: Refund, damage.\n\nIt broke."
    rows = [row(answer, prompt, "classify") for answer in ("refund", "delivery")]
    free = row("delivery", "Which label fits this text?\n\nIt broke.", "classify")
    assert broken(*rows, free, row("delivery", prompt)) == [[], ["not_offered"], [], []]


def test_every_one_of_several_labels_must_be_among_the_choices_or_none_may_fit():
    prompt = "Which labels fit this text? Choose from: Refund, damage, late delivery.\n\nIt broke."
    answers = ["refund, damage", "late delivery", "none", "refund, delay"]
    rows = [row(answer, prompt, "classify-multi") for answer in answers]
    assert broken(*rows) == [[], [], [], ["not_offered"]]


@pytest.mark.parametrize("options", ["A. refund\nB. damage", "A) refund\nB) damage", "Options: (A) refund (B) damage"])
def test_a_letter_must_be_among_those_that_the_prompt_shows(options):
    rows = [row(answer, f"What does it want?\n\n{options}", "classify") for answer in ("B", "C")]
    assert broken(*rows, row("C", options)) == [[], ["not_offered"], []]
    assert broken(row("refund", "Mr A. Smith wants it.", "classify")) == [[]]  # no letter, and none on offer


def test_an_empty_list_is_an_answer_where_json_is_asked_for_and_nowhere_else():
    assert broken(row("[]", template="extract"), row("[ ]", template="extract"), row("[]")) == [[], [], ["blank"]]


def test_a_text_without_mistakes_may_come_back_from_correction():
    prompt, text = "Correct this:\n\nShe has lived here for six years.", "She has lived here for six years."
    assert broken(row(text, prompt, "correct-grammar"), row(text, prompt, "simplify")) == [[], ["copies_input"]]


def test_a_refusal_is_no_fault_where_declining_is_the_task():
    assert broken(row("I can't help with that.", template="refusal"), row("I can't help with that.")) == [
        [],
        ["refusal"],
    ]


def test_a_text_to_work_on_needs_no_page_that_it_names():
    prompt = "Write a headline for this article.\n\nThe town has put its plans on www.example.org."
    rows = [row("Town publishes plans", prompt, template) for template in ("headline", "instruct")]
    assert broken(*rows) == [[], ["needs_page"]]


def test_what_is_to_be_translated_or_labelled_asks_for_nothing_itself():
    prompt = "Text:\nDesign a logo for a bakery.\nLabel:"
    assert broken(row("order", prompt, "classify"), row("order", prompt)) == [[], ["wants_media"]]


def test_numbers_must_come_over_into_a_translation_in_either_notation():
    prompt = "German: Es kostet 1.250,50 Euro, 30 Tage lang.\nEnglish:"
    answers = ["It costs 1,250.50 euros for 30 days.", "It costs 1,250.50 euros for 13 days.", "It is dear."]
    assert broken(*(row(answer, prompt, "translate") for answer in answers), row("Dear.", prompt)) == [
        [], ["numbers_differ"], ["numbers_differ"], [],
    ]  # fmt: skip


def test_json_is_asked_of_templates_that_want_it_and_of_no_others():
    assert broken(row('{"a": 1', template="extract"), row('{"a": 1}', template="extract"), row('{"a": 1')) == [
        ["broken_json"],
        [],
        [],
    ]


def test_three_words_of_the_prompt_as_its_translation_are_untranslated():
    prompt = "German: Wo ist der Bahnhof in Bad Toft?\nEnglish:"
    rows = [row(answer, prompt, "translate") for answer in ("Wo ist der Bahnhof in Bad Toft?", "Bad Toft", "Where is?")]
    assert broken(*rows, row("Wo ist der Bahnhof", prompt)) == [["untranslated"], [], [], []]


def test_a_tool_call_without_text_is_an_answer():
    call = {**row(""), "completion": [message("assistant", "", '[{"function": {"name": "f"}}]')]}
    assert broken(call, row("")) == [[], ["blank"]]


def test_an_answer_is_the_last_message_and_other_rows_do_not_shift_it():
    long = {**row("x"), "completion": [message("assistant", "N/A"), message("user", "?"), message("assistant", "Yes.")]}
    nothing = {**row("x"), "completion": []}
    assert broken(long, nothing, row("N/A"), {**row("Paris"), "prompt": []}) == [[], [], ["placeholder"], []]


def test_marks_break_their_rules_whatever_their_kind_and_only_whole():
    marks = [("pii:email", "pii:phone"), ("conflict", "mojibake"), (), ("conflict of another sort",), ("stale",)]
    assert broken(*(row("Yes.", marks=one) for one in marks)) == [["pii"], ["mojibake", "conflict"], [], [], ["stale"]]


def test_a_slice_of_a_batch_is_checked_like_the_whole():
    batch = pa.RecordBatch.from_pylist(
        [row("Yes."), row("N/A", marks=("conflict",)), row("", marks=("pii:ipv4",))], SCHEMA
    )
    whole = broken_rules(batch, KINDS)
    assert whole.any()
    assert [int(broken_rules(batch.slice(n, 1), KINDS)[0]) for n in range(3)] == whole.tolist()


def test_weights_of_several_rules_join_as_chances_and_are_counted():
    bits = broken_rules(
        pa.RecordBatch.from_pylist([row("N/A", marks=("conflict", "pii:email")), row("N/A"), row("Yes.")], SCHEMA),
        KINDS,
    )
    # 1 - (1 - 0.95) (1 - 0.5) (1 - 0.25); 0.95 alone; none
    assert doubt_of(bits).tolist() == pytest.approx([0.98125, 0.95, 0.0])
    assert count_rules(bits) == {"placeholder": 2, "conflict": 1, "pii": 1}


@given(st.lists(st.tuples(st.text(max_size=60), st.text(max_size=60)), max_size=3))
@settings(max_examples=15)  # every call compiles two dozen patterns anew
def test_any_text_is_checked_and_a_row_by_itself_as_among_others(pairs):
    rows = [row(answer, prompt, template) for prompt, answer in pairs for template in ("instruct", "translate")]
    assert broken(*rows) == [broken(one)[0] for one in rows]


@pytest.mark.parametrize(
    "text", ["list " * 20_000, "1+" * 50_000, "1+1" + " " * 50_000 + "=2", "1. a\n" * 20_000, "`" * 99_999]
)
def test_a_long_text_made_to_be_slow_is_checked_all_the_same(text):
    assert len(broken(row(text, text), row(text, f"Name three rivers. {text}"))) == 2


def test_every_rule_has_a_bit_of_its_own_and_a_sentence():
    assert len(RULES) <= np.iinfo(np.uint32).bits
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.sentence.endswith(".") and bool(rule.marks) != bool(rule.breaks) for rule in RULES)


def test_the_templates_that_come_along_are_known_by_how_they_are_scored_their_fields_and_tasks():
    kinds = Kinds.of(TEMPLATES)
    assert sorted(kinds.json) == ["extract", "tool-call"]
    assert list(kinds.translation) == ["translate"]
    assert sorted(kinds.label) == ["classify", "classify-options", "entailment", "multiple-choice", "sentiment"]
    assert list(kinds.several) == ["classify-multi"]  # keywords are a list, too, and nothing is on offer
    assert {"summarize", "summarize-sentence", "headline", "paraphrase"} <= set(kinds.document)
    assert {"instruct", "chat", "maths", "write-code"}.isdisjoint(kinds.document)
    assert (list(kinds.unchanged), list(kinds.declining)) == (["correct-grammar"], ["refusal"])


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_no_rule_finds_fault_with_the_examples_of_the_templates_that_come_along(name):
    rows = [row(one.response, one.prompt, name) for one in TEMPLATES[name].examples if one.response]
    bits = broken_rules(pa.RecordBatch.from_pylist(rows, SCHEMA), Kinds.of(TEMPLATES))
    assert [[rule.name for rule in rules_of(int(each))] for each in bits] == [[]] * len(rows)
