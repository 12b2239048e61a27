"""The version of rows: a digest of their content in order, whatever the parts and the bytes of parquet.

    150,000 rows  ->  three blocks of 65,536, 65,536 and 18,928 rows, a digest each  ->  one digest of these

Up to one block the block's digest is the version. Where a version begins with files of an earlier one, the blocks that
lie in them are not read again: equal bytes hold equal rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.digest import VERSION_HEX, ContentDigest
from pipeline.snapshot import Snapshot
from schemas import PartFile, SnapshotError

BLOCK_ROWS = 65536
_HASHERS = 2


def content_version(files: Sequence[Path], schema: pa.Schema) -> str:
    """Return the version of the rows in these files, read back from disk in order."""
    return version_of(content_blocks(files, schema))


def version_of(blocks: Sequence[str]) -> str:
    """Return the version of rows whose blocks have these digests."""
    if len(blocks) == 1:
        return blocks[0]
    return blake2b("\n".join(blocks).encode(), digest_size=VERSION_HEX // 2).hexdigest()


def content_blocks(files: Sequence[Path], schema: pa.Schema, known: Sequence[str] = ()) -> list[str]:
    """Return the digest of every block of rows, read back from disk in order; one for no rows.

    Args:
        files: Parquet.
        schema: Of the rows.
        known: Digests of leading blocks, which are not read.
    """
    blocks, digest, n = [*known], ContentDigest(schema), 0
    batches = (batch.cast(schema) for batch in _after(files, len(known) * BLOCK_ROWS))
    with ThreadPoolExecutor(_HASHERS) as pool, ThreadPoolExecutor(1) as reader:
        # The next batch is read while this one is hashed.
        ahead = reader.submit(next, batches, None)
        while (batch := ahead.result()) is not None:
            ahead = reader.submit(next, batches, None)
            while batch.num_rows:
                head = batch.slice(0, BLOCK_ROWS - n)
                batch, n = batch.slice(head.num_rows), n + head.num_rows
                digest.update(head, pool)
                if n == BLOCK_ROWS:
                    blocks.append(digest.hexdigest())
                    digest, n = ContentDigest(schema), 0
    return blocks if blocks and not n else [*blocks, digest.hexdigest()]


def known_blocks(stage_folder: Path, versions: Iterable[str], files: Sequence[PartFile]) -> list[str]:
    """Return the digests of the leading blocks that lie in files with which an earlier version begins, too.

    Args:
        stage_folder: Of the store.
        versions: Names of earlier versions of the stage; those that are gone are passed over.
        files: Of the version that is being made.
    """
    best: list[str] = []
    for version in versions:
        try:
            earlier = Snapshot.open(stage_folder, version, bring=False).manifest
        except SnapshotError:
            continue
        rows = 0
        for mine, theirs in zip(files, earlier.files, strict=False):
            if (mine.digest, mine.rows) != (theirs.digest, theirs.rows):
                break
            rows += mine.rows
        best = max(best, earlier.blocks[: rows // BLOCK_ROWS], key=len)
    return best


def _after(files: Sequence[Path], skip: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of the files but for the first ones."""
    for path in files:
        rows = pq.read_metadata(path).num_rows if skip else 0
        if skip and rows <= skip:
            skip -= rows
            continue
        for batch in Snapshot.read_part(path):
            yield batch.slice(skip)
            skip = max(0, skip - batch.num_rows)
