import json

from pipeline.care import take_care
from pipeline.examples import Examples
from pipeline.turns import Turn

CALLS = json.dumps(
    [
        {
            "id": "c",
            "type": "function",
            "function": {"name": "pay", "arguments": '{"to":"ann@example.org","card":4111111111111111}'},
        }
    ]
)


def _examples():
    examples = Examples()
    plain = ("id", "s", "f:1", "t", "t", None)
    examples.add(plain, [("a", "clean"), ("b", "schÃ¶n, ann@example.org")], [], '{"by":"bob@example.org","n":3}')
    examples.add(
        plain,
        [("tools", '[{"name":"call 555-123-4567"}]')],
        [Turn("user", "I am ann@example.org"), Turn("assistant", "", tool_calls=CALLS)],
        "{}",
    )
    return examples


def _rows(examples):
    return examples.batch().to_pylist()


def test_finding_marks_and_counts_and_changes_nothing():
    examples = _examples()
    before = _rows(examples)
    counts = take_care(examples, repair=False, personal="find")
    after = _rows(examples)
    assert after[0]["marks"] == ["mojibake", "pii:email"]
    assert after[1]["marks"] == ["pii:credit_card", "pii:email", "pii:phone"]
    # ann twice in texts and once in the call, bob in meta
    assert counts == {"mojibake": 1, "pii:email": 4, "pii:phone": 1, "pii:credit_card": 1}
    assert [row | {"marks": []} for row in after] == before


def test_redaction_reaches_fields_turns_meta_tools_and_calls_and_leaves_json_whole():
    examples = _examples()
    take_care(examples, repair=False, personal="redact")
    first, second = _rows(examples)
    assert first["fields"][1]["value"] == "schÃ¶n, [EMAIL]"
    assert json.loads(first["meta"]) == {"by": "[EMAIL]", "n": 3}
    assert json.loads(second["fields"][0]["value"]) == [{"name": "call [PHONE]"}]
    assert second["turns"][0]["content"] == "I am [EMAIL]"
    (call,) = json.loads(second["turns"][1]["tool_calls"])
    assert json.loads(call["function"]["arguments"]) == {"to": "[EMAIL]", "card": "[CREDIT_CARD]"}


def test_repair_undoes_what_it_can_and_marks_no_more():
    examples = _examples()
    counts = take_care(examples, repair=True, personal="off")
    assert _rows(examples)[0]["fields"][1]["value"] == "schön, ann@example.org"
    assert (counts, _rows(examples)[0]["marks"]) == ({"repaired": 1}, [])


def test_off_means_not_looked_for():
    examples = _examples()
    assert take_care(examples, repair=False, personal="off") == {"mojibake": 1}
