import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from pipeline.digest import ContentDigest, file_digest, table_digest, value_digest
from schemas import Example, arrow_schema

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.none() | st.text(max_size=8),
            "n": st.none() | st.integers(-5, 5),
            "tags": st.lists(st.text(max_size=3), max_size=3),
            "turn": st.none()
            | st.fixed_dictionaries({"role": st.text(max_size=2), "weight": st.none() | st.floats(0, 1)}),
        }
    ),
    max_size=12,
)
SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("n", pa.int64()),
        ("tags", pa.list_(pa.string())),
        ("turn", pa.struct([("role", pa.string()), ("weight", pa.float64())])),
    ]
)


def in_chunks(table: pa.Table, size: int) -> str:
    digest = ContentDigest(table.schema)
    for batch in table.to_batches(max_chunksize=size):
        digest.update(batch)
    return digest.hexdigest()


@given(ROWS, st.integers(1, 5))
def test_the_digest_does_not_depend_on_batches(rows, size):
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    assert in_chunks(table, size) == table_digest(table)


@given(ROWS)
def test_the_digest_survives_parquet(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("digest") / "rows.parquet"
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    pq.write_table(table, path)
    assert table_digest(pq.read_table(path, schema=SCHEMA)) == table_digest(table)


@given(ROWS, ROWS)
def test_different_rows_have_different_digests(left, right):
    tables = [pa.Table.from_pylist(rows, schema=SCHEMA) for rows in (left, right)]
    same = tables[0].equals(tables[1])
    assert (table_digest(tables[0]) == table_digest(tables[1])) == same


def test_moving_a_character_across_a_boundary_changes_the_digest():
    one, other = (pa.table({"a": [x, y]}) for x, y in (("ab", "c"), ("a", "bc")))
    assert table_digest(one) != table_digest(other)


def test_null_and_empty_text_differ():
    assert table_digest(pa.table({"a": pa.array([None], pa.string())})) != table_digest(pa.table({"a": [""]}))


def test_a_slice_is_digested_as_its_own_rows():
    whole = pa.table({"a": ["x", "y", "z"], "b": [["1"], [], ["2", "3"]]})
    own = pa.table({"a": ["y", "z"], "b": pa.array([[], ["2", "3"]], pa.list_(pa.string()))})
    assert table_digest(whole.slice(1)) == table_digest(own)


def test_every_column_of_an_example_has_a_digest():
    assert len(table_digest(arrow_schema(Example).empty_table())) == 32


def test_a_value_digest_ignores_the_order_of_keys():
    assert value_digest({"a": 1, "b": [2]}) == value_digest({"b": [2], "a": 1})
    assert value_digest({"a": 1}) != value_digest({"a": "1"})


def test_a_file_digest_depends_on_bytes_alone(tmp_path):
    (tmp_path / "one").write_bytes(b"same")
    (tmp_path / "two").write_bytes(b"same")
    assert file_digest(tmp_path / "one") == file_digest(tmp_path / "two")
