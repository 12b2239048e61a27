from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from annotation.waiting import waiting
from pipeline import ledger, refs
from pipeline.snapshot import PartWriter, Snapshot, commit, make_folder
from schemas import (
    Annotated,
    ConfigError,
    Formatted,
    PartFile,
    PartRecord,
    RunRecord,
    arrow_schema,
    dropped_schema,
)

Row = dict[str, Any]


def row(name: str, status: str = "unreviewed", *marks: str, group: str = "") -> Row:
    texts = dict.fromkeys(("source", "origin", "task", "template", "paraphrase"), "x")
    message = {"role": "assistant", "content": "5"}
    return {
        **texts, "id": name, "group": group or name, "fields": [], "turns": [], "license": None, "meta": "{}",
        "marks": list(marks), "prompt": [{"role": "user", "content": f"What is {name}?"}], "tools": None,
        "completion": [] if status == "to_write" else [message], "n_prompt_tokens": 1, "n_completion_tokens": 1,
        "status": status, "votes": [], "annotators": [], "guideline": None, "edited_from": None,
        "reason": status, "detail": "", "partner_id": None, "partner_origin": None, "score": None,
    }  # fmt: skip


def store(root: Path, stage: str, kept: Sequence[Row], dropped: Sequence[Row] = ()) -> None:
    """Commit a version and its record, as a run would."""
    work, folder = make_folder(root / "work" / stage), make_folder(root / stage)
    schema = arrow_schema(Annotated if stage == "annotate" else Formatted)
    files = [write(work / "part-00000.parquet", schema, kept)]
    commit(folder, Snapshot(work, Snapshot.draft(stage, "v1", schema, files)))
    gone = []
    if dropped:
        gone = [write(make_folder(folder / "dropped") / "ab.parquet", dropped_schema(Formatted), dropped)]
    numbers = dict.fromkeys(("peak_memory_bytes", "rows_in", "rows_kept", "rows_dropped"), 1)
    empty: Mapping[str, Any] = {
        name: {}
        for name in (
            "parents",
            "settings",
            "distributions",
            "dropped_by_reason",
            "counts",
            "facts",
            "key_parts",
        )
    }
    part = PartRecord(key="", files=files, dropped=gone, rows_in=0)
    record = RunRecord(
        number=1, recipe="tiny", stage=stage, key="", version="v1", inputs=[], code="", git_commit=None,
        started_at="", seconds=0, parts=[part], **numbers, **empty,
    )  # fmt: skip
    refs.add(root, record)


def write(path: Path, schema: pa.Schema, rows: Sequence[Row]) -> PartFile:
    writer = PartWriter(path, schema)
    writer.write(pa.RecordBatch.from_pylist([{name: one[name] for name in schema.names} for one in rows], schema))
    return writer.close()


def split(root: Path, **sides: str) -> None:
    path, table = root / "ledger.arrow", pa.table({"id": list(sides), "split": list(sides.values())})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    ledger.keep(root, "tiny", path, make_folder(root / "work"))


def test_the_most_urgent_come_first_then_order_of_id(tmp_path: Path) -> None:
    kept = [
        row("z", "unreviewed", "conflict of another kind"),
        row("b"),
        row("c", "accepted"),
        row("d", "unreviewed", "conflict"),
        row("e", "edited", "conflict"),
    ]
    kept += [row("f", "unreviewed", "conflict", "stale")]
    dropped = [
        row("g", "to_write"),
        row("h", "rejected"),
        row("i", "disputed"),
        row("j", "unsure"),
        row("k", "unconfirmed"),
        row("l", "unreviewed"),  # by require = "reviewed"
        row("m", "to_write", "stale"),
    ]
    store(tmp_path, "annotate", kept, dropped)
    queue = waiting(tmp_path, "tiny")
    assert [one["id"] for one, _ in queue.rows()] == ["f", "m", "i", "d", "j", "k", "g", "b", "l", "z"]
    assert queue.tasks_by_reason() == {
        "stale": 2, "disputed": 1, "conflict": 1, "unsure": 1, "unconfirmed": 1, "to_write": 1, "unreviewed": 3,
    }  # fmt: skip
    told = {one["id"]: why for one, why in queue.rows()}
    assert told["f"] == "The text has changed since somebody answered it: please look again."
    assert told["z"] == ""


def test_a_limit_takes_the_first_and_rows_come_whole(tmp_path: Path) -> None:
    store(tmp_path, "annotate", [row("b"), row("a")])
    ((first, _),) = waiting(tmp_path, "tiny").rows(limit=1)
    assert first["prompt"][0]["content"] == "What is a?"
    assert list(first) == list(Formatted.model_fields)


def test_test_rows_and_their_groups_never_wait(tmp_path: Path) -> None:
    kept = [row("a", group="g"), row("b", group="g"), row("c"), row("d")]
    store(tmp_path, "annotate", kept, [row("w", "to_write", group="g"), row("v", "to_write")])
    split(tmp_path, a="test", c="train", d="validation")
    queue = waiting(tmp_path, "tiny")
    assert [one["id"] for one, _ in queue.rows()] == ["v", "c", "d"]
    assert queue.n_test == 3  # a, and b and w of its group


def test_without_a_split_everything_may_wait_and_that_is_known(tmp_path: Path) -> None:
    store(tmp_path, "annotate", [row("a")])
    assert waiting(tmp_path, "tiny").n_test is None


def test_before_annotate_has_run_all_of_format_waits(tmp_path: Path) -> None:
    store(tmp_path, "format", [row("a"), row("b", "to_write"), row("c", "unreviewed", "conflict")])
    queue = waiting(tmp_path, "tiny")
    assert ([one["id"] for one, _ in queue.rows()], queue.stage) == (["c", "b", "a"], "format")


def test_nothing_left_to_do_is_no_error(tmp_path: Path) -> None:
    store(tmp_path, "annotate", [row("a", "accepted")])
    queue = waiting(tmp_path, "tiny")
    assert (list(queue.rows()), queue.tasks_by_reason()) == ([], {})


def test_a_recipe_without_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        waiting(tmp_path, "tiny")
    assert caught.value.what == "recipe 'tiny' has no examples yet"
    assert caught.value.where == str(tmp_path)
    assert "tuneloop data" in caught.value.fix


def test_a_reopened_row_waits_with_what_changed(tmp_path: Path) -> None:
    kept = [row("a", "unreviewed", "stale", "reopened: Dates stay as written."), row("b", "unreviewed", "stale")]
    store(tmp_path, "annotate", kept)
    queue = waiting(tmp_path, "tiny")
    assert queue.tasks_by_reason() == {"stale": 1, "reopened": 1}
    assert [why for _, why in queue.rows()] == [
        "The text has changed since somebody answered it: please look again.",
        "Please answer this again: Dates stay as written.",
    ]
