import pytest

from pipeline.preference import as_conversation
from pipeline.reading import ABSENT, Declaration, Declared, Reading, RowError

DECLARED = Declaration(task="t", chat=True, fields={"rejected": Declared(side="response", optional=False, choices=[])})
READING = Reading(
    template="preference",
    declaration=DECLARED,
    shape="preference",
    columns={"turns": "chosen", "rejected": "rejected", "prompt": "prompt"},
)
TURNS = [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]


def said(who, text):
    return {"role": who, "content": text}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "2 + 2?", "chosen": "4", "rejected": "5"},
        {"prompt": [said("user", "2 + 2?")], "chosen": [said("assistant", "4")], "rejected": [said("assistant", "5")]},
        {"prompt": "2 + 2?", "chosen": TURNS, "rejected": [TURNS[0], said("assistant", "5")]},
        {"chosen": TURNS, "rejected": [TURNS[0], said("assistant", "5")]},
        {"chosen": "\n\nHuman: 2 + 2?\n\nAssistant: 4", "rejected": "\n\nHuman: 2 + 2?\n\nAssistant: 5"},
        {"prompt": "\n\nHuman: 2 + 2?\n\nAssistant:", "chosen": "4", "rejected": "5"},
        {
            "prompt": [{"from": "human", "value": "2 + 2?"}],
            "chosen": {"from": "gpt", "value": "4"},
            "rejected": {"from": "gpt", "value": "5"},
        },
    ],
)
def test_every_spelling_of_a_pair_gives_one_conversation_and_a_worse_answer(row):
    found = as_conversation(READING, {"prompt": ABSENT} | row)
    assert (found["chosen"], found["rejected"]) == (TURNS, "5")


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        ({"prompt": "q", "chosen": "4", "rejected": " 4 "}, "bad_pair", "chosen and rejected say the same"),
        (
            {"prompt": "q", "chosen": "4", "rejected": None},
            "missing_field",
            "'rejected', the rejected answer, is empty",
        ),
        ({"prompt": "q", "chosen": "", "rejected": "5"}, "missing_field", "'chosen', the chosen answer, is empty"),
        ({"prompt": ABSENT, "chosen": "4", "rejected": "5"}, "bad_pair", "an answer alone, and no column the prompt"),
        (
            {"prompt": ABSENT, "chosen": TURNS, "rejected": [said("user", "3 + 3?"), said("assistant", "5")]},
            "bad_pair",
            "answer different conversations",
        ),
        (
            {"prompt": ABSENT, "chosen": TURNS[:1], "rejected": TURNS},
            "bad_pair",
            "'chosen' does not end with an answer",
        ),
    ],
)
def test_what_is_no_pair_is_dropped_with_its_reason(row, reason, detail):
    with pytest.raises(RowError) as drop:
        as_conversation(READING, row)
    assert drop.value.reason == reason
    assert detail in str(drop.value)


def test_other_shapes_are_left_alone():
    values = {"messages": TURNS}
    assert as_conversation(Reading(**READING.model_dump() | {"shape": "messages"}), values) is values
