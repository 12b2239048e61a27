from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from annotation.rule_checks import CHECKED, RULES, Kinds, broken_rules, count_rules, rules_of, weights_of
from pipeline.template import load_templates
from schemas import Annotated, arrow_schema

KINDS = Kinds(json=["extract"], translation=["translate"])
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
    ],
)
def test_a_rule_sees_the_answers_it_is_for_and_no_others(answer, rules):
    assert broken(row(answer)) == [rules]


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
    assert broken(*(row("Yes.", marks=one) for one in marks)) == [["pii"], ["conflict", "mojibake"], [], [], ["stale"]]


def test_a_slice_of_a_batch_is_checked_like_the_whole():
    batch = pa.RecordBatch.from_pylist(
        [row("Yes."), row("N/A", marks=("conflict",)), row("", marks=("pii:ipv4",))], SCHEMA
    )
    whole = broken_rules(batch, KINDS)
    assert whole.any()
    assert [int(broken_rules(batch.slice(n, 1), KINDS)[0]) for n in range(3)] == whole.tolist()


def test_weights_of_several_rules_add_up_and_are_counted():
    bits = broken_rules(
        pa.RecordBatch.from_pylist([row("N/A", marks=("conflict", "pii:email")), row("N/A"), row("Yes.")], SCHEMA),
        KINDS,
    )
    assert weights_of(bits).tolist() == [1.75, 1.0, 0.0]  # 1 + 0.5 + 0.25
    assert count_rules(bits) == {"placeholder": 2, "conflict": 1, "pii": 1}


def test_every_rule_has_a_bit_of_its_own_and_a_sentence():
    assert len(RULES) <= np.iinfo(np.uint32).bits
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.sentence.endswith(".") and bool(rule.marks) != bool(rule.breaks) for rule in RULES)


def test_the_templates_that_come_along_are_known_by_how_they_are_scored():
    templates = {name: template for name, (template, _) in load_templates([]).items()}
    assert Kinds.of(templates) == Kinds(json=["extract"], translation=["translate"])
