import pyarrow as pa
import pytest

from pipeline.partition import Before, Partition
from pipeline.snapshot import PART_ROWS, Snapshot

SCHEMA = pa.schema([("n", pa.int64()), ("split", pa.string())])
SPLITS = ("train", "validation", "test")


def deal(folder, *batches, before=None):
    folder.mkdir()
    with Partition(folder, "split", SPLITS, SCHEMA) as dealt:
        if before:
            dealt.go_on_from(before)
        for batch in batches:
            dealt.write(batch)
        return dealt.close()


def batch(start, sides):
    return pa.record_batch([list(range(start, start + len(sides))), sides], schema=SCHEMA)


def numbers(folder, files):
    return [n for file in files for piece in Snapshot.read_part(folder / file.name) for n in piece["n"].to_pylist()]


def test_rows_are_dealt_into_files_by_value_and_no_value_makes_an_empty_file(tmp_path):
    files = deal(tmp_path / "out", batch(1, ["test", "train", "test"]))
    assert [(file.name, file.rows) for file in files] == [
        ("train-00000-of-00001.parquet", 1),
        ("test-00000-of-00001.parquet", 2),
    ]
    assert numbers(tmp_path / "out", files[1:]) == [1, 3]


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_what_an_earlier_version_dealt_is_taken_over_up_to_where_the_rows_differ(tmp_path, kept):
    """Three parts: the first fills two train files and begins a third, the others add some rows each."""
    sides = [["train"] * (2 * PART_ROWS) + ["test", "train"], ["train", "validation"], ["test", "train"]]
    starts = [0, 2 * PART_ROWS + 2, 2 * PART_ROWS + 4]
    parts = [batch(start, side) for start, side in zip(starts, sides, strict=True)]
    whole = deal(tmp_path / "whole", *parts)
    rows = {side: sum(one.count(side) for one in sides[: kept + 1]) for side in SPLITS}
    old = {side: [file for file in whole if file.name.startswith(side)] for side in SPLITS}
    again = deal(tmp_path / "again", *parts[kept + 1 :], before=Before(tmp_path / "whole", old, [], rows))
    assert [(file.name, file.rows) for file in again] == [(file.name, file.rows) for file in whole]
    assert numbers(tmp_path / "again", again) == numbers(tmp_path / "whole", whole)
    linked = [(tmp_path / "again" / file.name).stat().st_nlink for file in again if file.name.startswith("train")]
    assert linked == [2, 2, 1]
