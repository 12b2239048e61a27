"""Ingest: rows of sources become examples, or are dropped with the reason; nothing is changed unasked.

alpaca.json, record 7, template "instruct":
    {"instruction": "Add", "input": "2 3", "output": "5"}
->  id "9f3c...", source "alpaca", origin "alpaca.json:7", task "instruct", template "instruct",
    fields [{input, 2 3}, {instruction, Add}, {response, 5}], turns [], meta "{}", marks []
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import BaseModel, Field, JsonValue, field_validator

from pipeline.care import Pii, take_care
from pipeline.digest import file_digest, value_digest
from pipeline.examples import Drops, Examples
from pipeline.identity import content_id, keyed_id
from pipeline.readers import Layout, Row, layout_of, parse_row, read_rows
from pipeline.reading import (
    ABSENT,
    Reading,
    RowError,
    as_text,
    conversation_of,
    fields_of,
    has_response,
    lookup,
    values_of,
)
from pipeline.removed import FILE as REMOVED_FILE
from pipeline.removed import REASON, Removed, removed_by, removed_file
from pipeline.snapshot import BATCH_ROWS, Snapshot
from pipeline.sources import Source, Survey, raise_together, survey
from pipeline.stage import Inputs, Mapped, Part, Place, Settings, Slice
from pipeline.strict_json import MalformedError, canonical
from schemas import ConfigError, DataError, Ingested, Quarantined, SourceError, Strict

_BATCH_CHARS = 16 << 20  # Arrow's text columns hold 2 GiB; a batch stays far below, and small in memory
NOT_TAKEN = "where"
_NO_FAULT = (NOT_TAKEN, REASON)  # the reasons that make no row bad
_ON_REQUEST = "removed on request"
_RAW = pa.schema(
    [
        pa.field("n", pa.int64(), nullable=False),
        pa.field("offset", pa.int64()),
        pa.field("raw", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("reading", pa.int64(), nullable=False),
    ]
)


class Plan(Strict):
    """All that `map` must know of the file a batch comes from; it travels in the batch's metadata."""

    source: Source
    readings: list[Reading]
    name: str = Field(title="the file as a person would write it")
    layout: Layout


class Ingest(Settings):
    """Settings of the stage, and the stage."""

    name: ClassVar[str] = "ingest"
    makes: ClassVar[type[BaseModel]] = Ingested
    drops: ClassVar[type[BaseModel]] = Quarantined

    sources: list[Source] = Field(min_length=1, title="where rows come from; earlier ones win over their duplicates")
    max_bad_share: float = Field(0.05, ge=0, le=1, title="share of bad rows of a source above which the run stops")
    repair: bool = Field(default=False, title="undo wrong decodings such as schÃ¶n; else they are marked")
    pii: Pii = Field("find", title="personal data: leave, mark, or replace by its kind")

    @field_validator("sources")
    @classmethod
    def _names_differ(cls, sources: list[Source]) -> list[Source]:
        paths: dict[str, str] = {}
        for source in sources:
            if source.name in paths:
                raise ValueError(f"two sources are named {source.name!r}: {paths[source.name]} and {source.path}")
            paths[source.name] = source.path
        return sources

    def inputs(self, place: Place) -> Inputs:
        """Declare every source file, and what each source turned out to be.

        Raises:
            ConfigError: Where a source's settings do not fit its templates or columns; all sources at once.
            SourceError: Where files are missing, empty or unreadable; likewise.
        """
        surveys: dict[str, Survey] = {}
        problems: list[DataError] = []
        for source in self.sources:
            try:
                surveys[source.name] = survey(source, place)
            except DataError as error:
                problems.append(error)
        raise_together(sorted(problems, key=lambda error: not isinstance(error, ConfigError)))
        removed = removed_file(place.data_root)
        return Inputs(
            files={name: path for found in surveys.values() for name, path in found.files.items()}
            | ({REMOVED_FILE: removed} if removed else {}),
            values={
                f"reading of {name}": {
                    "files": list(found.files),
                    "readings": [reading.model_dump(mode="json") for reading in found.readings],
                }
                for name, found in surveys.items()
            },
        )

    def parts(self, parents: Mapping[str, Snapshot], inputs: Inputs) -> list[Part]:
        """List one part for each file, sources in recipe order; a source with a limit is one part."""
        del parents
        found = []
        for source in self.sources:
            surveyed: Any = inputs.values[f"reading of {source.name}"]
            names = surveyed["files"]
            for group in [names] if source.limit else [[name] for name in names]:
                digests: list[JsonValue] = [file_digest(inputs.files[name]) for name in group]
                settings: dict[str, JsonValue] = {
                    "source": source.model_dump(mode="json"),
                    "readings": surveyed["readings"],
                    "files": group,
                }
                found.append(Part(value_digest(digests), inputs.files[group[0]], settings=settings))
        return found

    def part_settings(self, part: Part) -> dict[str, Any]:
        """Return what can change this part: other sources and the limit on bad rows cannot."""
        return {"repair": self.repair, "pii": self.pii, **part.settings}

    def map_inputs(self, inputs: Inputs) -> Inputs:
        """Return the files: what was surveyed of its source travels with each part, what was removed concerns all."""
        removed = inputs.files.get(REMOVED_FILE)
        return Inputs(files=inputs.files, values={REASON: file_digest(removed)} if removed else {})

    def read(self, part: Part, inputs: Inputs) -> Iterator[pa.RecordBatch]:
        """Yield rows as they stand in the files, each once for every template; at most 8,192 in a batch."""
        settings: Any = part.settings
        source, left = Source.model_validate(settings["source"]), settings["source"]["limit"]
        readings = [Reading.model_validate(reading) for reading in settings["readings"]]
        columns = _columns_read(source, readings, _removed(inputs).columns)
        for name in settings["files"]:
            path = inputs.files[name]
            layout = layout_of(path, name, source.encoding, source.delimiter)
            plan = Plan(source=source, readings=readings, name=name, layout=layout)
            waiting: list[Row] = []
            chars = 0
            for row in read_rows(path, name, source.encoding, layout, columns):
                if left == 0:
                    break
                left = left - 1 if left else left
                waiting.append(row)
                chars += len(row.raw)
                if (len(waiting) + 1) * len(readings) > BATCH_ROWS or chars * len(readings) > _BATCH_CHARS:
                    yield _raw_batch(waiting, plan)
                    waiting, chars = [], 0
            if waiting:
                yield _raw_batch(waiting, plan)

    def map(self, batch: pa.RecordBatch, state: Slice) -> Mapped:
        """Return the examples in a batch, and the rows that cannot be one."""
        removed = _removed(state.inputs)
        plan = _plan_in(batch.schema.metadata[b"plan"])
        source = plan.source.name
        examples, drops, counts = Examples(), Drops(), Counter[str]()
        columns = [batch.column(name).to_pylist() for name in _RAW.names]
        n_parsed, row = 0, {}  # the templates of a row follow each other: it is parsed once
        for n, offset, raw, reason, detail, which in zip(*columns, strict=True):
            example, origin = None, f"{plan.name}:{n}"
            try:
                if removed and removed.refuses_raw(source, raw):
                    raise RowError(REASON, _ON_REQUEST)
                if reason:
                    raise RowError(reason, detail)
                if n != n_parsed:
                    row, n_parsed = _row_of(raw, plan, removed), n
                reading = plan.readings[which]
                values = values_of(reading, row)
                example = _id_of(plan.source, reading, row, values)
                if example in removed.ids:
                    raise RowError(REASON, _ON_REQUEST)
                turns = conversation_of(reading, values, to_write=plan.source.to_write)
                fields = fields_of(reading, values, to_write=plan.source.to_write)
            except RowError as problem:
                # Of a removed row nothing is kept but its place.
                kept = "" if problem.reason == REASON else raw
                drops.add(example, source, origin, offset, kept, problem.reason, str(problem))
                if problem.reason == REASON:
                    counts[f"removed:{source}"] += 1
                if problem.reason not in _NO_FAULT:
                    counts[f"bad:{source}:{problem.reason}"] += 1
                continue
            counts[f"kept:{source}"] += 1
            counts[f"to_write:{source}"] += not has_response(reading, fields, turns)
            task, meta = reading.declaration.task, _meta_of(plan.source, row)
            plain = (example, source, origin, task, reading.template, plan.source.license)
            examples.add(plain, fields, turns, meta)
        counts.update(take_care(examples, repair=self.repair, personal=self.pii))
        return Mapped(examples.batch(), drops.batch(), {name: n for name, n in counts.items() if n})

    def check(self, output: Snapshot, inputs: Inputs, counts: Mapping[str, int]) -> dict[str, JsonValue]:
        """Return what each source was taken for and how many of its rows were bad.

        Raises:
            SourceError: More than `max_bad_share` of a source's rows are bad, or all of them, or none was asked
                for by its `where`; every such source at once, with the reasons and the first rows of each.
        """
        del output
        told: dict[str, JsonValue] = {}
        problems: list[DataError] = []
        for source in self.sources:
            kept = counts.get(f"kept:{source.name}", 0)
            reasons = _counted(counts, f"bad:{source.name}:")
            bad = sum(reasons.values())
            gone = counts.get(f"removed:{source.name}", 0)
            if not (kept or gone) or bad > self.max_bad_share * (bad + kept + gone):
                first = self._first_bad(source, inputs, set(reasons))
                problems.append(_too_bad(source, kept, reasons, first))
            found: Any = inputs.values[f"reading of {source.name}"]
            told[source.name] = {
                "shapes": {reading["template"]: reading["shape"] for reading in found["readings"]},
                "columns": {reading["template"]: reading["columns"] for reading in found["readings"]},
                "kept": kept,
                "bad": bad,
                "to_write": counts.get(f"to_write:{source.name}", 0),
            }
        if problem := SourceError.of(problems):
            raise problem
        return {"sources": told}

    def _first_bad(self, source: Source, inputs: Inputs, reasons: set[str]) -> dict[str, str]:
        """Return place and detail of the first row dropped for each reason, read again: the run keeps nothing."""
        found: dict[str, str] = {}
        files = self.map_inputs(inputs)
        for part in self.parts({}, inputs):
            settings: Any = part.settings
            if settings["source"]["name"] != source.name:
                continue
            for batch in self.read(part, files):
                for row in self.map(batch, Slice(None, {}, files)).dropped.to_pylist():
                    found.setdefault(row["reason"], f"{row['origin']}: {row['detail']}")
                if reasons <= set(found):
                    return found
        return found


def _raw_batch(rows: list[Row], plan: Plan) -> pa.RecordBatch:
    """Return the rows once for each template, those of one row together, the plan in the metadata."""
    n = len(plan.readings)
    columns = [[value for value in column for _ in range(n)] for column in zip(*rows, strict=True)]
    columns.append(list(range(n)) * len(rows))
    arrays = [pa.array(column, field.type) for column, field in zip(columns, _RAW, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=_RAW.with_metadata({"plan": plan.model_dump_json()}))


@lru_cache(maxsize=64)
def _plan_in(text: bytes) -> Plan:
    return Plan.model_validate_json(text)


def _columns_read(source: Source, readings: list[Reading], removed: frozenset[str]) -> set[str]:
    """Return every column that is looked at, and the first step of those that are paths."""
    named = {*source.columns_named, *removed}
    for reading in readings:
        named |= {*reading.columns.values(), *reading.watched}
    return named | {column.split(".")[0] for column in named}


def _removed(inputs: Inputs) -> Removed:
    path = inputs.files.get(REMOVED_FILE)
    return removed_by(path, str(inputs.values[REASON])) if path else Removed()


def _row_of(raw: str, plan: Plan, removed: Removed) -> dict[str, Any]:
    """Return the columns of a row that is asked for, or raise `RowError`: malformed, wrong_type, where, removed."""
    try:
        row = parse_row(raw, plan.layout)
    except MalformedError as error:
        raise RowError("malformed", str(error)) from None
    if not isinstance(row, dict):
        raise RowError("wrong_type", "the row is no object with columns")
    if removed.columns and removed.refuses_row(row):
        raise RowError(REASON, _ON_REQUEST)
    for column, allowed in plan.source.where.items():
        value = lookup(row, column)
        text = "" if value is ABSENT or value is None else as_text(value)
        if text not in map(as_text, allowed if isinstance(allowed, list) else [allowed]):
            raise RowError(NOT_TAKEN, f"column {column!r} is {text[:60]!r}")
    return row


def _id_of(source: Source, reading: Reading, row: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    if source.key is None:
        return content_id(reading.template, [None if value is ABSENT else value for value in values.values()])
    key = lookup(row, source.key)
    if key is ABSENT or key in (None, ""):
        raise RowError("missing_field", f"the key column {source.key!r} is empty")
    return keyed_id(reading.template, source.name, key)


def _meta_of(source: Source, row: Mapping[str, Any]) -> str:
    if not source.keep and source.key is None:
        return "{}"
    found = {column: lookup(row, column) for column in source.keep}
    if source.key is not None:
        found["key"] = lookup(row, source.key)
    return canonical({name: value for name, value in found.items() if value is not ABSENT})


def _counted(counts: Mapping[str, int], prefix: str) -> dict[str, int]:
    return {name.removeprefix(prefix): n for name, n in sorted(counts.items()) if name.startswith(prefix)}


def _too_bad(source: Source, kept: int, reasons: Mapping[str, int], first: Mapping[str, str]) -> DataError:
    """Return the error for a source with too many bad rows, or with none that was asked for."""
    where = f"source {source.name}, {source.path}"
    if not reasons:
        asked = ", ".join(f"{column} = {value!r}" for column, value in source.where.items())
        return SourceError(f"no row has {asked}", where=where, fix="mend `where`, or take the source out")
    bad = sum(reasons.values())
    told = [
        f"{reason} {n:,} (first: {first.get(reason, 'gone since')})"
        for reason, n in sorted(reasons.items(), key=lambda item: -item[1])
    ]
    if list(reasons) == ["empty_response"] and not kept:
        fix = "if people are to write the responses, add to the source: to_write = true"
    else:
        fix = "mend the source or its settings; if so many bad rows are right, raise ingest.max_bad_share"
    return SourceError(f"{bad:,} of {bad + kept:,} rows are bad: {', '.join(told)}", where=where, fix=fix)
