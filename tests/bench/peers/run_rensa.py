"""rensa's deduplicator: tokens in, which rows are new comes out; what a repeated row repeats is then asked for."""

import os
from itertools import islice
from pathlib import Path

import numpy as np
from harness import Settings, main, read_texts, shingles
from rensa import CMinHash, CMinHashDeduplicator, RMinHash, RMinHashDeduplicator

BATCH_ROWS = 10_000


def dedupe(texts: Path, folder: Path, settings: Settings, workers: int) -> np.ndarray:
    """Return for every row the first kept row that it repeats, or itself."""
    del folder
    os.environ["RAYON_NUM_THREADS"] = str(workers)
    threshold, num_perm, seed = settings["threshold"], settings["num_perm"], 42
    kept: RMinHashDeduplicator | CMinHashDeduplicator
    if settings["sketch"] == "c":
        sketch, kept = CMinHash, CMinHashDeduplicator(threshold, num_perm, seed)
    else:
        sketch = RMinHash
        kept = RMinHashDeduplicator(threshold, num_perm, use_lsh=True, num_bands=settings["num_bands"], seed=seed)
    tokens = (shingles(text, int(settings["words"]), bool(settings["lower"])) for text in read_texts(texts))
    clusters: list[int] = []
    while batch := list(islice(tokens, BATCH_ROWS)):
        start = len(clusters)
        clusters.extend(range(start, start + len(batch)))
        is_new = kept.add_pairs([(str(start + place), own) for place, own in enumerate(batch)])
        repeats = [place for place, new in enumerate(is_new) if not new]
        found = kept.get_duplicate_sets(sketch.from_token_sets([batch[place] for place in repeats], num_perm, seed))
        for place, keys in zip(repeats, found, strict=True):
            clusters[start + place] = min(map(int, keys))
    return np.array(clusters, np.int64)


if __name__ == "__main__":
    main("rensa", dedupe)
