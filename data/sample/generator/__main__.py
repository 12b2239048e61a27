"""Writes the sample data: ``python data/sample/generator --rows 4600 --seed 7 --to data/sample``.

Writes, for example, the line ``{"prompt": "Explain to Halden Pumps ..."}`` of drafts.jsonl.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from base_text import base_text
from benchmark_rows import benchmark_rows, item
from fault_plan import KINDS
from sample_files import FILES, rows_by_file, write_file
from subword_tokenizer import write_tokenizer

# A base that reads little text learns it by heart instead of learning to copy from what it reads.
BASE_SIZE = 3_600_000


def write_rows(rows: int, seed: int, folder: Path) -> Counter[str]:
    """The row files, benchmark.jsonl and faults.jsonl stand in the folder; faults are counted by kind."""
    folder.mkdir(parents=True, exist_ok=True)
    held_out = benchmark_rows(seed)
    counts = rows_by_file(rows)
    faults = [
        fault
        for file in FILES
        for fault in write_file(file, counts[file.name], seed, folder, held_out.get(file.name, []))
    ]
    _write_lines(folder / "benchmark.jsonl", (item(row) for rows in held_out.values() for row in rows))
    _write_lines(folder / "faults.jsonl", faults)
    return Counter(str(fault["kind"]) for fault in faults)


def write_base(seed: int, folder: Path) -> None:
    """base.txt and the tokenizer trained on it stand in the folder; they do not depend on the row count."""
    text = base_text(seed + 1, BASE_SIZE)
    (folder / "base.txt").write_text(text, encoding="utf-8", newline="\n")
    write_tokenizer(text, folder / "tokenizer")


def _write_lines(path: Path, records: Iterable[Mapping[str, str | None]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for record in records:
            out.write(json.dumps(record, ensure_ascii=False) + "\n")


def main() -> None:
    """The folder named on the command line holds the sample, and what was planted is printed."""
    parser = argparse.ArgumentParser(description="Write the sample data of tuneloop.")
    parser.add_argument("--rows", type=int, default=4600, help="rows in all row files together")
    parser.add_argument("--seed", type=int, default=7, help="another seed gives other rows")
    parser.add_argument("--to", type=Path, required=True, help="folder to write to")
    parser.add_argument("--rows-only", action="store_true", help="leave base.txt and the tokenizer alone")
    given = parser.parse_args()
    planted = write_rows(given.rows, given.seed, given.to)
    if not given.rows_only:
        write_base(given.seed, given.to)
    for name, count in rows_by_file(given.rows).items():
        print(f"{count:7d}  {name}")
    for kind in KINDS:
        print(f"{planted[kind]:7d}  {kind}")


if __name__ == "__main__":
    main()
