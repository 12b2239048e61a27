import numpy as np
import pytest

from pipeline.digest import file_digest
from schemas.training import Encode
from tests.train.chat_templates import message
from tests.train.small_split import split_row, write_split
from train.encode_parts import encode_parts
from train.flat import Names, completions, examples, read_flat


@pytest.fixture(scope="module")
def parts(tmp_path_factory, encoder):
    """Return the train parts of seven rows, three a part, one of weight 0, and the split's rows."""
    root = tmp_path_factory.mktemp("store")
    rows = [split_row(f"q{n}", f"a{n}é", id=str(n), status="rejected" if n == 4 else "accepted") for n in range(7)]
    split = write_split(root, rows, part_rows=3)
    files, _ = encode_parts(split, encoder, Encode(status_weights={"rejected": 0}), root)
    return [root / file.name for file in files], rows


def test_flat_examples_are_those_of_the_parquet_and_lie_in_mapped_memory(parts, encoder, tmp_path):
    paths, rows = parts
    assert [path.name for path in paths] == [f"train-{n:05d}-of-00003.parquet" for n in range(3)]
    found = examples(read_flat(paths, tmp_path / "train", "v1"))
    expected = encoder.encode(rows)
    for name in ("ids", "starts", "n_prompt"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist()
        assert isinstance(getattr(found, name).base, np.memmap)
    assert found.n_supervised.tolist() == [n if i != 4 else 0 for i, n in enumerate(expected.n_supervised.tolist())]
    assert found.names == [row["origin"] for row in rows]
    assert not found.ids.flags.writeable


def test_only_examples_with_loss_are_kept_where_that_is_asked(parts, tmp_path):
    paths, rows = parts
    found = examples(read_flat(paths, tmp_path / "train", "v1", with_loss=True))
    assert found.names == [row["origin"] for row in rows if row["id"] != "4"]
    assert (found.n_supervised > 0).all()


def test_completions_of_all_rows_count_1(parts, encoder, tmp_path):
    paths, rows = parts
    found, expected = completions(read_flat(paths, tmp_path / "train", "v1")), encoder.encode(rows)
    assert found.weights.tolist() == expected.weights.tolist()
    assert found.names == expected.names


def test_arrays_are_made_once_and_again_where_they_are_damaged_or_of_another_version(parts, tmp_path):
    paths, _ = parts
    stem = tmp_path / "train"
    first = read_flat(paths, stem, "v1").arrays["ids"].tolist()
    place = stem.with_suffix(".arrays")
    digest, changed = file_digest(place), place.stat().st_mtime_ns
    read_flat(paths, stem, "v1")
    assert place.stat().st_mtime_ns == changed
    spoiled = bytearray(place.read_bytes())
    spoiled[3] ^= 1
    place.write_bytes(spoiled)
    assert read_flat(paths, stem, "v1").arrays["ids"].tolist() == first
    assert file_digest(place) == digest
    read_flat(paths, stem, "v2")
    assert '"v2"' in stem.with_suffix(".head").read_text("utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train.arrays", "train.head"]


def test_no_rows_are_no_examples(tmp_path):
    found = examples(read_flat([], tmp_path / "test", "v1"))
    assert (len(found), found.ids.tolist(), list(found.names)) == (0, [], [])
    assert len(completions(read_flat([], tmp_path / "test", "v1"))) == 0


def test_names_are_a_sequence_of_texts():
    text = "aéb".encode()
    names = Names(np.frombuffer(text, np.uint8), np.asarray([0, 1, 3, 3, 4]))
    assert list(names) == ["a", "é", "", "b"]
    assert (names[-1], names[1:3], len(names)) == ("b", ["é", ""], 4)
    assert names == ["a", "é", "", "b"]
    assert names != ["a"]
    with pytest.raises(IndexError):
        names[4]


def test_the_weight_of_a_completion_and_of_a_row_multiply(tmp_path, encoder):
    half = [message("assistant", "b", weight=0.5)]
    split = write_split(tmp_path, [split_row("a", "b", completion=half, status="unsure")])
    files, counts = encode_parts(split, encoder, Encode(status_weights={"unsure": 0.5}), tmp_path)
    found = examples(read_flat([tmp_path / file.name for file in files], tmp_path / "train", "v1"))
    assert found.weights.tolist() == [0] * int(found.n_prompt[0]) + [0.25, 0.25]
    assert counts["train tokens with loss"] == 2
