import numpy as np
import pyarrow.parquet as pq

from train.encoded import Encoded
from train.token_table import ROWS, write_tokens

PAIRS = [([1, 5, 6], [7, 2]), ([1], [8, 9, 2])]


def table(tmp_path, encoded, family):
    write_tokens(encoded, [f"row{i}" for i in range(len(encoded))], family, tmp_path / "t.parquet")
    return pq.read_table(tmp_path / "t.parquet").to_pylist()


def test_a_causal_model_learns_its_answers_in_place(tmp_path):
    assert table(tmp_path, Encoded.of(PAIRS, ["a", "b"]), "causal") == [
        {"origin": "row0", "input_ids": [1, 5, 6, 7, 2], "labels": [-100, -100, -100, 7, 2]},
        {"origin": "row1", "input_ids": [1, 8, 9, 2], "labels": [-100, 8, 9, 2]},
    ]


def test_what_another_says_between_two_answers_carries_no_loss_and_weights_stand_beside(tmp_path):
    encoded = Encoded.of(PAIRS, ["a", "b"], weights=[[0.5, 0.5], [1, 0, 1]])
    rows = table(tmp_path, encoded, "causal")
    assert rows[1]["labels"] == [-100, 8, -100, 2]
    assert [row["weights"] for row in rows] == [[0, 0, 0, 0.5, 0.5], [0, 1, 0, 1]]


def test_an_encoder_reads_the_prompt_and_the_decoder_says_the_labels(tmp_path):
    assert table(tmp_path, Encoded.of(PAIRS, ["a", "b"]), "seq2seq")[0] == {
        "origin": "row0", "input_ids": [1, 5, 6], "labels": [7, 2],
    }  # fmt: skip


def test_a_classifier_has_one_label(tmp_path):
    encoded = Encoded.of([([1, 5], [0]), ([1], [3])], ["a", "b"])
    assert [row["labels"] for row in table(tmp_path, encoded, "classify")] == [0, 3]


def test_more_rows_than_are_written_at_once_come_out_in_order(tmp_path):
    n = ROWS + 3
    encoded = Encoded(
        np.arange(2 * n, dtype=np.int32), np.arange(0, 2 * n + 1, 2), np.ones(n, np.int64),
        np.tile(np.float32([0, 1]), n), ["x"] * n,
    )  # fmt: skip
    rows = table(tmp_path, encoded, "causal")
    assert [row["labels"] for row in rows] == [[-100, 2 * i + 1] for i in range(n)]


def test_no_examples_make_an_empty_table(tmp_path):
    assert table(tmp_path, Encoded.of([], []), "causal") == []
