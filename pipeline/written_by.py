"""Which rows a model drafted, as `meta` says: key `synthetic`, an object that names the model and its licence.

{"synthetic": {"model": "Qwen/Qwen3-0.6B", "license": "Apache-2.0"}}  ->  model "Qwen/Qwen3-0.6B"
{"synthetic": {"model": "/home/ann/models/mine"}}                     ->  model "mine", licence not stated
{}                                                                    ->  null, null
"""

import json

import numpy as np
import pyarrow as pa

from pipeline.meta import meta_values
from pipeline.synthetic import SYNTHETIC

_UNNAMED = "a model that is not named"


def models_of(meta: pa.Array) -> tuple[pa.StringArray, pa.StringArray]:
    """Return for each row the model that drafted it and that model's licence, null where none did or none is stated.

    Of a model that is a folder only the last name is told: a path may name a person.
    """
    row, told = meta_values(meta, SYNTHETIC)
    at = np.full(len(meta), -1, np.int64)
    at[row[::-1]] = np.arange(len(row))[::-1]
    encoded = told.dictionary_encode()
    models, licences = zip(*map(_read, encoded.dictionary.to_pylist()), strict=True) if len(row) else ((), ())
    number = pa.array(at, mask=at < 0)
    code = encoded.indices.take(number)
    return pa.array(models, pa.string()).take(code), pa.array(licences, pa.string()).take(code)


def _read(text: str) -> tuple[str, str | None]:
    try:
        said = json.loads(text)
    except ValueError:
        said = text
    model = said.get("model") if isinstance(said, dict) else said
    licence = said.get("license") if isinstance(said, dict) else None
    return _public(model) if isinstance(model, str) and model else _UNNAMED, (
        licence if isinstance(licence, str) and licence else None
    )


def _public(model: str) -> str:
    is_path = model.startswith((".", "/", "~", "\\")) or "\\" in model or model.count("/") > 1
    return model.replace("\\", "/").rstrip("/").rpartition("/")[2] if is_path else model
