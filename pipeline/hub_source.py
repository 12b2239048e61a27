"""Datasets of the Hugging Face hub, copied row by row into one file of JSON lines, once for each commit.

    copy_rows("tatsu-lab/alpaca", data/hub/tatsu-lab--alpaca/<commit>/default.train.jsonl.zst, ...)
    ->  {"instruction": "Add", "input": "2 3", "output": "5"}
        ...

Rows are streamed: memory holds a batch, the disk one compressed copy. No code of a dataset is run, and its data files
are read only in formats that cannot run any. Columns of pictures, sounds and other bytes are left out.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, cast

import datasets
import pyarrow as pa
import zstandard
from datasets.exceptions import DataFilesNotFoundError, DatasetNotFoundError
from huggingface_hub import HfApi

from pipeline.readers import plain
from schemas import ConfigError, DataError, ServiceError, SourceError

_BATCH_ROWS = 1000
_FORMATS = ("parquet", "csv", "json", "text", "arrow")
_PRIVATE = "; a private or gated dataset needs a token in the environment variable HF_TOKEN"


def newest_revision(dataset: str) -> str:
    """Return the commit that the main branch of a dataset stands at.

    Raises:
        ServiceError: The hub does not answer or does not know it.
    """
    try:
        return str(HfApi().dataset_info(dataset).sha)
    except Exception as error:  # the hub's client has changed its HTTP library twice, and errors with it
        raise _unreachable(dataset, error) from error


def copy_rows(
    dataset: str, to: Path, *, config: str | None, split: str, revision: str | None, limit: int | None = None
) -> int:
    """Write the rows of a dataset to a .jsonl.zst file, whole or not at all; return how many.

    Args:
        dataset: Its name on the hub, or a folder of the same form.
        to: The file to write.
        config: A configuration; None for the only or default one.
        split: Such as train.
        revision: A commit of the hub; None for folders.
        limit: Only the first so many rows.

    Raises:
        ConfigError: No such configuration or split.
        ServiceError: The hub does not answer or does not know the dataset.
        SourceError: Its files are in a format that could run code, or broken.
    """
    where = f"hf://{dataset}"
    rows = _stream(dataset, config, split, revision, where)
    if limit:
        rows = rows.take(limit)
    to.parent.mkdir(parents=True, exist_ok=True)
    draft = to.with_name(f"tmp-{os.getpid()}-{to.name}")
    sys.stderr.write(f"copying {where} to {to}\n")
    n = 0
    try:
        with draft.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as packed:
            for batch in rows.with_format("arrow").iter(_BATCH_ROWS):
                for row in _without_bytes(cast(pa.Table, batch)).to_pylist():
                    packed.write(json.dumps(row, ensure_ascii=False, default=plain).encode() + b"\n")
                    n += 1
    except (ValueError, pa.ArrowException, datasets.exceptions.DatasetsError) as error:
        raise _unreadable(where, error) from error
    except Exception as error:
        raise _unreachable(dataset, error) from error
    else:
        draft.replace(to)
    finally:
        draft.unlink(missing_ok=True)
    return n


def _stream(dataset: str, config: str | None, split: str, revision: str | None, where: str) -> Any:  # noqa: ANN401
    """Return the rows as an IterableDataset, which datasets does not type."""
    try:
        builder: Any = datasets.load_dataset_builder(dataset, config, revision=revision)
    except DatasetNotFoundError as error:
        raise _unreachable(dataset, error) from error
    except DataFilesNotFoundError as error:
        raise SourceError(
            "the dataset holds no data files that are read here",
            where=where,
            fix=f"use a dataset of {', '.join(_FORMATS)} files, or download it and name the files",
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"no such configuration: {error}", where=where, fix="give the source one of these: config = ..."
        ) from error
    except Exception as error:
        raise _unreachable(dataset, error) from error
    kind = type(builder).__module__.rsplit(".", 1)[-1]
    base = next((one for one in _FORMATS if f".{one}" in type(builder).__module__ or kind == one), None)
    if base is None:
        raise SourceError(
            f"its data files are read by {kind}, which is not allowed here",
            where=where,
            fix=f"use a dataset of {', '.join(_FORMATS)} files, or download it and name the files",
        )
    try:
        return builder.as_streaming_dataset(split=split)
    except pa.ArrowException as error:
        raise _unreadable(where, error) from error
    except (ValueError, KeyError) as error:
        raise ConfigError(f"no split {split!r}", where=where, fix=f"give the source a split; {error}") from error
    except Exception as error:
        raise _unreachable(dataset, error) from error


def _unreadable(where: str, error: Exception) -> SourceError:
    return SourceError(
        f"a data file of the dataset cannot be read: {error}", where=where, fix="try another config or revision"
    )


def _without_bytes(table: pa.Table) -> pa.Table:
    return table.drop_columns([field.name for field in table.schema if _holds_bytes(field.type)])


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_nested(kind):
        return any(_holds_bytes(kind.field(i).type) for i in range(kind.num_fields))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _unreachable(dataset: str, error: Exception) -> DataError:
    if isinstance(error, DatasetNotFoundError) or "404" in str(error) or "401" in str(error):
        return ServiceError(
            f"the hub has no dataset {dataset!r} that you may read",
            where=f"hf://{dataset}",
            fix=f"mend its name or revision{_PRIVATE}",
        )
    return ServiceError(
        f"the hub does not answer: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
        where=f"hf://{dataset}",
        fix=f"check the network and run again, or fetch its files elsewhere and name them as `path`{_PRIVATE}",
    )
