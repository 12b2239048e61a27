"""What every runner shares; executed by a peer's Python, so standard library, numpy and pyarrow alone.

A runner is `python run_<peer>.py --rows in.parquet --to out.parquet --workers 2 --settings '{...}'`. The input has the
string columns `prompt` and `response`, the output one int64 column `cluster` with a row each, in order: rows with the
same number are duplicates, -1 is a row that the peer took away without calling it a duplicate of anything. One line of
JSON comes last: the measurement, or {"problem": "..."} with exit code 3.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from memory import PeakMemory

Settings = dict[str, object]
# From one parquet of `text` and `row`, a folder to work in, the settings and the number of workers: the clusters of
# those rows, by row number; rows that the result leaves at -1 are gone.
Dedupe = Callable[[Path, Path, Settings, int], np.ndarray]


class CannotRunError(Exception):
    """The peer cannot do its work here; the message says what it lacks."""


def main(distribution: str, dedupe: Dedupe) -> None:
    """Run `dedupe` as the arguments say, write its clusters and print what was measured.

    The clock runs while the peer works on a file in the shape it takes: reading, signatures, clusters, writing. It
    does not run while Python starts, libraries load, or prompt and response are joined to the one text.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--settings", type=json.loads, default={})
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.to.parent) as name:
        folder = Path(name)
        texts = folder / "texts.parquet"
        _write_texts(given.rows, texts, given.settings.pop("text", "both"))
        try:
            with PeakMemory() as peak:
                start = time.perf_counter()
                clusters = dedupe(texts, folder, given.settings, given.workers)
                pq.write_table(pa.table({"cluster": clusters.astype(np.int64)}), given.to)
                seconds = time.perf_counter() - start
        except CannotRunError as error:
            print(json.dumps({"problem": str(error)}), flush=True)
            sys.exit(3)
    measured = {
        "seconds": seconds,
        "peak_rss_bytes": peak.rss_bytes,
        "peak_anon_bytes": peak.anon_bytes,
        "rows": len(clusters),
        "clusters": len(np.unique(clusters[clusters >= 0])),
        "version": version(distribution),
    }
    print("\n" + json.dumps(measured), flush=True)


def read_texts(path: Path) -> list[str]:
    """Return the texts as Python strings."""
    texts: list[str] = pq.read_table(path, columns=["text"]).column("text").to_pylist()
    return texts


def shingles(text: str, words: int, lower: bool) -> list[str]:
    """Return the runs of `words` whitespace-separated words, or all words where there are fewer."""
    tokens = (text.lower() if lower else text).split()
    if words <= 1 or len(tokens) <= words:
        return tokens
    return [" ".join(tokens[start : start + words]) for start in range(len(tokens) - words + 1)]


def _write_texts(rows: Path, to: Path, which: object) -> None:
    """Write the text to compare and the row number; a peer that compares one text gets both joined by a line break."""
    schema = pa.schema([("text", pa.string()), ("row", pa.int64())])
    start = 0
    with pq.ParquetWriter(to, schema) as writer:
        for batch in pq.ParquetFile(rows).iter_batches(columns=["prompt", "response"]):
            prompt, response = batch.column("prompt"), batch.column("response")
            text = {"prompt": prompt, "response": response}.get(str(which))
            if text is None:
                text = pc.binary_join_element_wise(prompt, response, "\n")
            numbers = pa.array(np.arange(start, start + batch.num_rows))
            writer.write_batch(pa.record_batch([text, numbers], schema=schema))
            start += batch.num_rows
