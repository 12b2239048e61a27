import pytest

from pipeline.reading import Declaration
from pipeline.shapes import reading_of
from schemas import ConfigError


def _declaration(chat=False, **fields):
    """instruction="prompt", input="prompt?" (optional), label="response:a,b" (choices)."""
    made = {}
    for name, text in fields.items():
        side, _, choices = text.partition(":")
        made[name] = {
            "side": side.rstrip("?"),
            "optional": side.endswith("?"),
            "choices": choices.split(",") if choices else [],
        }
    return Declaration(task="t", chat=chat, fields=made)


INSTRUCT = _declaration(instruction="prompt", input="prompt?", response="response")
QUESTION = _declaration(context="prompt", question="prompt", answer="response")
CHAT = _declaration(chat=True, tools="prompt?")


def _read(declaration, columns, **settings):
    given = {"shape": None, "fields": {}, "constants": {}, "spare": (), "where": "source s"} | settings
    return reading_of("t", declaration, columns, **given)


@pytest.mark.parametrize(
    ("columns", "shape", "mapped"),
    [
        (
            ["instruction", "input", "output"],
            "alpaca",
            {"instruction": "instruction", "input": "input", "response": "output"},
        ),
        (
            ["instruction", "output", "id"],
            "alpaca",
            {"instruction": "instruction", "input": "input", "response": "output"},
        ),
        (
            ["instruction", "input", "response"],
            "fields",
            {"instruction": "instruction", "input": "input", "response": "response"},
        ),
        (["prompt", "completion"], "prompt_completion", {"instruction": "prompt", "response": "completion"}),
        (["question", "answer", "rating"], "prompt_completion", {"instruction": "question", "response": "answer"}),
    ],
)
def test_known_layouts_are_recognised_for_the_instruct_template(columns, shape, mapped):
    reading = _read(INSTRUCT, columns)
    assert (reading.shape, reading.columns, reading.is_draft) == (shape, mapped, False)


def test_columns_named_as_the_fields_need_no_map():
    reading = _read(QUESTION, ["id", "context", "question", "answer"])
    assert (reading.shape, reading.columns["context"]) == ("fields", "context")


def test_a_template_with_its_sides_exchanged_is_not_filled_the_wrong_way_round():
    asks = _declaration(context="prompt", answer="prompt?", question="response")
    assert _read(asks, ["context", "question", "answer"]).shape == "fields"
    with pytest.raises(ConfigError, match="cannot read this source"):
        _read(asks, ["question", "answer"])
    inverts = _declaration(response="prompt", input="prompt?", instruction="response")
    reading = _read(inverts, ["instruction", "input", "output"])
    assert (reading.shape, reading.columns["response"]) == ("alpaca", "output")
    with pytest.raises(ConfigError, match="cannot read this source"):
        _read(inverts, ["prompt", "completion"])


def test_dolly_brings_its_context_as_the_input():
    reading = _read(INSTRUCT, ["instruction", "context", "response", "category"])
    assert (reading.shape, reading.columns) == (
        "dolly",
        {"instruction": "instruction", "input": "context", "response": "response"},
    )


PAIRS = _declaration(chat=True, rejected="response")


@pytest.mark.parametrize(
    ("columns", "prompt"),
    [(["prompt", "chosen", "rejected"], {"prompt": "prompt"}), (["chosen", "rejected", "score"], {})],
)
def test_preference_pairs_are_recognised_by_their_two_answers(columns, prompt):
    reading = _read(PAIRS, columns)
    assert (reading.shape, reading.columns) == ("preference", {"turns": "chosen", "rejected": "rejected", **prompt})


@pytest.mark.parametrize(
    ("declaration", "columns", "settings", "sentence"),
    [
        (PAIRS, ["prompt", "chosen"], {}, "no column holds the rejected answer"),
        (PAIRS, ["prompt", "question", "chosen", "rejected"], {}, "columns prompt, question all may hold the prompt"),
        (CHAT, ["chosen", "rejected"], {"shape": "preference"}, "the template `preference` has one"),
        (
            INSTRUCT,
            ["chosen", "rejected"],
            {"shape": "preference"},
            "is a conversation and the template is single-turn",
        ),
    ],
)
def test_pairs_that_cannot_be_read_say_why(declaration, columns, settings, sentence):
    with pytest.raises(ConfigError) as refusal:
        _read(declaration, columns, **settings)
    assert sentence in refusal.value.what


def test_columns_that_fit_two_shapes_differently_are_refused_with_the_line_to_paste():
    with pytest.raises(ConfigError) as refusal:
        _read(INSTRUCT, ["instruction", "input", "output", "response"])
    assert "shapes fields and alpaca fit and read different columns" in refusal.value.what
    assert refusal.value.where == "source s"
    assert "columns found: 'instruction', 'input', 'output', 'response'" in refusal.value.fix
    assert 'fields = { instruction = "instruction", input = "input", response = "response" }' in refusal.value.fix


def test_a_shape_that_is_named_settles_it():
    assert _read(INSTRUCT, ["instruction", "output", "response"], shape="alpaca").columns["response"] == "output"
    with pytest.raises(ConfigError, match="shape 'alpaca' does not fit its columns"):
        _read(INSTRUCT, ["src", "pe"], shape="alpaca")


def test_unknown_columns_are_refused_with_the_nearest_names():
    with pytest.raises(ConfigError) as refusal:
        _read(INSTRUCT, ["Raw Instruction", "Revised Response", "Distance"])
    assert "no shape fits its columns" in refusal.value.what
    assert 'instruction = "Raw Instruction"' in refusal.value.fix
    assert 'response = "Revised Response"' in refusal.value.fix
    assert 'input = "<column>"' in refusal.value.fix


def test_one_column_with_the_wrong_delimiter_is_told():
    with pytest.raises(ConfigError) as refusal:
        _read(INSTRUCT, ["instruction;output"])
    assert "delimiter = ';'" in refusal.value.fix


def test_a_preferred_answer_is_no_response():
    with pytest.raises(ConfigError, match="'chosen', 'rejected_response' may be it"):
        _read(INSTRUCT, ["prompt", "chosen", "rejected_response"])


def test_a_source_of_prompts_alone_is_a_draft_and_watched():
    reading = _read(INSTRUCT, ["instruction", "input", "topic"])
    assert (reading.is_draft, reading.columns) == (True, {"instruction": "instruction", "input": "input"})
    assert {"output", "response", "answer"} <= set(reading.watched)


def test_a_column_that_may_be_the_response_forbids_guessing_a_draft():
    with pytest.raises(ConfigError, match="'gold_answer' may be it"):
        _read(INSTRUCT, ["instruction", "gold_answer"])
    assert _read(INSTRUCT, ["instruction", "gold_answer"], spare=["gold_answer"]).is_draft  # kept for something else


def test_a_field_map_is_taken_as_it_stands():
    fields = {"instruction": "Revised Instruction", "response": "Revised Response"}
    reading = _read(INSTRUCT, ["Raw Instruction", "Revised Instruction", "Revised Response"], fields=fields)
    assert (reading.shape, reading.columns, reading.watched) == ("fields", fields, [])


def test_a_field_map_without_the_response_makes_a_draft():
    assert _read(INSTRUCT, ["prompt", "answer"], fields={"instruction": "prompt"}).is_draft


def test_a_field_map_must_fill_every_required_prompt_field():
    with pytest.raises(ConfigError) as refusal:
        _read(QUESTION, ["q", "a"], fields={"question": "q", "answer": "a"})
    assert refusal.value.what == "nothing fills field 'context' of template 't'"


def test_constants_fill_fields_and_must_be_choices():
    declaration = _declaration(text="prompt", language="prompt:de,fr", label="response")
    reading = _read(
        declaration, ["text", "label"], fields={"text": "text", "label": "label"}, constants={"language": "de"}
    )
    assert reading.constants == {"language": "de"}
    assert _read(declaration, ["text", "label"], constants={"language": "fr"}).columns == {
        "text": "text",
        "label": "label",
    }
    with pytest.raises(ConfigError) as refusal:
        _read(declaration, ["text", "label"], constants={"language": "it"})
    assert (refusal.value.what, "de, fr" in refusal.value.fix) == ("constant language = 'it'", True)


def test_a_field_map_adds_to_a_named_shape():
    reading = _read(INSTRUCT, ["instruction", "output", "better"], shape="alpaca", fields={"response": "better"})
    assert reading.columns == {"instruction": "instruction", "input": "input", "response": "better"}


@pytest.mark.parametrize(
    ("column", "shape"), [("conversations", "sharegpt"), ("conversation", "sharegpt"), ("messages", "messages")]
)
def test_conversations_are_recognised_with_what_stands_beside_them(column, shape):
    reading = _read(CHAT, ["id", column, "tools"])
    assert (reading.shape, reading.columns) == (shape, {"turns": column, "system": "system", "tools": "tools"})


def test_a_conversation_column_of_another_name_is_mapped():
    assert _read(CHAT, ["dialog"], fields={"turns": "dialog"}).columns["turns"] == "dialog"


@pytest.mark.parametrize(
    ("declaration", "columns", "shape", "sentence"),
    [
        (CHAT, ["messages", "conversations"], None, "columns conversations, messages all may hold it"),
        (CHAT, ["text"], None, "no conversation column"),
        (CHAT, ["instruction", "output"], "alpaca", "shape 'alpaca' is single-turn and the template is a conversation"),
        (INSTRUCT, ["messages"], "messages", "shape 'messages' is a conversation and the template is single-turn"),
    ],
)
def test_conversations_and_single_turns_are_not_mixed_up(declaration, columns, shape, sentence):
    with pytest.raises(ConfigError) as refusal:
        _read(declaration, columns, shape=shape)
    assert sentence in refusal.value.what
