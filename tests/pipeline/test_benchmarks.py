import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.benchmarks import read_items, unasked
from schemas import SourceError


def items(path):
    return [(item.n, item.question, item.answer) for item in read_items({path.name: path})]


def test_items_are_read_from_lines_of_json_whatever_the_columns_are_called(tmp_path):
    path = tmp_path / "quiz.jsonl"
    path.write_text(
        '{"question": "Q1", "answer": "A"}\n\n{"prompt": "Q2", "canonical_solution": "S"}\n'
        '{"instruction": "Q3", "input": "I", "output": 3}\n{"problem": "Q4"}\n',
        "utf-8",
    )

    assert items(path) == [(1, "Q1", "A"), (2, "Q2", "S"), (3, "Q3", "3"), (3, "Q3\nI", "3"), (4, "Q4", "")]


def test_a_conversation_may_turn_up_by_its_first_turn_or_as_a_whole(tmp_path):
    path = tmp_path / "turns.json"
    path.write_text(json.dumps([{"turns": ["Write a poem.", "Now a song."]}]), "utf-8")

    assert items(path) == [(1, "Write a poem.", ""), (1, "Write a poem.\n\nNow a song.", "")]


@pytest.mark.parametrize(
    "row",
    [
        {"question": "Q", "choices": ["red", "blue"], "answer": 1},
        {"question": "Q", "choices": ["red", "blue"], "answer": "B"},
        {"question": "Q", "choices": ["red", "blue"], "answer": "blue"},
        {"question": "Q", "choices": {"label": ["1", "2"], "text": ["red", "blue"]}, "answerKey": "2"},
    ],
)
def test_the_answer_to_choices_is_the_text_of_the_right_one(tmp_path, row):
    path = tmp_path / "exam.json"
    path.write_text(json.dumps([row]), "utf-8")

    assert items(path) == [(1, "Q", "blue"), (1, "Q\nred\nblue", "blue")]


def test_items_are_read_from_tables(tmp_path):
    path = tmp_path / "quiz.csv"
    path.write_text('question,answer\n"Two\nlines?",yes\nOne?,no\n', "utf-8")

    assert items(path) == [(1, "Two\nlines?", "yes"), (2, "One?", "no")]


def test_items_are_read_from_parquet_and_from_packed_files(tmp_path):
    parquet, packed = tmp_path / "quiz.parquet", tmp_path / "quiz.jsonl.gz"
    pq.write_table(pa.table({"question": ["Q"], "choices": [["red", "blue"]], "answer": [0]}), parquet)
    packed.write_bytes(gzip.compress(b'{"query": "Q", "response": "A"}\n'))

    assert items(parquet) == [(1, "Q", "red"), (1, "Q\nred\nblue", "red")]
    assert items(packed) == [(1, "Q", "A")]


def test_files_that_cannot_be_read_are_told_all_at_once(tmp_path):
    (tmp_path / "broken.jsonl").write_text('{"question": "Q"}\n{"question": \n', "utf-8")
    (tmp_path / "other.csv").write_text("title,label\nhello,1\n", "utf-8")
    (tmp_path / "quiz.xml").write_text("<quiz/>", "utf-8")
    (tmp_path / "object.json").write_text('{"question": "Q"}', "utf-8")
    (tmp_path / "plain.json.gz").write_text("[]", "utf-8")
    (tmp_path / "plain.parquet").write_text("[]", "utf-8")
    names = ("broken.jsonl", "other.csv", "quiz.xml", "object.json", "plain.json.gz", "plain.parquet")

    with pytest.raises(SourceError) as caught:
        read_items({name: tmp_path / name for name in names})
    message = str(caught.value)
    assert "benchmark cannot be read: line 2: Expecting value" in message
    assert "where: broken.jsonl" in message
    assert "no item has text in a column question, prompt, instruction, turns, problem, query or text" in message
    assert "columns: label, title" in message
    assert "rename the column with the question to `question`" in message
    assert "unknown ending '.xml'" in message
    assert "not a list of objects" in message
    assert "where: plain.json.gz" in message
    assert "where: plain.parquet" in message
    assert "give one of .jsonl, .json, .csv, .tsv, .parquet, text in UTF-8, also as .gz" in message


def test_items_without_a_question_are_counted_and_refused(tmp_path):
    lines = [{"question": "How many legs has a cat?"}, {"Question text": "How many?"}, {"question": " "}]
    (tmp_path / "quiz.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")

    with pytest.raises(SourceError, match="2 of 3 items have no question, the first of them item 2"):
        read_items({"quiz.jsonl": tmp_path / "quiz.jsonl"})


def test_one_item_in_a_hundred_without_a_question_is_told(tmp_path):
    lines = [{"question": f"How many legs have {n} cats?"} for n in range(2, 101)] + [{"answer": "4"}]
    (tmp_path / "quiz.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    items = read_items({"quiz.jsonl": tmp_path / "quiz.jsonl"})

    (told,) = unasked(items)
    assert told == "quiz.jsonl: 1 without a question cannot be looked for, the first of them item 100"
    assert len(items) == 100
    assert unasked(items[:99]) == []
