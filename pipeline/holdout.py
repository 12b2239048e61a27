"""Hold-outs: whole templates, sources or authors that are never trained on.

[split.hold_out]
sources = ["support"]                  # every new example of it stands on the test side
authors = ["ann"]                      # those whose kept column `author` says "ann", or lists her

What stands on another side by the ledger never moves: it leaves instead, if that side is the lesser one.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, JsonValue

from pipeline.split_rows import MetaColumn
from pipeline.stage import Place
from schemas import SPLITS, ConfigError, Strict, nearest

_KINDS = (("templates", "template"), ("sources", "source"))


class HoldOut(Strict):
    """What is held out of training whole."""

    side: Literal["validation", "test"] = Field(default="test", title="the side it stands on instead")
    templates: list[str] = Field(default=[], title="templates of which no row is trained on")
    sources: list[str] = Field(default=[], title="sources of which no row is trained on")
    authors: list[str] = Field(default=[], title="authors of whom no row is trained on")
    author_column: str = Field(default="author", min_length=1, title="kept column that names a row's author or authors")

    @property
    def asks(self) -> bool:
        """Whether anything is held out."""
        return bool(self.templates or self.sources or self.authors)

    def problems(self, place: Place) -> list[ConfigError]:
        """Return unknown names, a column that no source keeps, and a hold-out of everything."""
        where = f"recipe {place.recipe}, split.hold_out"
        known = {"templates": place.used_templates, "sources": place.sources}
        found = []
        for key, one in _KINDS:
            names = getattr(self, key)
            found += unknown_names(names, known[key], one, f"{where}.{key}")
            if names and set(names) >= set(known[key]):
                found.append(
                    ConfigError(
                        f"every {one} is held out: no row is left to train on",
                        where=f"{where}.{key}",
                        fix=f"leave out at least one of {', '.join(known[key])}",
                    )
                )
        if self.authors:
            found += column_problems(self.author_column, place, f"{where}.author_column")
        return found

    def sides_of(self, plain: pa.Table, meta: Mapping[str, MetaColumn]) -> npt.NDArray[np.int8]:
        """Return the side for which each row is held out, -1 for rows that are not.

        Args:
            plain: Columns template and source.
            meta: The kept column with the authors, if any is held out.
        """
        is_held = np.zeros(plain.num_rows, bool)
        for key, one in _KINDS:
            is_held |= _is_in(plain.column(one), getattr(self, key))
        if self.authors:
            column = meta[self.author_column]
            is_held[column.row[_is_in(column.value, self.authors)]] = True
        return np.where(is_held, SPLITS.index(self.side), -1).astype(np.int8)

    def absent(self, plain: pa.Table, meta: Mapping[str, MetaColumn]) -> list[JsonValue]:
        """Return the names that no row has, in words: a misspelt author is known to nobody else."""
        found: list[JsonValue] = []
        for key, one in _KINDS:
            there = set(pc.unique(plain.column(one)).to_pylist()) if getattr(self, key) else set()
            found += [f"no row of {one} {name}" for name in getattr(self, key) if name not in there]
        if self.authors:
            there = set(pc.unique(meta[self.author_column].value).to_pylist())
            found += [f"no row by {name}: {nearest(name, there)}" for name in self.authors if name not in there]
        return found


def unknown_names(names: Iterable[str], known: Iterable[str], one: str, where: str) -> list[ConfigError]:
    """Return an error for each name that is not known."""
    return [
        ConfigError(f"no {one} {name!r} in this recipe", where=where, fix=nearest(name, known))
        for name in names
        if name not in set(known)
    ]


def column_problems(column: str, place: Place, where: str) -> list[ConfigError]:
    """Return an error if no source keeps a column; before ingest has run nothing can be told."""
    if "ingest" not in place.records:
        return []
    sources = place.records["ingest"].settings.get("sources")
    kept: set[str] = set()
    for source in sources if isinstance(sources, list) else []:
        assert isinstance(source, dict)
        names = source.get("keep")
        kept.update(str(name) for name in names) if isinstance(names, list) else None
        kept.update(["key"] if source.get("key") else [])
    if column in kept:
        return []
    fix = f"add it to the source: keep = [{column!r}]; " + nearest(column, kept)
    return [ConfigError(f"no source keeps a column {column!r}", where=where, fix=fix)]


def _is_in(values: pa.Array | pa.ChunkedArray, names: list[str]) -> npt.NDArray[np.bool_]:
    found = pc.is_in(values, value_set=pa.array(names, pa.string()))
    return np.asarray(found.to_numpy(zero_copy_only=False) if isinstance(found, pa.Array) else found.to_numpy(), bool)
