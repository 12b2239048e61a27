"""Croissant metadata: `croissant.json`, by which other tools find files, columns and records (mlcommons.org/croissant).

    Config("default", "train-*.parquet", schema)   ->   a FileSet of these files and a RecordSet with a field a column

A column of messages becomes a field with one sub-field for each key of a message. Made of names, digests and the
Arrow schema alone, so the same files have the same metadata.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

_CROISSANT = "http://mlcommons.org/croissant/"
_PARQUET = "application/x-parquet"
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": _CROISSANT,
    "rai": f"{_CROISSANT}RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{
        word: f"cr:{word}"
        for word in (
            "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet",
            "format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet",
            "references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField",
            "transform",
        )
    },
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """One table of a data set.

    Attributes:
        name: As `datasets.load_dataset` knows it.
        includes: Pattern of its files, within the folder.
        schema: Its columns.
        about: A sentence.
    """

    name: str
    includes: str
    schema: pa.Schema
    about: str


@dataclass(frozen=True)
class About:
    """What is said of the whole.

    Attributes:
        name: Title.
        description: A sentence or two.
        version: Digest of the rows, or a tag.
        license: SPDX name; None where there is no single one.
        cite_as: How to cite it; None for nothing.
    """

    name: str
    description: str
    version: str
    license: str | None = None
    cite_as: str | None = None


def croissant(about: About, configs: Sequence[Config], digests: dict[str, str]) -> str:
    """Return the metadata as JSON in Croissant 1.0.

    Args:
        about: The whole.
        configs: Its tables.
        digests: Name of each file within the folder to its SHA-256 in hex.
    """
    files = [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "encodingFormat": _PARQUET,
            "sha256": digest,
        }
        for name, digest in sorted(digests.items())
    ]
    sets = [
        {
            "@type": "cr:FileSet",
            "@id": _files(config),
            "name": _files(config),
            "encodingFormat": _PARQUET,
            "includes": config.includes,
        }
        for config in configs
    ]
    whole = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": f"{_CROISSANT}1.0",
        "name": about.name,
        "description": about.description,
        "version": about.version,
        **({"license": about.license} if about.license else {}),
        **({"citeAs": about.cite_as} if about.cite_as else {}),
        "distribution": [*files, *sets],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": config.name,
                "name": config.name,
                "description": config.about,
                "field": [_field(config, field) for field in config.schema],
            }
            for config in configs
        ],
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(config: Config) -> str:
    return f"{config.name}-files"


def _field(config: Config, field: pa.Field) -> dict[str, Any]:
    name = f"{config.name}/{field.name}"
    start: dict[str, Any] = {"@type": "cr:Field", "@id": name, "name": field.name}
    is_list = pa.types.is_list(field.type)
    inner = field.type.value_type if is_list else field.type
    repeated = {"repeated": True} if is_list else {}
    if not pa.types.is_struct(inner):
        return {**start, **repeated, "dataType": _data_type(inner), "source": _source(config, field.name)}
    parts = [
        {
            "@type": "cr:Field",
            "@id": f"{name}/{part.name}",
            "name": part.name,
            "dataType": _data_type(part.type),
            "source": {**_source(config, field.name), "transform": {"jsonPath": part.name}},
        }
        for part in inner
    ]
    return {**start, **repeated, "subField": parts}


def _source(config: Config, column: str) -> dict[str, Any]:
    return {"fileSet": {"@id": _files(config)}, "extract": {"column": column}}


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"
