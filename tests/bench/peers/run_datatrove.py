"""datatrove's four MinHash stages on the local executor, one task a worker, kept and removed rows written.

A row whose text has fewer words than a shingle gets no signature and stays as a cluster of its own.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.logging import logger
from harness import Settings, main


def dedupe(texts: Path, folder: Path, settings: Settings, workers: int) -> np.ndarray:
    """Return the clusters by stage 3's own numbers; rows without text, which the reader skips, are -1."""
    config = MinhashConfig(
        n_grams=settings["n_grams"],
        num_buckets=settings["num_buckets"],
        hashes_per_bucket=settings["hashes_per_bucket"],
        hash_config=HashConfig(precision=64),
    )
    rows = _share_out(texts, folder / "input", workers)
    reader = ParquetReader(str(folder / "input"), read_metadata=False, id_key="row")
    signatures, buckets, removed = str(folder / "signatures"), str(folder / "buckets"), str(folder / "removed")
    steps = [
        (workers, [reader, MinhashDedupSignature(output_folder=signatures, config=config)]),
        (config.num_buckets, [MinhashDedupBuckets(signatures, output_folder=buckets, config=config)]),
        (1, [MinhashDedupCluster(buckets, output_folder=removed, config=config, save_cluster_id=True)]),
        (
            workers,
            [
                reader,
                MinhashDedupFilter(removed, exclusion_writer=ParquetWriter(str(folder / "gone"))),
                ParquetWriter(str(folder / "kept")),
            ],
        ),
    ]
    for number, (tasks, pipeline) in enumerate(steps, start=1):
        logs = str(folder / f"logs-{number}")
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=min(tasks, workers), logging_dir=logs).run()
    return _clusters(Path(removed), rows, pq.read_metadata(texts).num_rows)


def _share_out(texts: Path, folder: Path, files: int) -> list[np.ndarray]:
    """Write the rows with text into one file a task, for a task takes whole files; return their row numbers."""
    folder.mkdir()
    table = pq.read_table(texts)
    table = table.filter(pc.greater(pc.binary_length(table.column("text")), 0))
    share = -(-table.num_rows // files)
    rows = []
    for number in range(files):
        some = table.slice(number * share, share)
        rows.append(some.column("row").to_numpy())
        as_text = pa.table({"text": some.column("text"), "row": some.column("row").cast(pa.string())})
        pq.write_table(as_text, folder / f"{number:05d}.parquet")
    return rows


def _clusters(removed: Path, rows: list[np.ndarray], n_rows: int) -> np.ndarray:
    """Return a number a row: that of its first row in the order of the files."""
    clusters = np.full(n_rows, -1, np.int64)
    first: dict[int, int] = {}
    for own in rows:
        clusters[own] = own
    for number, own in enumerate(rows):
        path = removed / f"{number:06d}.clusters"
        if path.exists():
            for place, cluster in np.fromfile(path, "<u4").reshape(-1, 2).tolist():
                clusters[own[place]] = first.setdefault(cluster, int(own[place]))
    return clusters


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    main("datatrove", dedupe)
