"""The committed files have the promised shapes, sizes and fields."""

import json

import pytest

SHAPES = {
    "alpaca.json": {"instruction", "input", "output"},
    "news.csv": {"article", "highlights", "section"},
    "phrases.tsv": {"source", "target", "source_language", "target_language"},
    "tickets.jsonl": {"ticket_id", "subject", "text", "label", "language"},
    "products.parquet": {"note", "record"},
    "questions.jsonl.gz": {"context", "question", "answer"},
    "support.jsonl": {"id", "conversations"},
    "assistant.jsonl": {"messages", "tools"},
    "drafts.jsonl": {"prompt"},
}


def test_the_sample_holds_at_least_four_thousand_rows(rows):
    assert sum(map(len, rows.values())) >= 4000


def test_the_sample_stays_small_enough_for_a_repository(sample):
    sizes = [path.stat().st_size for path in sample.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(sizes) < 6_000_000  # of which base.txt, so that a base does not learn it by heart, is 3.6


@pytest.mark.parametrize("name", SHAPES)
def test_every_readable_row_has_the_fields_of_its_file(rows, name):
    for row in rows[name]:
        assert set(row.fields) == SHAPES[name], row.number


def test_phrases_are_translated_between_three_languages(clean):
    pairs = {(row.fields["source_language"], row.fields["target_language"]) for row in clean["phrases.tsv"]}
    assert pairs == {("English", "German"), ("English", "French"), ("German", "English")}


def test_a_product_record_is_compact_json_with_values_from_the_note(clean):
    for row in clean["products.parquet"]:
        record = json.loads(row.response)
        assert row.response == json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        assert list(record) == ["name", "price", "colour", "stock"]
        assert all(str(value) in row.prompt for value in record.values())


def test_an_answer_to_a_question_stands_in_its_context(clean):
    contexts = {row.fields["context"] for row in clean["questions.jsonl.gz"]}
    assert len(contexts) < len(clean["questions.jsonl.gz"]) / 2
    for row in clean["questions.jsonl.gz"]:
        assert row.response in row.fields["context"]


def test_quoted_newlines_occur_in_the_news(clean):
    assert sum("\n" in row.fields["article"] for row in clean["news.csv"]) > 50


def test_some_small_tasks_have_no_input(clean):
    empty = sum(row.fields["input"] == "" for row in clean["alpaca.json"])
    assert 0 < empty < len(clean["alpaca.json"]) / 2


def test_support_chats_have_two_to_four_turns(clean):
    for row in clean["support.jsonl"]:
        roles = [turn["from"] for turn in row.fields["conversations"] if turn["from"] != "system"]
        assert roles == ["human", "gpt"] * (len(roles) // 2)
        assert 2 <= len(roles) // 2 <= 4


def test_tool_calls_carry_their_arguments_as_json_text(clean):
    called = 0
    for row in clean["assistant.jsonl"]:
        names = {tool["function"]["name"] for tool in row.fields["tools"]}
        for message in row.fields["messages"]:
            for call in message.get("tool_calls", []):
                assert call["function"]["name"] in names
                assert isinstance(json.loads(call["function"]["arguments"]), dict)
                called += 1
    assert called > 50


def test_the_benchmark_has_sixty_items_with_different_questions(sample):
    items = [json.loads(line) for line in (sample / "benchmark.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(set(item) == {"id", "question", "answer"} for item in items)
    assert len({item["question"] for item in items}) == len({item["id"] for item in items}) == 60
