import json

import numpy as np
import pyarrow as pa
import pytest

from pipeline import refs
from pipeline.ledger import STAGE, decisions, newest_ledger, with_new


def sides(project) -> dict[str, str]:
    table = decisions(newest_ledger(project.data, "tiny"))
    return dict(zip(table["id"].to_pylist(), table["split"].to_pylist(), strict=True))


def add_question(project, question: str) -> None:
    with (project.root / "questions.jsonl").open("a") as file:
        file.write(json.dumps({"q": question, "a": "yes"}) + "\n")


def test_there_is_no_ledger_before_the_first_split(project):
    assert newest_ledger(project.data, "tiny") is None
    assert decisions(None).num_rows == 0


def test_the_ledger_gains_new_rows_and_keeps_every_old_decision(project):
    project.run()
    before = sides(project)
    assert len(before) == 11
    add_question(project, "Is the harbour of Lund open on Sundays?")
    project.run()
    after = sides(project)
    assert len(after) == 12
    assert {one: after[one] for one in before} == before
    assert refs.newest(project.data, STAGE, "tiny").counts == {"new": 1}


def test_a_decision_outlives_its_row(project):
    project.run()
    before = sides(project)
    project.replace("questions.jsonl", '{"q": "Who wrote the play Hamlet?", "a": "William Shakespeare"}\n', "")
    project.run()
    assert sides(project) == before


@pytest.mark.parametrize("salt", ["a", "b", "c"])
def test_another_salt_moves_no_row_that_has_a_side(project, salt):
    project.run()
    before = sides(project)
    project.replace("recipe.toml", "[split]", f'[split]\nsalt = "{salt}"')
    project.run()
    assert sides(project) == before
    assert {row["id"]: row["split"] for row in project.rows("split")} == before


def test_new_ids_stand_after_the_old_ones_in_order_each_once():
    # The last two differ in the second half alone.
    m, z, a, b = (high * 16 + low * 16 for high, low in ("5c", "f0", "a1", "a2"))
    known = pa.table({"id": [m], "split": ["test"]}, schema=decisions(None).schema)
    ids = pa.chunked_array([[z, m, b], [a, z]])
    grown = with_new(known, ids, np.array([0, 0, 2, 1, 0], np.int8))
    assert grown.to_pylist() == [
        {"id": m, "split": "test"},  # as it was, whatever this run says
        {"id": a, "split": "validation"},
        {"id": b, "split": "test"},
        {"id": z, "split": "train"},
    ]
    twice = with_new(decisions(None), pa.chunked_array([[a, b, a]]), np.array([0, 0, 2], np.int8))
    assert twice["split"].to_pylist() == ["test", "train"]
