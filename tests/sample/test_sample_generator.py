"""The generator makes the committed files, the same each time, and grows a file by appending."""

import gzip
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

GENERATOR = Path(__file__).resolve().parents[2] / "data" / "sample" / "generator"
LINES = ("tickets.jsonl", "support.jsonl", "assistant.jsonl", "drafts.jsonl", "news.csv", "phrases.tsv")


def generate(folder, rows, *more):
    command = [sys.executable, str(GENERATOR), "--rows", str(rows), "--seed", "7", "--to", str(folder), *more]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def digests(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).digest() for path in paths}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("made"), 4600)


def test_the_committed_files_are_what_the_generator_writes(made, sample):
    for name, digest in digests(made).items():
        if name == "products.parquet":
            # The bytes of a table depend on the library that wrote it.
            assert pq.read_table(made / name).equals(pq.read_table(sample / name))
        elif name == "questions.jsonl.gz":
            # So do packed ones.
            assert gzip.decompress((made / name).read_bytes()) == gzip.decompress((sample / name).read_bytes())
        else:
            assert hashlib.sha256((sample / name).read_bytes()).digest() == digest, name


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    first = generate(tmp_path / "first", 900, "--rows-only")
    second = generate(tmp_path / "second", 900, "--rows-only")
    assert digests(first) == digests(second)


def test_a_bigger_run_begins_with_the_rows_of_a_smaller_one(tmp_path, made):
    small = generate(tmp_path, 1500, "--rows-only")
    for name in LINES:
        assert (made / name).read_bytes().startswith((small / name).read_bytes()), name
    rows = pq.read_table(small / "products.parquet")
    assert pq.read_table(made / "products.parquet").slice(0, rows.num_rows).equals(rows)
    few = json.loads((small / "alpaca.json").read_text(encoding="utf-8"))
    assert json.loads((made / "alpaca.json").read_text(encoding="utf-8"))[: len(few)] == few


def test_faults_of_a_smaller_run_are_faults_of_a_bigger_one(tmp_path, made):
    small = generate(tmp_path, 1500, "--rows-only")
    known = set((made / "faults.jsonl").read_text(encoding="utf-8").splitlines())
    assert set((small / "faults.jsonl").read_text(encoding="utf-8").splitlines()) <= known
