import json

import pytest

from pipeline.benchmarks import read_items
from schemas import SourceError


def texts(path):
    return [(item.n, item.text) for item in read_items({path.name: path})]


def test_items_are_read_from_lines_of_json_whatever_the_question_is_called(tmp_path):
    path = tmp_path / "quiz.jsonl"
    path.write_text(
        '{"question": "Q1", "answer": "A"}\n\n{"prompt": "Q2"}\n{"instruction": "Q3", "input": "I"}\n', "utf-8"
    )

    assert texts(path) == [(1, "Q1"), (2, "Q2"), (3, "Q3"), (3, "Q3\nI")]


def test_a_conversation_may_turn_up_by_its_first_turn_or_as_a_whole(tmp_path):
    path = tmp_path / "turns.json"
    path.write_text(json.dumps([{"turns": ["Write a poem.", "Now a song."]}]), "utf-8")

    assert texts(path) == [(1, "Write a poem."), (1, "Write a poem.\n\nNow a song.")]


def test_items_are_read_from_tables(tmp_path):
    path = tmp_path / "quiz.csv"
    path.write_text('question,answer\n"Two\nlines?",yes\nOne?,no\n', "utf-8")

    assert texts(path) == [(1, "Two\nlines?"), (2, "One?")]


def test_files_that_cannot_be_read_are_told_all_at_once(tmp_path):
    (tmp_path / "broken.jsonl").write_text('{"question": "Q"}\n{"question": \n', "utf-8")
    (tmp_path / "other.csv").write_text("text,label\nhello,1\n", "utf-8")
    (tmp_path / "quiz.xml").write_text("<quiz/>", "utf-8")
    (tmp_path / "object.json").write_text('{"question": "Q"}', "utf-8")

    with pytest.raises(SourceError) as caught:
        read_items({name: tmp_path / name for name in ("broken.jsonl", "other.csv", "quiz.xml", "object.json")})
    message = str(caught.value)
    assert "benchmark cannot be read: Expecting value" in message
    assert "where: broken.jsonl" in message
    assert "no item has text in a column question, prompt, instruction or turns; columns: label, text" in message
    assert "rename the column with the question to `question`" in message
    assert "unknown ending '.xml'" in message
    assert "not a list of objects" in message
    assert "give one of .jsonl, .json, .csv, .tsv in UTF-8" in message
