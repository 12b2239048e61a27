from schemas.training import Encode
from tests.train.chat_templates import message
from tests.train.small_split import split_row, write_split
from train.retrieval import Retrieval


def asked(question, **changes):
    return split_row(question, "", "test", **changes)


def answers(found):
    return [turns[-1]["content"] for turns in found]


def test_the_most_alike_come_last(tmp_path):
    rows = [split_row("the red house", "1"), split_row("a blue boat", "2"), split_row("the red houses", "3")]
    found = Retrieval(write_split(tmp_path, rows), Encode()).most_alike([asked("the red houses here")], 2)
    assert answers(found[0]) == ["1", "3"]


def test_a_row_of_the_same_group_or_of_another_template_is_never_shown(tmp_path):
    rows = [
        split_row("the red house", "own group", group="g"),
        split_row("the red house!", "other template", template="chat"),
        split_row("far away", "far"),
    ]
    found = Retrieval(write_split(tmp_path, rows), Encode()).most_alike([asked("the red house", group="g")], 3)
    assert answers(found[0]) == ["far"]


def test_scripts_without_blanks_are_told_apart(tmp_path):
    rows = [split_row("东京的天气怎么样", "tokyo"), split_row("猫喜欢吃鱼", "cat"), split_row("水", "water")]
    search = Retrieval(write_split(tmp_path, rows), Encode())
    found = search.most_alike([asked("东京明天的天气"), asked("水")], 1)
    assert [answers(one) for one in found] == [["tokyo"], ["water"]]


def test_only_train_rows_are_candidates_and_rows_of_weight_0_are_none(tmp_path):
    rows = [
        split_row("a house", "validation", "validation"),
        split_row("a house", "test", "test"),
        split_row("a house", "unreviewed"),
        split_row("my house", "checked", status="accepted"),
    ]
    search = Retrieval(write_split(tmp_path, rows), Encode(status_weights={"unreviewed": 0}))
    assert answers(search.most_alike([asked("a house")], 3)[0]) == ["checked"]


def test_a_conversation_gets_none_and_is_none(tmp_path):
    turns = [message("user", "hi"), message("assistant", "ho"), message("user", "a house")]
    rows = [split_row("a house", "talk", prompt=turns), split_row("a boat", "single")]
    search = Retrieval(write_split(tmp_path, rows), Encode())
    first, second = search.most_alike([asked("a house"), asked("a house", prompt=turns)], 3)
    assert answers(first) == ["single"]
    assert second == []


def test_a_template_that_train_has_not_gets_none(tmp_path):
    search = Retrieval(write_split(tmp_path, [split_row("a", "b")]), Encode())
    assert search.most_alike([asked("a", template="gone")], 2) == [[]]


def test_blocks_change_nothing(tmp_path, monkeypatch):
    rows = [split_row(f"question {n} of {n % 7}", str(n)) for n in range(30)]
    search = Retrieval(write_split(tmp_path, rows), Encode())
    wanted = [asked(f"question of {n}") for n in range(9)]
    whole = search.most_alike(wanted, 3)
    monkeypatch.setattr("train.retrieval._BLOCK_CELLS", 40)  # one row at a time
    assert search.most_alike(wanted, 3) == whole
