from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dealing import Deal, Shares, assign
from pipeline.ledger import Decision
from pipeline.lineage import BENCHMARK, UNKNOWN, read_lineage
from pipeline.split_rows import MetaColumn
from schemas import SPLITS, arrow_schema

DEAL = Deal(Shares(train=0.5, validation=0.25, test=0.25), "s", 0.005)


def name(n: int) -> str:
    """Return an id as ingest makes them: 32 hex digits, here of a number spread over the range."""
    return f"{(n * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128:032x}"


def sides(
    made_from: dict[int, list[str]],
    known: dict[int, str],
    groups: dict[int, int] | None = None,
    n: int = 6,
    dropped: Iterable[Path] = (),
    held: list[int] | None = None,
):
    """Return (side in words, over) of rows 0 to n - 1, row k with id name(k) and origin a:k."""
    plain = pa.table(
        {
            "id": [name(k) for k in range(n)],
            "origin": [f"a:{k}" for k in range(n)],
            "group": [name((groups or {}).get(k, k)) for k in range(n)],
        }
    )
    pairs = [(child, parent) for child, parents in sorted(made_from.items()) for parent in parents]
    column = MetaColumn(
        np.array([child for child, _ in pairs], np.int64), pa.array([parent for _, parent in pairs], pa.string())
    )
    ledger = pa.table({"id": [name(k) for k in known], "split": list(known.values())}, schema=arrow_schema(Decision))
    lineage = read_lineage(plain, column, ledger, dropped)
    dealt = assign(plain, ledger, DEAL, None if held is None else np.array(held, np.int8), lineage)
    return [SPLITS[side] for side in dealt.sides], dealt.over.tolist()


def test_a_synthetic_row_takes_the_greatest_side_of_its_parents():
    found, over = sides({2: [name(0)], 3: [name(0), "a:1"]}, {0: "train", 1: "test"})
    assert found[2:4] == ["train", "test"]
    assert over[2:4] == [0, 2]


def test_a_parent_that_is_gone_is_known_by_the_ledger():
    found, over = sides({0: [name(77)]}, {77: "validation"})
    assert (found[0], over[0]) == ("validation", 1)


def test_sides_come_down_through_generations_whatever_the_order_of_rows():
    found, over = sides({0: [name(1)], 1: [name(2)], 2: [name(3)]}, {3: "test"})
    assert found[:4] == ["test"] * 4
    assert over[:4] == [2, 2, 2, UNKNOWN]


def test_a_child_of_a_row_put_on_train_before_its_parent_was_named_is_still_over_test():
    found, over = sides({1: [name(0)], 2: [name(1)]}, {0: "test", 1: "train"})
    assert found[1:3] == ["train", "test"]
    assert over[1:3] == [2, 2]


def test_a_row_of_unknown_parents_goes_to_train():
    found, over = sides({k: ["nobody"] for k in range(6)}, {})
    assert found == ["train"] * 6
    assert over == [UNKNOWN] * 6


def test_a_row_of_unknown_parents_that_is_held_out_goes_where_it_is_held():
    found, _ = sides({0: ["nobody"]}, {}, held=[1, -1, -1, -1, -1, -1])
    assert found[0] == "validation"


def test_rows_made_from_themselves_or_in_a_circle_have_no_known_parents():
    found, _ = sides({0: [name(0)], 1: [name(2)], 2: [name(1)]}, {0: "train"})
    assert found[:3] == ["train"] * 3


def test_an_origin_means_every_row_made_from_that_source_row():
    plain = pa.table({"id": [name(0), name(1), name(2)], "origin": ["a:1", "a:1", "b:1"], "group": ["0", "1", "2"]})
    column = MetaColumn(np.array([2]), pa.array(["a:1"]))
    ledger = pa.table({"id": [name(0), name(1)], "split": ["train", "test"]}, schema=arrow_schema(Decision))
    lineage = read_lineage(plain, column, ledger, [])
    assert lineage.over(np.array([0, 2, -1], np.int8)).tolist() == [UNKNOWN, UNKNOWN, 2]


def test_synthetic_rows_do_not_decide_the_side_of_a_new_group():
    """Row 1 is synthetic and was put on test; row 2 is new and resembles it: its own lot decides."""
    with_child, _ = sides({1: [name(0)]}, {0: "test", 1: "test"}, groups={2: 1})
    alone, _ = sides({}, {0: "test"}, groups={2: 1, 1: 5})
    assert with_child[2] == alone[2]


def test_a_new_row_joins_a_synthetic_one_that_is_trained_on():
    for k in range(1, 7):  # by lot, half of these groups would stand elsewhere
        found, _ = sides({k: [name(0)]}, {0: "train", k: "train"}, groups={7: k}, n=8)
        assert found[7] == "train"


def drops(tmp_path: Path, *rows: tuple[str, str, str, str | None]) -> Path:
    columns = list(zip(*rows, strict=True))
    path = tmp_path / "dropped.parquet"
    names = ["id", "origin", "reason", "partner_id"]
    pq.write_table(pa.table({n: pa.array(c, pa.string()) for n, c in zip(names, columns, strict=True)}), path)
    return path


def test_a_parent_dropped_as_a_duplicate_stands_where_the_row_in_its_place_stands(tmp_path):
    path = drops(tmp_path, (name(88), "b:1", "near_duplicate", name(0)), (name(89), "b:2", "exact_duplicate", name(1)))
    found, over = sides({2: [name(88)], 3: ["b:2"]}, {0: "train", 1: "test"}, dropped=[path])
    assert found[2:4] == ["train", "test"]
    assert over[2:4] == [0, 2]


def test_a_parent_that_repeats_a_benchmark_is_beyond_every_side(tmp_path):
    path = drops(tmp_path, (name(88), "b:1", "benchmark", None))
    found, over = sides({2: ["b:1"]}, {}, dropped=[path])
    assert (found[2], over[2]) == ("test", BENCHMARK)
