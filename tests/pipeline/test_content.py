from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import content
from pipeline.content import content_blocks, content_version, known_blocks, version_of
from pipeline.digest import table_digest
from pipeline.snapshot import PartWriter, Snapshot
from schemas import PartFile

SCHEMA = pa.schema([("n", pa.int64()), ("text", pa.string())])


def rows(start: int, stop: int) -> pa.RecordBatch:
    return pa.record_batch([list(range(start, stop)), [f"row {n}" for n in range(start, stop)]], schema=SCHEMA)


def written(folder: Path, *bounds: int) -> list[PartFile]:
    """Write a part from each bound to the next."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, (start, stop) in enumerate(pairwise(bounds)):
        writer = PartWriter(folder / f"part-{number}.parquet", SCHEMA)
        writer.write(rows(start, stop))
        files.append(writer.close())
    return files


def paths(folder: Path, files: list[PartFile]) -> list[Path]:
    return [folder / file.name for file in files]


@pytest.fixture
def ten_rows_a_block(monkeypatch):
    monkeypatch.setattr(content, "BLOCK_ROWS", 10)


def test_rows_of_one_block_have_the_digest_of_their_table(tmp_path):
    files = written(tmp_path, 0, 3, 7)
    assert content_version(paths(tmp_path, files), SCHEMA) == table_digest(pa.Table.from_batches([rows(0, 7)]))


def test_a_block_ends_after_its_rows_whatever_the_parts(tmp_path, ten_rows_a_block):
    wanted = [table_digest(pa.Table.from_batches([rows(*block)])) for block in ((0, 10), (10, 20), (20, 23))]
    for number, bounds in enumerate([(0, 23), (0, 10, 20, 23), (0, 4, 21, 22, 23)]):
        folder = tmp_path / str(number)
        assert content_blocks(paths(folder, written(folder, *bounds)), SCHEMA) == wanted
    assert len(content_blocks(paths(tmp_path / "full", written(tmp_path / "full", 0, 20)), SCHEMA)) == 2


def test_one_changed_row_changes_the_version(tmp_path, ten_rows_a_block):
    files = written(tmp_path / "a", 0, 23)
    other = written(tmp_path / "b", 0, 22, 22)
    writer = PartWriter(tmp_path / "b" / "last.parquet", SCHEMA)
    writer.write(rows(23, 24))
    other = [*other[:1], writer.close()]
    assert content_version(paths(tmp_path / "a", files), SCHEMA) != content_version(
        paths(tmp_path / "b", other), SCHEMA
    )


def test_blocks_in_files_that_an_earlier_version_begins_with_are_not_read_again(tmp_path, ten_rows_a_block):
    """Parts of 12, 12 and 3 rows; the last one changes. Two files of 24 rows are alike: two whole blocks."""
    old = written(tmp_path / "stage" / "old", 0, 12, 24, 27)
    blocks = content_blocks(paths(tmp_path / "stage" / "old", old), SCHEMA)
    manifest = Snapshot.draft("toy", "old", SCHEMA, old, blocks)
    (tmp_path / "stage" / "old" / "manifest.json").write_text(manifest.model_dump_json())
    new = written(tmp_path / "new", 0, 12, 24, 31)
    known = known_blocks(tmp_path / "stage", ["gone", "old"], new)
    assert known == blocks[:2]
    whole = content_blocks(paths(tmp_path / "new", new), SCHEMA)
    (tmp_path / "new" / "part-0.parquet").write_bytes(
        b""
    )  # 12 rows in block 0 and 1: it is needed for its length alone
    with pytest.raises(pa.ArrowInvalid):
        content_blocks(paths(tmp_path / "new", new), SCHEMA, known)
    again = written(tmp_path / "new", 0, 12, 24, 31)
    assert content_blocks(paths(tmp_path / "new", again), SCHEMA, known) == whole
    assert version_of(whole) == content_version(paths(tmp_path / "new", again), SCHEMA)


@given(st.lists(st.integers(1, 25), min_size=1, max_size=5), st.data())
def test_leading_blocks_may_be_given_in_any_number(tmp_path_factory, sizes, data):
    folder = tmp_path_factory.mktemp("parts")
    bounds = [sum(sizes[:at]) for at in range(len(sizes) + 1)]
    files = paths(folder, written(folder, *bounds))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(content, "BLOCK_ROWS", 10)
        whole = content_blocks(files, SCHEMA)
        n = data.draw(st.integers(0, bounds[-1] // 10))
        assert content_blocks(files, SCHEMA, whole[:n]) == whole
