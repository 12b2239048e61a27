"""The committed sample, read once, with nothing but the standard library and pyarrow."""

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
ANSWERS = {
    "alpaca.json": "output",
    "news.csv": "highlights",
    "phrases.tsv": "target",
    "tickets.jsonl": "label",
    "products.parquet": "record",
    "questions.jsonl.gz": "answer",
}
NOT_ASKED = {"ticket_id", "id", "section", "tools", "language"}


@dataclass(frozen=True)
class Row:
    """One record of a file with the number that faults.jsonl gives it."""

    file: str
    number: int
    fields: dict
    planted: str | None

    @property
    def texts(self) -> list[str]:
        """All the prompt texts."""
        if "conversations" in self.fields:
            return [turn["value"] for turn in self.fields["conversations"][:-1]]
        if "messages" in self.fields:
            return [message["content"] for message in self.fields["messages"][:-1]]
        left_out = NOT_ASKED | {ANSWERS.get(self.file)}
        return [value for key, value in self.fields.items() if key not in left_out]

    @property
    def prompt(self) -> str:
        return "\n".join(self.texts)

    @property
    def response(self) -> str:
        if "conversations" in self.fields:
            return self.fields["conversations"][-1]["value"]
        if "messages" in self.fields:
            return self.fields["messages"][-1]["content"]
        return self.fields.get(ANSWERS.get(self.file, ""), "")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        yield from enumerate(lines, 1)


def read_raw(path: Path) -> Iterator[tuple[int, object]]:
    """Every record with its number; a line that is no JSON comes as text, a ragged row as a list."""
    if path.suffix in (".csv", ".tsv"):
        with path.open(encoding="utf-8", newline="") as lines:
            reader = csv.reader(lines, delimiter="\t" if path.suffix == ".tsv" else ",")
            columns = next(reader)
            start = reader.line_num + 1
            for cells in reader:
                yield start, dict(zip(columns, cells, strict=True)) if len(cells) == len(columns) else cells
                start = reader.line_num + 1
    elif path.suffix == ".parquet":
        yield from enumerate(pq.read_table(path).to_pylist(), 1)
    elif path.suffix == ".json":
        yield from enumerate(json.loads(path.read_text(encoding="utf-8")), 1)
    else:
        for number, line in read_lines(path):
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError:
                yield number, line


def read_faults(folder: Path) -> list[dict]:
    return [json.loads(line) for _, line in read_lines(folder / "faults.jsonl")]


@pytest.fixture(scope="session")
def sample() -> Path:
    return SAMPLE


@pytest.fixture(scope="session")
def faults() -> list[dict]:
    return read_faults(SAMPLE)


@pytest.fixture(scope="session")
def raw() -> dict[str, dict[int, object]]:
    names = [*ANSWERS, "support.jsonl", "assistant.jsonl", "drafts.jsonl"]
    return {name: dict(read_raw(SAMPLE / name)) for name in names}


@pytest.fixture(scope="session")
def rows(raw, faults) -> dict[str, list[Row]]:
    """The readable rows of each file; malformed ones are left out."""
    kinds = {fault["origin"]: fault["kind"] for fault in faults}
    found: dict[str, list[Row]] = {}
    for name, records in raw.items():
        planted = ((number, fields, kinds.get(f"{name}:{number}")) for number, fields in records.items())
        found[name] = [Row(name, *row) for row in planted if row[2] != "malformed"]
    return found


@pytest.fixture(scope="session")
def clean(rows) -> dict[str, list[Row]]:
    """The rows in which nothing is planted."""
    return {name: [row for row in found if row.planted is None] for name, found in rows.items()}
