"""datasketch's MinHashLSH: a row with a hit in the index repeats the first hit, another is put in. One process."""

from itertools import islice
from pathlib import Path

import numpy as np
from datasketch import MinHash, MinHashLSH
from harness import Settings, main, read_texts, shingles

BATCH_ROWS = 10_000


def dedupe(texts: Path, folder: Path, settings: Settings, workers: int) -> np.ndarray:
    """Return for every row the first kept row that it repeats, or itself; `workers` is not used: it has no use here."""
    del folder, workers
    bands = settings["params"]
    index = MinHashLSH(
        threshold=settings["threshold"], num_perm=settings["num_perm"], params=tuple(bands) if bands else None
    )
    tokens = (
        [token.encode() for token in shingles(text, int(settings["words"]), bool(settings["lower"]))]
        for text in read_texts(texts)
    )
    clusters: list[int] = []
    while batch := list(islice(tokens, BATCH_ROWS)):
        for sketch in MinHash.bulk(batch, num_perm=settings["num_perm"]):
            row = len(clusters)
            if hits := index.query(sketch):
                clusters.append(min(hits))
            else:
                index.insert(row, sketch)
                clusters.append(row)
    return np.array(clusters, np.int64)


if __name__ == "__main__":
    main("datasketch", dedupe)
