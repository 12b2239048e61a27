"""Rows a second of every reader, beside pandas and datasets on the same rows.

    python tests/bench/readers_speed.py [ROWS]

Ours gives JSON text or cells with line and byte of every row; pandas and datasets give values.
"""

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from figures import tell

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pipeline.language_id import language_of
from pipeline.readers import layout_of, parse_row, read_rows
from tests.pipeline.spreadsheet import write_xlsx


def ours(path: Path) -> int:
    """Return how many rows our reader gives, parsed."""
    layout = layout_of(path, path.name, "utf-8", None)
    return sum(1 for row in read_rows(path, path.name, "utf-8", layout) if parse_row(row.raw, layout))


def by_datasets(kind: str) -> Callable[[Path], int]:
    """Return a function that streams a file through datasets."""
    return lambda path: sum(1 for _ in datasets.load_dataset(kind, data_files=str(path), split="train", streaming=True))


PEERS: dict[str, dict[str, Callable[[Path], int]]] = {
    ".jsonl": {"pandas": lambda path: len(pd.read_json(path, lines=True)), "datasets": by_datasets("json")},
    ".jsonl.gz": {"pandas": lambda path: len(pd.read_json(path, lines=True)), "datasets": by_datasets("json")},
    ".jsonl.zst": {"pandas": lambda path: len(pd.read_json(path, lines=True)), "datasets": by_datasets("json")},
    ".csv": {"pandas": lambda path: len(pd.read_csv(path)), "datasets": by_datasets("csv")},
    ".parquet": {"pandas": lambda path: len(pd.read_parquet(path)), "datasets": by_datasets("parquet")},
    ".xlsx": {"pandas": lambda path: len(pd.read_excel(path, engine="calamine"))},
}


def write_all(folder: Path, n: int) -> None:
    """Write n rows in every format."""
    rows = [
        {"id": i, "question": f"How many apples are {i} and {i + 1}, {'or so ' * 20}?", "answer": f"{2 * i + 1}"}
        for i in range(n)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (folder / "a.jsonl").write_bytes(text)
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(text, 6))
    (folder / "a.jsonl.zst").write_bytes(zstandard.compress(text))
    pd.DataFrame(rows).to_csv(folder / "a.csv", index=False)
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    write_xlsx(folder / "a.xlsx", {"S": [list(rows[0]), *(list(row.values()) for row in rows)]})


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=50_000)
    n = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_all(folder, n)
        for ending, peers in PEERS.items():
            told, rates = [], {}
            for reader, read in {"ours": ours, **peers}.items():
                start = time.process_time()
                assert read(folder / f"a{ending}") == n
                rates[reader] = n / (time.process_time() - start)
                told.append(f"{reader} {rates[reader]:>10,.0f}")
            print(f"{ending:<11} rows a second of processor time: {'   '.join(told)}")
            for peer in peers:
                tell(f"{ending}: rows a second", rates["ours"], peer=peer, theirs=rates[peer], better="more")
    texts = [f"The harbour number {i} of Lund opened a second pier on Monday after two years." for i in range(2_000)]
    start = time.process_time()
    assert all(language_of([text]) == "en" for text in texts)
    print(f"language    texts a second of processor time: {len(texts) / (time.process_time() - start):,.0f}")


if __name__ == "__main__":
    main()
