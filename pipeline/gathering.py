"""Rows as they stand in a source become examples of its templates, or are dropped with the reason.

row 7 of alpaca.json: {"instruction": "Add", "input": "2 3", "output": "5"}, template "instruct"
->  example 9f3c..., fields [{input, 2 3}, {instruction, Add}, {response, 5}]
row 8: {"instruction": "", ...}   ->   dropped: empty_prompt, "column 'instruction' is empty"
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from pipeline.cleaning import CLEANED_OUT, cleaned, load_function
from pipeline.digest import file_digest
from pipeline.examples import Drops, Examples
from pipeline.identity import content_id, keyed_id
from pipeline.language_id import LANGUAGE, language_of
from pipeline.preference import as_conversation
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
from pipeline.removed import REASON, Removed, removed_by
from pipeline.row import Layout, Row, parse_row
from pipeline.source import Source
from pipeline.stage import Inputs
from pipeline.strict_json import MalformedError, canonical
from pipeline.synthetic import SYNTHETIC
from pipeline.turns import Turn
from schemas import Strict

Languages = Literal["off", "find"]
Clean = Callable[[dict[str, Any]], dict[str, Any] | None]
NOT_TAKEN = "where"
_ON_REQUEST = "removed on request"
_CHOSEN_AWAY = (NOT_TAKEN, CLEANED_OUT, LANGUAGE, REASON)  # reasons that make no row bad: it was asked for
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


def raw_batch(rows: list[Row], plan: Plan) -> pa.RecordBatch:
    """Return the rows once for each template, those of one row together, the plan in the metadata."""
    n = len(plan.readings)
    columns = [[value for value in column for _ in range(n)] for column in zip(*rows, strict=True)]
    columns.append(list(range(n)) * len(rows))
    arrays = [pa.array(column, field.type) for column, field in zip(columns, _RAW, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=_RAW.with_metadata({"plan": plan.model_dump_json()}))


def removed_from(inputs: Inputs) -> Removed:
    """Return what was removed for good, as the stage's `map` may read it."""
    path = inputs.files.get(REMOVED_FILE)
    return removed_by(path, str(inputs.values.get(REASON) or file_digest(path))) if path else Removed()


def gather(
    batch: pa.RecordBatch, inputs: Inputs, languages: Languages, keep: Sequence[str]
) -> tuple[Examples, Drops, Counter[str]]:
    """Return the examples in a batch, the rows that cannot be one, and what was counted; no text is changed.

    Args:
        batch: From `raw_batch`.
        inputs: Of the stage; the file of a source's `clean` is among them.
        languages: Whether to tell the language of every row.
        keep: Languages to take; empty for all.
    """
    plan = _plan_in(batch.schema.metadata[b"plan"])
    source, clean, removed = plan.source, _function_of(plan.source, inputs), removed_from(inputs)
    examples, drops, counts = Examples(), Drops(), Counter[str]()
    columns = [batch.column(name).to_pylist() for name in _RAW.names]
    n_parsed, row, unusable = 0, dict[str, Any](), None
    for n, offset, raw, reason, detail, which in zip(*columns, strict=True):
        example, origin = None, f"{plan.name}:{n}"
        try:
            if removed and removed.refuses_raw(source.name, raw):
                raise RowError(REASON, _ON_REQUEST)
            if reason:
                raise RowError(reason, detail)
            if n != n_parsed:  # the templates of a row follow each other: it is parsed once
                row, unusable, n_parsed = *_row_or_problem(raw, plan, clean, removed), n
            if unusable:
                raise unusable
            reading = plan.readings[which]
            values = values_of(reading, row)
            example = _id_of(source, reading, row, values)
            if example in removed.ids:
                raise RowError(REASON, _ON_REQUEST)
            values = as_conversation(reading, values)
            turns = conversation_of(reading, values, to_write=source.to_write)
            fields = fields_of(reading, values, to_write=source.to_write)
            language = None if languages == "off" else _told(fields, turns, keep)
        except RowError as problem:
            # Of a removed row nothing is kept but its place.
            kept = "" if problem.reason == REASON else raw
            drops.add(example, source.name, origin, offset, kept, problem.reason, str(problem))
            _count_dropped(source, problem.reason, counts)
            continue
        counts[f"kept:{source.name}"] += 1
        counts[f"to_write:{source.name}"] += not has_response(reading, fields, turns)
        if languages != "off":
            counts[f"language:{language or 'unclear'}"] += 1
        plain = (example, source.name, origin, reading.declaration.task, reading.template, source.license)
        examples.add(plain, fields, turns, _meta_of(source, row, language))
        if source.synthetic:
            examples.marks[-1].add(SYNTHETIC)
    return examples, drops, counts


def _function_of(source: Source, inputs: Inputs) -> Clean | None:
    if not source.clean or not source.clean_file:
        return None
    return load_function(inputs.files[source.clean_file], source.clean.rpartition(":")[2])


def _count_dropped(source: Source, reason: str, counts: Counter[str]) -> None:
    if reason == REASON:
        counts[f"removed:{source.name}"] += 1
    if reason not in _CHOSEN_AWAY:
        counts[f"bad:{source.name}:{reason}"] += 1


@lru_cache(maxsize=64)
def _plan_in(text: bytes) -> Plan:
    return Plan.model_validate_json(text)


def _row_or_problem(
    raw: str, plan: Plan, clean: Clean | None, removed: Removed
) -> tuple[dict[str, Any], RowError | None]:
    """Return a row, or why it cannot be used: then each of its templates has it for a reason."""
    try:
        return _row_of(raw, plan, clean, removed), None
    except RowError as problem:
        return {}, problem


def _row_of(raw: str, plan: Plan, clean: Clean | None, removed: Removed) -> dict[str, Any]:
    """Return the columns of a row that is asked for.

    Raises:
        RowError: malformed, wrong_type, removed, where, cleaned_out.
    """
    try:
        parsed = parse_row(raw, plan.layout)
    except MalformedError as error:
        raise RowError("malformed", str(error)) from None
    if not isinstance(parsed, dict):
        raise RowError("wrong_type", "the row is no object with columns")
    row: dict[str, Any] = parsed
    if removed.columns and removed.refuses_row(row):
        raise RowError(REASON, _ON_REQUEST)
    if clean:
        row = cleaned(clean, row)
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


def _meta_of(source: Source, row: Mapping[str, Any], language: str | None) -> str:
    if not source.keep and source.key is None and language is None:
        return "{}"
    found: dict[str, Any] = {} if language is None else {LANGUAGE: language}
    stated = {column: lookup(row, column) for column in source.keep}
    if source.key is not None:
        stated["key"] = lookup(row, source.key)
    # A language that the source states and keeps wins over the one that was told.
    found |= {name: value for name, value in stated.items() if value is not ABSENT}
    return canonical(found)


def _told(fields: list[tuple[str, str]], turns: list[Turn], keep: Sequence[str]) -> str | None:
    """Return the language of an example's longest text, None where it is not clear."""
    found = language_of([text for _, text in fields] + [turn.content for turn in turns])
    if found and keep and found not in keep:
        raise RowError(LANGUAGE, f"taken for {found}; keep_languages = {', '.join(keep)}")
    return found
