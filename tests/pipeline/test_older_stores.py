"""Stores as released versions left them, in tests/faults/stores: they are read, checked and gone on from."""

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import refs
from pipeline.cli import run
from pipeline.fsck import fsck
from pipeline.gc import collect
from pipeline.run import plan_data
from pipeline.snapshot import Snapshot
from pipeline.tags import tag
from schemas import SnapshotError

STORES = sorted((Path(__file__).resolve().parents[1] / "faults" / "stores").glob("*.tar.gz"))
STAGES = ("ingest", "dedupe", "format", "annotate", "split", "ledger")


@pytest.fixture(params=STORES, ids=lambda path: path.name.removesuffix(".tar.gz"))
def old(request, project):
    place = project.root / "older"
    with tarfile.open(request.param) as archive:
        archive.extractall(place, filter="data")
    (root,) = place.iterdir()
    return replace(project, root=root)


def test_an_older_store_is_whole_and_every_row_reads(old):
    assert fsck(old.data)[1] == []
    rows = {}
    for stage in STAGES:
        record = refs.newest(old.data, stage, "tiny")
        rows[stage] = Snapshot.open(old.data / stage, record.version).table().num_rows
    assert rows == {"ingest": 12, "dedupe": 11, "format": 11, "annotate": 11, "split": 11, "ledger": rows["ledger"]}


def test_its_log_rows_and_differences_are_shown(old, capsys):
    root = ["--data-root", str(old.data)]
    assert run(["log", *root]) == 0
    assert run(["show", "split", "--recipe", str(old.root / "recipe.toml"), *root]) == 0
    first, second = (refs.read_record(path).version for path in reversed(refs.record_paths(old.data, "split", "tiny")))
    assert run(["diff", first, second, *root]) == 0
    said = capsys.readouterr().out
    assert "11 kept" in said
    assert "1 added" in said


def test_a_tag_of_an_older_store_holds_its_versions(old):
    collect(old.data, keep=1)
    assert (old.data / "split" / "v1").is_dir()
    assert tag(old.data, "tiny", "v2").is_dir()


def test_going_on_from_an_older_store_moves_no_row(old):
    record = refs.newest(old.data, "split", "tiny")
    before = sides(old.data, record.version)
    assert plan_data(old.recipe, old.data, old.root)
    with (old.root / "questions.jsonl").open("a") as file:
        file.write(json.dumps({"q": "Which planet is the largest one?", "a": "Jupiter"}) + "\n")
    after = sides(old.data, old.run()["split"].record.version)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 1
    assert fsck(old.data)[1] == []


def test_a_store_of_a_later_format_is_refused_and_nothing_is_set_aside(old):
    path = refs.record_paths(old.data, "split", "tiny")[0]
    path.write_text(path.read_text().replace('"format": 1', '"format": 2', 1))
    for call in (lambda: fsck(old.data), old.run, lambda: collect(old.data, keep=1)):
        with pytest.raises(SnapshotError, match="a later tuneloop wrote this store"):
            call()
    assert path.exists()


def sides(data: Path, version: str) -> dict[str, str]:
    table = Snapshot.open(data / "split", version).table(["id", "split"])
    return dict(zip(table.column("id").to_pylist(), table.column("split").to_pylist(), strict=True))
