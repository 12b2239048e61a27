import json

import pytest

from schemas import SourceError
from train.generations_file import read_generations

ASKED = {"train": ["t1"], "validation": ["v1", "v2"], "test": ["x1", "x2"]}


@pytest.fixture
def write(tmp_path):
    def made(*lines):
        path = tmp_path / "answers.jsonl"
        path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines), "utf-8")
        return path

    return made


def one(id_, answer="a"):
    return {"id": id_, "answer": answer, "logprob": -1}


def test_answers_are_read_by_id_and_what_is_missing_is_counted(write):
    found = read_generations(write(one("x1", "Paris"), one("v2", ""), one("t1"), "", one("nobody")), ASKED)
    assert found.answers == {"x1": "Paris", "v2": ""}
    assert found.notes == [
        "1 ids in the file are in no side of the split: nobody",
        "1 of 2 test examples have no answer in the file and are left out, for every arm alike",
        "1 of 2 validation examples have no answer in the file and are left out, for every arm alike",
    ]


def test_all_that_is_wrong_is_said_at_once_with_its_line(write):
    path = write("{", one("x1", "a"), {"id": "x2"}, one("x1", "b"), "[1]", one("x1", "a"))
    with pytest.raises(SourceError) as caught:
        read_generations(path, ASKED)
    found = [caught.value, *caught.value.also]
    assert [error.where for error in found] == [f"{path}:{n}" for n in (1, 3, 4, 5)]
    assert "'answer' is missing or no text" in found[1].what
    assert found[2].what == "id x1 has two different answers"
    assert '{"id": "9f3c...", "answer": "Paris"}' in found[0].fix


@pytest.mark.parametrize("lines", [[], [one("nobody"), one("v1")]])
def test_a_file_without_a_test_example_is_refused(write, lines):
    with pytest.raises(SourceError) as caught:
        read_generations(write(*lines), ASKED)
    assert f"none of the {len(lines)} ids is an example of the test side" in caught.value.what
    assert "x1, x2" in caught.value.fix


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(SourceError, match="generations cannot be read"):
        read_generations(tmp_path / "gone.jsonl", ASKED)
    (tmp_path / "b").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceError, match="generations cannot be read"):
        read_generations(tmp_path / "b", ASKED)
