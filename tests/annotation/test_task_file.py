import json

import pytest

from annotation.task_file import write_tasks_file

# A line separator and a next-line sign end no line of JSON lines.
TASKS = [{"data": {"response": "a\u2028b\x85c\nd"}}, {"data": {"response": "ü"}}]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_lines_and_list_hold_the_same_tasks(tmp_path, n):
    lines, whole = tmp_path / "queue.jsonl", tmp_path / "queue.json"
    assert (write_tasks_file(lines, TASKS[:n]), write_tasks_file(whole, TASKS[:n])) == (n, n)
    assert [json.loads(line) for line in lines.read_bytes().split(b"\n") if line] == TASKS[:n]
    assert json.loads(whole.read_bytes()) == TASKS[:n]
    assert lines.read_bytes().count(b"\n") == n
    assert "ü" in lines.read_text("utf-8") or n < 2


def test_a_failure_half_way_leaves_the_old_file_and_no_draft(tmp_path):
    path = tmp_path / "queue.jsonl"
    write_tasks_file(path, TASKS)
    before = path.read_bytes()

    def breaks():
        yield TASKS[0]
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_tasks_file(path, breaks())
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["queue.jsonl"]
