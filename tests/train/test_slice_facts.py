import json

import pandas as pd
import pytest

from pipeline.snapshot import Snapshot
from train.slice_facts import slice_facts

RECIPE = """
name = "tongues"
[[ingest.sources]]
name = "things"
path = "things.jsonl"
template = "instruct"
fields = { instruction = "q", response = "a" }
keep = ["language"]
[format]
tokenizer = "tokenizer"
[split]
shares = { train = 0.5, validation = 0.25, test = 0.25 }
"""


@pytest.fixture
def split(make_project):
    project = make_project(RECIPE)
    tongues = ["de", None, ["fr", "de"]]
    rows = [{"q": f"What is {n} times {n * 7}?", "a": str(7 * n * n), "language": tongues[n % 3]} for n in range(40)]
    (project.root / "things.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    version = project.run()["split"].record.version
    return Snapshot.open(project.data / "split", version)


def test_every_row_of_a_side_has_its_length_language_and_review(split):
    rows = {row["id"]: row for row in split.table().to_pylist() if row["split"] == "test"}
    found = slice_facts(split, "test")
    assert set(found.index) == set(rows)
    assert len(rows) > 3
    for example, row in rows.items():
        kept = json.loads(row["meta"]).get("language")
        first = kept[0] if isinstance(kept, list) else kept
        assert pd.isna(found.loc[example, "language"]) if first is None else found.loc[example, "language"] == first
        assert found.loc[example, "n_prompt_tokens"] == row["n_prompt_tokens"]
        assert (found.loc[example, "status"], list(found.loc[example, "annotators"])) == ("unreviewed", [])
        assert pd.isna(found.loc[example, "guideline"])


def test_a_side_without_rows_has_none(split):
    assert slice_facts(split, "nowhere").empty
