import os
import stat

import pyarrow as pa
import pytest

from pipeline.content import content_version
from pipeline.snapshot import PartWriter, Snapshot, commit, make_folder
from schemas import SnapshotError

SCHEMA = pa.schema([pa.field("id", pa.string(), nullable=False), ("n", pa.int64())])


def draft(folder, rows, per_file=2):
    """Write rows into files of `per_file` and return an uncommitted snapshot."""
    make_folder(folder)
    files = []
    for start in range(0, len(rows), per_file):
        writer = PartWriter(folder / f"part-{len(files):05d}.parquet", SCHEMA)
        writer.write(pa.RecordBatch.from_pylist(rows[start : start + per_file], schema=SCHEMA))
        files.append(writer.close())
    version = content_version([folder / file.name for file in files], SCHEMA)
    return Snapshot(folder, Snapshot.draft("toy", version, SCHEMA, files))


ROWS = [{"id": letter, "n": n} for n, letter in enumerate("abcde")]


def test_a_committed_version_reads_back_as_it_was_written(tmp_path):
    made = commit(tmp_path, draft(tmp_path / "tmp" / "one", ROWS))
    assert Snapshot.open(tmp_path, made.manifest.version).table().to_pylist() == ROWS


def test_parts_of_another_size_give_the_same_version(tmp_path):
    one, other = draft(tmp_path / "one", ROWS, 2), draft(tmp_path / "other", ROWS, 5)
    assert one.manifest.version == other.manifest.version
    assert len(one.manifest.files) == 3


def test_committing_the_same_rows_again_keeps_the_first_files(tmp_path):
    first = commit(tmp_path, draft(tmp_path / "tmp" / "one", ROWS, 2))
    second = commit(tmp_path, draft(tmp_path / "tmp" / "two", ROWS, 5))
    assert second.manifest == first.manifest


def test_a_missing_part_is_named(tmp_path):
    made = commit(tmp_path, draft(tmp_path / "tmp" / "one", ROWS))
    (made.folder / "part-00001.parquet").unlink()
    with pytest.raises(SnapshotError) as caught:
        Snapshot.open(tmp_path, made.manifest.version)
    assert "part-00001.parquet is missing" in caught.value.what
    assert "fsck" in caught.value.fix


def test_a_damaged_version_is_set_aside_and_written_anew(tmp_path):
    made = commit(tmp_path, draft(tmp_path / "tmp" / "one", ROWS))
    (made.folder / "part-00001.parquet").write_bytes(b"short")
    again = commit(tmp_path, draft(tmp_path / "tmp" / "two", ROWS))
    assert again.table().to_pylist() == ROWS
    assert (tmp_path / "damaged" / made.manifest.version).is_dir()


def test_every_flipped_byte_in_the_pages_is_noticed(tmp_path):
    rows = [{"id": f"row number {n}", "n": n * n} for n in range(200)]
    made = commit(tmp_path, draft(tmp_path / "tmp" / "one", rows, 200))
    path = made.folder / "part-00000.parquet"
    whole = path.read_bytes()
    silent = 0
    for at in range(4, len(whole) - 600, 37):  # the footer (last ~600 bytes) is parsed, not checksummed
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        try:
            silent += Snapshot(made.folder, made.manifest).table().to_pylist() != rows
        except SnapshotError as error:
            assert "damaged parquet" in error.what
    assert silent == 0


def test_a_null_where_none_may_be_is_a_bug_not_a_row(tmp_path):
    writer = PartWriter(tmp_path / "x.parquet", SCHEMA)
    with pytest.raises(ValueError, match="column id holds nulls"):
        writer.write(
            pa.RecordBatch.from_pylist(
                [{"id": None, "n": 1}], schema=pa.schema([("id", pa.string()), ("n", pa.int64())])
            )
        )


def test_the_group_may_write_whatever_the_umask(tmp_path):
    old = os.umask(0o077)
    try:
        made = commit(make_folder(tmp_path / "shared"), draft(tmp_path / "shared" / "tmp" / "one", ROWS))
    finally:
        os.umask(old)
    assert stat.S_IMODE(made.folder.stat().st_mode) == 0o2775
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.folder.iterdir()} == {0o664}


def test_a_file_beside_a_manifest_that_is_no_version_s_is_read(tmp_path):
    made = draft(tmp_path / "run", ROWS, 5)
    (made.folder / "manifest.json").write_text('{"key": "aa11", "recipe": "tiny"}')
    assert [row for batch in made.batches() for row in batch.to_pylist()] == ROWS
