"""The README's first command on the sample, then on ten percent more of it."""

import json
import subprocess
import sys
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parent.parent
STAGES = ("ingest", "dedupe", "format", "annotate", "split")


def tuneloop(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *words], cwd=ROOT, capture_output=True, text=True, check=True
    )


def record(store: Path, stage: str) -> dict:
    return json.loads(max((store / stage / "refs" / "sample").glob("*.json")).read_text("utf-8"))


def sides(store: Path) -> dict[str, str]:
    folder = store / "split" / "latest-sample"
    rows = [
        row for path in folder.glob("*.parquet") for row in pq.read_table(path, columns=["id", "split"]).to_pylist()
    ]
    return {row["id"]: row["split"] for row in rows}


def group_of(row: dict) -> str:
    return row["group"]


def words_of(row: dict) -> str:
    return "".join("".join(message["content"] for message in row["prompt"]).casefold().split())


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """A store with the sample recipe run once, by its command."""
    place = tmp_path_factory.mktemp("sample") / "data"
    done = tuneloop("data", "--data-root", str(place))
    assert done.stdout == f"{place}/split/latest-sample\n"
    assert "waits for people: " in done.stderr
    assert "40 to_write" in done.stderr
    return place


def test_the_sample_is_as_large_and_varied_as_it_says(store):
    ingest = record(store, "ingest")
    assert ingest["rows_in"] >= 4000
    rows = [row for file in ingest["parts"] for row in file["files"]]
    assert len(rows) >= 8  # a part for every source with rows
    tasks = {
        task
        for path in (store / "ingest" / ingest["version"]).glob("*.parquet")
        for task in pq.read_table(path, columns=["task"])["task"].to_pylist()
    }
    assert {"summarize", "translate", "classify", "extract", "chat"} <= tasks


def test_rows_add_up_at_every_stage(store):
    kept = None
    for stage in STAGES:
        one = record(store, stage)
        assert one["rows_in"] == one["rows_kept"] + one["rows_dropped"]
        assert sum(one["dropped_by_reason"].values()) == one["rows_dropped"]
        assert kept in (None, one["rows_in"])
        kept = one["rows_kept"]


def test_datasets_loads_the_folder_and_finds_three_sides(store):
    split = datasets.load_dataset(str(store / "split" / "latest-sample"), cache_dir=str(store.parent / "cache"))
    assert set(split) == {"train", "validation", "test"}
    assert sum(split.num_rows.values()) == record(store, "split")["rows_kept"]
    row = split["train"][0]
    assert [message["role"] for message in row["completion"]] == ["assistant"]
    assert row["prompt"][-1]["role"] == "user"


def test_a_copied_folder_loads_alone(store, tmp_path):
    folder = (store / "split" / "latest-sample").resolve()
    alone = tmp_path / "alone"
    alone.mkdir()
    for path in folder.iterdir():
        (alone / path.name).write_bytes(path.read_bytes())
    split = datasets.load_dataset(str(alone), cache_dir=str(tmp_path / "cache"))
    assert set(split) == {"train", "validation", "test"}


def test_nothing_crosses_the_sides(store):
    folder = store / "split" / "latest-sample"
    rows = [
        row
        for path in folder.glob("*.parquet")
        for row in pq.read_table(path, columns=["group", "split", "prompt"]).to_pylist()
    ]
    for key in (group_of, words_of):
        seen: dict[str, set[str]] = {}
        for row in rows:
            seen.setdefault(key(row), set()).add(row["split"])
        assert [name for name, found in seen.items() if len(found) > 1] == []
    assert record(store, "split")["facts"]["proof"]["crossings"] == 0


@pytest.mark.slow
def test_with_ten_percent_more_rows_no_old_row_changes_its_side(store, tmp_path):
    place, sample = tmp_path / "data", tmp_path / "sample"
    recipe = tmp_path / "sample.toml"
    text = (ROOT / "pipeline" / "recipes" / "sample.toml").read_text("utf-8")
    recipe.write_text(
        text.replace("data/sample/", f"{sample}/").replace(f"{sample}/tokenizer", "data/sample/tokenizer")
    )
    found = []
    for rows in ("4600", "5060"):
        generator = [sys.executable, str(ROOT / "data" / "sample" / "generator"), "--rows-only"]
        subprocess.run([*generator, "--rows", rows, "--to", str(sample)], check=True, capture_output=True)
        tuneloop("data", "--recipe", str(recipe), "--data-root", str(place))
        found.append(sides(place))
    before, after = found
    assert len(after) > len(before) + 300
    moved = [one for one in before if one in after and after[one] != before[one]]
    assert moved == []
    leaks = record(place, "split")["dropped_by_reason"].get("leak", 0)
    gone = [one for one in before if one not in after]
    dropped = {
        row["id"]: row["reason"]
        for stage in STAGES[1:]
        for part in record(place, stage)["parts"]
        for file in part["dropped"]
        for row in pq.read_table(place / stage / "dropped" / file["name"]).to_pylist()
    }
    # An old row may go: as a new row's duplicate or, listed, because a new row on a greater side resembles it.
    assert all(one in dropped for one in gone)
    assert list(dropped.values()).count("leak") == leaks


OFFLINE = """
import socket, sys
def refuse(*words, **options):
    raise SystemExit(f"something called out: {words}")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from pipeline.cli import run
sys.exit(run(sys.argv[1:]))
"""


def test_nothing_calls_out(tmp_path):
    words = ["data", "--data-root", str(tmp_path / "data"), "--to", "dedupe"]
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
