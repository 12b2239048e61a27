import pytest

from pipeline.refs import newest
from pipeline.snapshot import Snapshot
from schemas import ConfigError, SourceError
from train import classes
from train.classes import Classes, Labels, labels_of

LABELS = Labels(("black", "red"), ("green",), 1)


@pytest.fixture(scope="module")
def split(split_project):
    return Snapshot.open(split_project.data / "split", newest(split_project.data, "split", "tiny").version)


def test_an_answer_is_one_number_and_reads_back_as_its_label(tokenizer, row):
    encoder = Classes(tokenizer, LABELS, 100)
    rows = [row("Colour of coal?", "black"), row("Colour of the fox?", "red"), row("Colour of grass?", "green")]
    encoded = encoder.encode(rows)
    assert [encoded.target(i).tolist() for i in range(3)] == [[0], [1], [2]]
    assert encoded.n_supervised.tolist() == [1, 1, 1]
    assert [encoder.read_back(encoded.target(i).tolist()) for i in range(3)] == ["black", "red", "green"]
    assert encoder.stop_id is None


def test_rows_that_are_no_examples_are_named_all_at_once(tokenizer, row):
    encoder = Classes(tokenizer, LABELS, 8)
    with pytest.raises(SourceError) as caught:
        encoder.encode([row("a", "blue", "f:1"), row("a" * 90, "red", "f:2"), row("", "red", "f:3")])
    text = str(caught.value)
    assert "the answer is no label of this split" in text
    assert "tokens of the prompt are more than max_length = 8" in text
    assert "the prompt has no token" in text
    assert all(name in text for name in ("f:1", "f:2", "f:3"))


def test_labels_are_the_answers_of_train_and_what_others_add_is_counted(split):
    labels = labels_of(split)
    assert list(labels.known) == sorted(labels.known)
    assert not set(labels.known) & set(labels.unseen)
    # In this split of distinct answers, every row of the other sides has an answer of its own.
    assert labels.n_unseen >= len(labels.unseen) > 0
    assert labels.text(labels.numbers[labels.unseen[0]]) == labels.unseen[0]


@pytest.mark.parametrize("most", [2, 3])
def test_too_many_answers_are_no_classes(split, monkeypatch, most):
    monkeypatch.setattr(classes, "MOST_CLASSES", most)
    with pytest.raises(ConfigError) as caught:
        labels_of(split)
    assert "different answers" in caught.value.what
    assert f"a classifier takes 2 to {most}" in caught.value.fix
    assert 'family = "causal"' in caught.value.fix
