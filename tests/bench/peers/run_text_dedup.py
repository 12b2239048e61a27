"""text-dedup's MinHash command, called as its command line is, in this process so that its clusters can be read."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from datasets import load_from_disk
from harness import Settings, main
from text_dedup import minhash


def dedupe(texts: Path, folder: Path, settings: Settings, workers: int) -> np.ndarray:
    """Return the roots of the command's clusters; rows shorter than `min_length`, which it deletes, are -1."""
    n_rows = pq.read_metadata(texts).num_rows
    kept = folder / "kept"
    arguments = {
        "path": "parquet",
        "data_files": str(texts),
        "split": "train",
        "column": "text",
        "cache_dir": str(folder / "cache"),
        "output": str(kept),
        "num_proc": workers,
        **settings,
    }
    words = [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
    minhash.main(args=words, standalone_mode=False)
    clusters = np.fromiter((minhash.uf.find(row) for row in range(n_rows)), np.int64, n_rows)
    stays = np.zeros(n_rows, bool)
    stays[load_from_disk(str(kept)).data.column("row").to_numpy()] = True
    clusters[(clusters == np.arange(n_rows)) & ~stays] = -1
    return clusters


if __name__ == "__main__":
    main("text-dedup", dedupe)
