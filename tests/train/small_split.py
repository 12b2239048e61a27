"""Splits made row by row, as real snapshots in a store."""

import json
from pathlib import Path

import pyarrow as pa

from pipeline.content import content_version
from pipeline.snapshot import PartWriter, Snapshot, commit, make_folder
from schemas import Example, arrow_schema
from tests.train.chat_templates import message


def split_row(question, answer, side="train", **changes):
    """Return a row of a split; `changes` are columns, `meta` a dict, `prompt` and `completion` messages."""
    number = changes.pop("id", f"{question}->{answer}")
    row = {
        "id": number, "source": "s", "origin": f"s.jsonl:{number}", "task": "chat", "template": "instruct", "fields": [],
        "turns": [], "license": None, "meta": {}, "marks": [], "group": number,
        "prompt": [message("user", question)], "completion": [message("assistant", answer)], "tools": None,
        "paraphrase": "", "n_prompt_tokens": 1, "n_completion_tokens": 1, "status": "unreviewed", "votes": [],
        "annotators": [], "guideline": None, "edited_from": None, "split": side,
    }  # fmt: skip
    row |= changes
    return row | {"meta": json.dumps(row["meta"], separators=(",", ":"))}


def write_split(data_root: Path, rows, part_rows: int = 1000) -> Snapshot:
    """Commit a split of these rows, so many in a part, and return it."""
    stage = make_folder(data_root / "split")
    work = make_folder(stage / "tmp" / "tests")
    schema = arrow_schema(Example)
    files = []
    for side in ("train", "validation", "test"):
        mine = [row for row in rows if row["split"] == side]
        starts = range(0, len(mine), part_rows)
        for number, start in enumerate(starts):
            writer = PartWriter(work / f"{side}-{number:05d}-of-{len(starts):05d}.parquet", schema)
            table = pa.Table.from_pylist(mine[start : start + part_rows], schema=schema)
            for batch in table.to_batches():
                writer.write(batch)
            files.append(writer.close())
    version = content_version([work / file.name for file in files], schema)
    return commit(stage, Snapshot(work, Snapshot.draft("split", version, schema, files)))
