"""A split as `input_ids` and `labels`, which every trainer takes: our tokens and our mask, for elsewhere.

prompt <bos><user>2 + 2?<assistant>, answer 4<eos>  ->  input_ids 1 5 9 9 9 6 7 2, labels -100 ... -100 7 2
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.method import Family
from train.checkpoint import full_disk
from train.encoded import Encoded
from train.pack import IGNORE_INDEX

# Rows written at once: the split may be larger than memory.
ROWS = 16_384


def write_tokens(encoded: Encoded, names: Sequence[str], family: Family, path: Path) -> None:
    """Write a row for each example: its origin, input_ids, labels, and weights where a token counts neither 0 nor 1.

    causal: labels stand beside input_ids, IGNORE_INDEX where there is no loss; the model shifts them itself.
    seq2seq: input_ids are what the encoder reads, labels what the decoder says. classify: labels is the class.

    Args:
        encoded: The examples.
        names: What each is called, such as its id in the split.
        family: Shape of the model they were made for.
        path: Of the parquet file.

    Raises:
        SnapshotError: There is no room.
    """
    weighted = has_weights(encoded)
    lists = pa.list_(pa.int32())
    fields = {"origin": pa.string(), "input_ids": lists, "labels": pa.int32() if family == "classify" else lists}
    schema = pa.schema(fields | ({"weights": pa.list_(pa.float32())} if weighted else {}))
    try:
        with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as file:
            for start in range(0, len(encoded), ROWS):
                rows = range(start, min(start + ROWS, len(encoded)))
                columns = {"origin": [str(names[i]) for i in rows], **_columns(encoded, rows, family)}
                file.write_table(pa.table({name: columns[name] for name in schema.names}, schema=schema))
    except OSError as error:
        raise full_disk(error, path) from error


def has_weights(encoded: Encoded) -> bool:
    """Return whether some token counts neither 0 nor 1, which labels cannot say."""
    return bool(np.any((encoded.weights != 0) & (encoded.weights != 1)))


def _columns(encoded: Encoded, rows: range, family: Family) -> dict[str, object]:
    if family == "causal":
        inputs = [encoded.example(i) for i in rows]
        weights = [encoded.weights_of(i) for i in rows]
    else:
        inputs = [encoded.prompt(i) for i in rows]
        weights = [encoded.weights_of(i)[encoded.n_prompt[i] :] for i in rows]
    said = inputs if family == "causal" else [encoded.target(i) for i in rows]
    labels = [np.where(weight > 0, ids, IGNORE_INDEX) for ids, weight in zip(said, weights, strict=True)]
    return {
        "input_ids": inputs,
        "labels": [int(label[0]) for label in labels] if family == "classify" else labels,
        "weights": weights,
    }
