"""Which rows a request to remove means: those it names, and what in the store is the same text under another id.

    --where meta.customer_id=4711   rows with that value in a kept column; quarantined ones by their raw text
    --where fields.question=Who?    rows whose field is just that
    --id 9f3c...                    the row; its first digits will do, or its origin, tickets.jsonl:812
    --source tickets                every row of a source

A row takes with it what was made from the same line of its source under other templates, what dedupe dropped as the
same as it, or kept in its place, and what a model wrote from it: they hold its text, or speak of it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.alike_rows import Selection, records_of, take, take_along
from pipeline.annotations import annotation_files, read_annotations
from pipeline.reading import ABSENT, as_text, lookup
from pipeline.removed import SOURCE, hidden
from pipeline.screen import screen, seen_digest
from pipeline.snapshot import Snapshot
from pipeline.stored_rows import all_of, among, names, names_of, parts_in, present
from schemas import ConfigError, RunRecord, nearest

_LEAST_DIGITS = 6
_META, _FIELDS = "meta.", "fields."


@dataclass(frozen=True)
class Wanted:
    """What a request names.

    Attributes:
        wheres: Column, `meta.` or `fields.` before it, and the text it must have.
        ids: Ids, their first digits, or origins.
        sources: Names of sources.
    """

    wheres: tuple[tuple[str, str], ...] = ()
    ids: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @staticmethod
    def of(wheres: Iterable[str], ids: Iterable[str], sources: Iterable[str]) -> "Wanted":
        """Return what the words of the command line name.

        Raises:
            ConfigError: A word that cannot be read; all at once.
        """
        given, named = list(wheres), list(ids)
        problems = [
            ConfigError(f"{one!r} names no column and value", where="--where", fix="write it as meta.customer_id=4711")
            for one in given
            if not one.partition("=")[0].strip() or not one.partition("=")[2]
        ]
        problems += [
            ConfigError(f"{one!r} is too short for an id", where="--id", fix=f"give {_LEAST_DIGITS} digits or more")
            for one in named
            if ":" not in one and len(one) < _LEAST_DIGITS
        ]
        if problem := ConfigError.of(problems):
            raise problem
        pairs = [(one.partition("=")[0].strip(), one.partition("=")[2]) for one in given]
        return Wanted(tuple(pairs), tuple(named), tuple(sources))


def select(data_root: Path, wanted: Wanted, salt: str) -> Selection:
    """Return the rows that a request means, in every version and dropped part of the store.

    Raises:
        ConfigError: An id that begins several ids, or none.
    """
    found = Selection(values=_values(data_root, wanted, salt))
    for path in parts_in(data_root):
        for batch in Snapshot.read_part(path, _columns(names_of(path), wanted)):
            take(found, batch.filter(_fits(batch, wanted)), salt)
    found.ids |= _answered(data_root, wanted)
    _refuse_ambiguous(found, wanted)
    found.named = len(found.ids)
    take_along(data_root, found, salt)
    found.seen = _seen(data_root, found.ids)
    return found


def not_found(data_root: Path, wanted: Wanted) -> ConfigError:
    """Return the error for a request that no row fits."""
    known: set[str] = set()
    for path in parts_in(data_root):
        if "meta" in names_of(path):
            for batch in Snapshot.read_part(path, ["meta"]):
                known |= {
                    key for meta in pc.unique(batch.column("meta").slice(0, 200)).to_pylist() for key in _read(meta)
                }
                break
    asked = [column.removeprefix(_META) for column, _ in wanted.wheres]
    missing = [column for column in asked if column.split(".")[0] not in known and not column.startswith(_FIELDS)]
    if missing:
        fix = (
            f"{nearest(missing[0], known)}; a column that meta does not have must be kept first: "
            f'keep = ["{missing[0]}"] in its source, then `tuneloop data`'
        )
    else:
        fix = "look with `tuneloop show ingest` and `tuneloop explain ID`; is it another --data-root?"
    # The value stays unsaid: a message ends in logs.
    told = [*(f"--where {column}=..." for column, _ in wanted.wheres), *(f"--id {one}" for one in wanted.ids)]
    return ConfigError(
        f"no row here fits {' or '.join([*told, *(f'--source {one}' for one in wanted.sources)])}",
        where=str(data_root),
        fix=fix,
    )


def _columns(there: list[str], wanted: Wanted) -> list[str]:
    """Return the columns of a part that must be read: texts are long, so only where a request speaks of them."""
    spoken_of = {"fields" if column.startswith(_FIELDS) else "meta" for column, _ in wanted.wheres}
    looked_at = {"id", "source", "origin", "raw", "reason", *spoken_of}
    return [name for name in there if name in looked_at]


def _fits(batch: pa.RecordBatch, wanted: Wanted) -> pa.Array:
    """Return which rows of a batch the request names; what is left of a row that was removed before fits nothing."""
    fits = all_of(batch, value=False)
    for column, value in wanted.wheres:
        fits = pc.or_(fits, _with_value(batch, column, value))
    for one in wanted.ids:
        if ":" in one and "origin" in batch.schema.names:
            fits = pc.or_(fits, pc.or_(pc.equal(batch["origin"], one), pc.ends_with(batch["origin"], f"/{one}")))
        elif ":" not in one:
            fits = pc.or_(fits, pc.fill_null(pc.starts_with(batch["id"], one.lower()), False))
    if wanted.sources and "source" in batch.schema.names:
        fits = pc.or_(fits, among(batch["source"], names(wanted.sources)))
    return pc.and_(fits, present(batch))


def _with_value(batch: pa.RecordBatch, column: str, value: str) -> pa.Array:
    there = batch.schema.names
    if column in ("source", "origin"):
        return pc.equal(batch[column], value) if column in there else all_of(batch, value=False)
    if "raw" in there:
        return pa.array([_says(raw, column, value) for raw in batch["raw"].to_pylist()], pa.bool_())
    if column.startswith(_FIELDS):
        if "fields" not in there:
            return all_of(batch, value=False)
        items, name = pc.list_flatten(batch["fields"]), column.removeprefix(_FIELDS)
        same = pc.and_(pc.equal(pc.struct_field(items, "name"), name), pc.equal(pc.struct_field(items, "value"), value))
        rows = pc.unique(pc.list_parent_indices(batch["fields"]).filter(same))
        return pc.is_in(pa.array(np.arange(batch.num_rows), rows.type), value_set=rows)
    if "meta" not in there:
        return all_of(batch, value=False)
    path, written = column.removeprefix(_META), json.dumps(value, ensure_ascii=False)[1:-1]
    fits = np.array(pc.match_substring(batch["meta"], written).to_numpy(zero_copy_only=False))
    # Few have the text anywhere, and only these are read.
    for n in np.flatnonzero(fits).tolist():
        fits[n] = _has(_read(batch["meta"][n].as_py()), path, value)
    return pa.array(fits)


def _says(raw: str, column: str, value: str) -> bool:
    """Return whether a quarantined row has the value: in that column, or anywhere where its columns cannot be told."""
    row = _read(raw)
    name = column.removeprefix(_META).removeprefix(_FIELDS)
    if row:
        return _has(row, name, value)
    # A row that ingest could not use is worth nothing, so that it rather goes. One of csv names no column.
    return value in raw and (not raw.lstrip().startswith("{") or name.split(".")[-1] in raw)


def _has(row: dict[str, Any], path: str, value: str) -> bool:
    there = lookup(row, path)
    return there is not ABSENT and there is not None and as_text(there) == value


def _read(text: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}


def _answered(data_root: Path, wanted: Wanted) -> set[str]:
    """Return the ids that people's answers alone still name: their rows may be long gone."""
    starts = tuple(one.lower() for one in wanted.ids if ":" not in one)
    if not starts:
        return set()
    answers = read_annotations(annotation_files(data_root).values())
    return {one.example for one in answers if one.example and one.example.startswith(starts)}


def _refuse_ambiguous(found: Selection, wanted: Wanted) -> None:
    for one in wanted.ids:
        fits = sorted(name for name in found.ids if name.startswith(one.lower()))
        if ":" not in one and len(fits) > 1:
            raise ConfigError(f"{len(fits)} ids begin with {one!r}", where="--id", fix=f"give more digits: {fits[0]}")


def _seen(data_root: Path, ids: set[str]) -> set[str]:
    """Return the digests of what reviewers may have been shown of these rows, in any version that is here."""
    found: set[str] = set()
    done: set[str] = set()
    wanted = names(ids)
    # All texts that reviewers are shown are format's; later stages show others only where a person has edited.
    for path in sorted(parts_in(data_root), key=lambda path: not path.is_relative_to(data_root / "format")):
        columns = [name for name in ("id", "prompt", "completion", "edited_from") if name in names_of(path)]
        if "completion" not in columns or not _any_of(path, wanted):
            continue
        is_format, known = path.is_relative_to(data_root / "format"), names(done)
        for batch in Snapshot.read_part(path, columns):
            rows = batch.filter(among(batch["id"], wanted))
            if not is_format:
                new = pc.invert(among(rows["id"], known))
                edited = pc.is_valid(rows["edited_from"]) if "edited_from" in columns else new
                rows = rows.filter(pc.or_(new, edited))
            for row in rows.to_pylist():
                done.add(row["id"])
                found.add(seen_digest(screen(row["prompt"], row["completion"])))
                if row.get("edited_from") is not None:
                    before = [*row["completion"][:-1], {**row["completion"][-1], "content": row["edited_from"]}]
                    found.add(seen_digest(screen(row["prompt"], before)))
    return found


def _any_of(path: Path, ids: pa.Array) -> bool:
    return any(pc.any(among(batch["id"], ids)).as_py() for batch in Snapshot.read_part(path, ["id"]))


def _values(data_root: Path, wanted: Wanted, salt: str) -> set[tuple[str, str]]:
    """Return the columns of sources, and hidden values, by which ingest is to refuse rows of the same kind."""
    pairs = [(SOURCE, name) for name in wanted.sources]
    for column, value in wanted.wheres:
        if column in ("source", "origin"):
            pairs += [(SOURCE, value)] if column == "source" else []
            continue
        pairs += [(name, value) for name in _columns_of(data_root, column)]
    return {(name, hidden(salt, name, value)) for name, value in pairs}


def _columns_of(data_root: Path, column: str) -> set[str]:
    """Return what a column of the store is called in the sources."""
    if not column.startswith(_FIELDS):
        name = column.removeprefix(_META)
        # A source's key stands in meta under this name.
        keys = {one.get("key") for record in records_of(data_root, "ingest") for one in _sources(record)}
        return {name} | ({key for key in keys if key} if name == "key" else set())
    name, found = column.removeprefix(_FIELDS), set()
    for record in records_of(data_root, "ingest"):
        told: Any = record.facts.get("sources", {})
        for source in told.values():
            found |= {columns[name] for columns in source["columns"].values() if name in columns}
    return found


def _sources(record: RunRecord) -> Sequence[Any]:
    sources: Any = record.settings.get("sources", [])
    return sources  # type: ignore[no-any-return]
