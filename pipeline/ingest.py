"""Ingest: rows of sources become examples, or are dropped with the reason; nothing is changed unasked.

alpaca.json, record 7, template "instruct":
    {"instruction": "Add", "input": "2 3", "output": "5"}
->  id "9f3c...", source "alpaca", origin "alpaca.json:7", task "instruct", template "instruct",
    fields [{input, 2 3}, {instruction, Add}, {response, 5}], turns [], meta "{}", marks []
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import pyarrow as pa
from pydantic import BaseModel, Field, JsonValue, field_validator, model_validator

from pipeline.care import Pii, take_care
from pipeline.digest import file_digest, value_digest
from pipeline.gathering import Languages, Plan, gather, raw_batch, removed_from
from pipeline.language_id import known_languages
from pipeline.readers import Row, kind_of, read_rows
from pipeline.reading import Reading
from pipeline.removed import FILE as REMOVED_FILE
from pipeline.removed import REASON, removed_file
from pipeline.snapshot import BATCH_ROWS, Snapshot
from pipeline.source import STDIN, Source
from pipeline.source_files import raise_together
from pipeline.sources import Survey, layout_for, survey
from pipeline.stage import Inputs, Mapped, Part, Place, Settings, Slice, State
from schemas import ConfigError, DataError, Ingested, Quarantined, SourceError

_TEXTS_IN_PART = 1000
_BATCH_CHARS = 16 << 20  # Arrow's text columns hold 2 GiB; a batch stays far below, and small in memory


class Ingest(Settings):
    """Settings of the stage, and the stage."""

    name: ClassVar[str] = "ingest"
    makes: ClassVar[type[BaseModel]] = Ingested
    drops: ClassVar[type[BaseModel]] = Quarantined

    sources: list[Source] = Field(min_length=1, title="where rows come from; earlier ones win over their duplicates")
    max_bad_share: float = Field(0.05, ge=0, le=1, title="share of bad rows of a source above which the run stops")
    repair: bool = Field(default=False, title="undo wrong decodings such as schÃ¶n; else they are marked")
    pii: Pii = Field("find", title="personal data: leave, mark, or replace by its kind")
    normalize: bool = Field(default=False, title="texts in NFC with LF line ends, without zero-width spaces")
    languages: Languages = Field(default="off", title="tell the language of each row and keep it in meta")
    keep_languages: list[str] = Field(default=[], title="take rows of these languages only, such as en")

    @field_validator("sources")
    @classmethod
    def _names_differ(cls, sources: list[Source]) -> list[Source]:
        paths: dict[str, str] = {}
        for source in sources:
            if source.name in paths:
                raise ValueError(f"two sources are named {source.name!r}: {paths[source.name]} and {source.path}")
            paths[source.name] = source.path
        if sum(source.path == STDIN for source in sources) > 1:
            raise ValueError("two sources read standard input, which can be read once")
        return sources

    @model_validator(mode="after")
    def _languages_are_told(self) -> Self:
        if self.keep_languages and self.languages == "off":
            raise ValueError('keep_languages needs languages = "find"')
        if self.keep_languages and (unknown := sorted(set(self.keep_languages) - known_languages())):
            raise ValueError(f"keep_languages names {unknown[0]!r}, which cannot be told; two letters such as en")
        return self

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
        files = {name: path for found in surveys.values() for name, path in found.files.items()}
        for source in self.sources:
            if source.clean_file and (path := surveys[source.name].clean_file):
                files[source.clean_file] = path
        if removed := removed_file(place.data_root):
            files[REMOVED_FILE] = removed
        return Inputs(
            files=files,
            values={
                f"reading of {name}": {
                    "files": list(found.files),
                    "readings": [reading.model_dump(mode="json") for reading in found.readings],
                    "sheets": dict(found.sheets),
                }
                for name, found in surveys.items()
            },
        )

    def parts(self, parents: Mapping[str, Snapshot], inputs: Inputs) -> list[Part]:
        """List a part for each file, for a source that has a limit, for a thousand text files; in recipe order."""
        del parents
        found = []
        for source in self.sources:
            surveyed: Any = inputs.values[f"reading of {source.name}"]
            names = surveyed["files"]
            clean: JsonValue = file_digest(inputs.files[source.clean_file]) if source.clean_file else None
            for group in [names] if source.limit else _groups(names, inputs):
                digests: list[JsonValue] = [file_digest(inputs.files[name]) for name in group]
                settings: dict[str, JsonValue] = {
                    "source": source.model_dump(mode="json"),
                    "readings": surveyed["readings"],
                    "files": list[JsonValue](group),
                    "clean": clean,
                }
                found.append(Part(value_digest(digests), inputs.files[group[0]], settings=settings))
        return found

    def part_settings(self, part: Part) -> dict[str, Any]:
        """Return what can change this part: other sources and the limit on bad rows cannot."""
        care = self.model_dump(mode="json", exclude={"sources", "max_bad_share"})
        return {**care, **part.settings}

    def map_inputs(self, inputs: Inputs) -> Inputs:
        """Return the files: what was surveyed of its source travels with each part, what was removed concerns all."""
        removed = inputs.files.get(REMOVED_FILE)
        return Inputs(files=inputs.files, values={REASON: file_digest(removed)} if removed else {})

    def read(self, part: Part, inputs: Inputs) -> Iterator[pa.RecordBatch]:
        """Yield rows as they stand in the files, each once for every template; at most 8,192 in a batch."""
        settings: Any = part.settings
        source, left = Source.model_validate(settings["source"]), settings["source"]["limit"]
        readings = [Reading.model_validate(reading) for reading in settings["readings"]]
        columns = None if source.clean else _columns_read(source, readings, removed_from(inputs).columns)
        for name in settings["files"]:
            path = inputs.files[name]
            layout = layout_for(source, path, name)
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
                    yield raw_batch(waiting, plan)
                    waiting, chars = [], 0
            if waiting:
                yield raw_batch(waiting, plan)

    def map(self, batch: pa.RecordBatch, state: Slice) -> Mapped:
        """Return the examples in a batch, and the rows that cannot be one."""
        examples, drops, counts = gather(batch, state.inputs, self.languages, self.keep_languages)
        counts.update(take_care(examples, normalize=self.normalize, repair=self.repair, personal=self.pii))
        return Mapped(examples.batch(), drops.batch(), {name: n for name, n in counts.items() if n})

    def check(self, output: Snapshot, inputs: Inputs, counts: Mapping[str, int], state: State) -> dict[str, JsonValue]:
        """Return what each source was taken for and how many of its rows were bad.

        Raises:
            SourceError: More than `max_bad_share` of a source's rows are bad, or all of them, or none was asked
                for by its `where`; every such source at once, with the reasons and the first rows of each.
        """
        del output, state
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
                **({"sheets": found["sheets"]} if found["sheets"] else {}),
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


def _columns_read(source: Source, readings: list[Reading], removed: frozenset[str]) -> set[str]:
    """Return every column that is looked at, and the first step of those that are paths."""
    named = {*source.columns_named, *removed}
    for reading in readings:
        named |= {*reading.columns.values(), *reading.watched}
    return named | {column.split(".")[0] for column in named}


def _groups(names: list[str], inputs: Inputs) -> list[list[str]]:
    """Return the files of each part: one, but of texts, which are a row each, a thousand."""
    if not all(kind_of(inputs.files[name]) == "text" for name in names):
        return [[name] for name in names]
    return [names[start : start + _TEXTS_IN_PART] for start in range(0, len(names), _TEXTS_IN_PART)]


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
