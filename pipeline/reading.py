"""Readings: how a row of one source becomes an example of one template, or a word and a sentence why it cannot.

    Reading(columns={"instruction": "instruction", "input": "input", "response": "output"})
    {"instruction": "Add", "input": "2 3", "output": "5"}
        ->  fields [("input", "2 3"), ("instruction", "Add"), ("response", "5")]

Columns may be paths into nested values: `instances.0.input`. A column whose name has dots is found first.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from pipeline.strict_json import MalformedError, canonical, parse
from pipeline.turns import Turn, TurnsError, answered, turns_of
from schemas import Strict, Template, nearest

ABSENT: Any = object()  # of a column a row lacks; None is a null that stands there


class Declared(Strict):
    """What ingest must know of a template field."""

    side: Literal["prompt", "response"]
    optional: bool
    choices: list[str]


class Declaration(Strict):
    """What ingest must know of a template; its wording is not among it."""

    task: str
    chat: bool
    fields: dict[str, Declared]

    def required(self, side: Literal["prompt", "response"]) -> list[str]:
        """Return the names of the fields on this side that must be filled."""
        return [name for name, field in self.fields.items() if field.side == side and not field.optional]


class Reading(Strict):
    """How a row of one source becomes an example of one template."""

    template: str
    declaration: Declaration
    shape: str = Field(title="what the source was taken for")
    columns: dict[str, str] = Field(title="field, or turns and system of a conversation, to source column")
    constants: dict[str, str] = Field(default={}, title="field to one text for all rows")
    nested: list[str] = Field(default=[], title="columns that hold lists or objects, as their JSON text")
    watched: list[str] = Field(default=[], title="columns no row may fill, as the source was taken for one of prompts")

    @property
    def is_draft(self) -> bool:
        """Whether the source has no column for any response field: people write the responses."""
        filled = {*self.columns, *self.constants}
        return not self.declaration.chat and not filled & set(self.declaration.required("response"))

    @cached_property
    def columns_in_order(self) -> tuple[str, ...]:
        """The columns looked at, by name: the order that ids are made in."""
        return tuple(sorted(set(self.columns.values())))

    @cached_property
    def fields_in_order(self) -> tuple[tuple[str, str, Declared], ...]:
        """Name, column and declaration of every field that is text, by name."""
        fields = self.declaration.fields
        return tuple((name, self.columns[name], fields[name]) for name in sorted(self.columns) if name in fields)


class RowError(ValueError):
    """A row that cannot become an example.

    Attributes:
        reason: One word, counted.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def declare(template: Template) -> Declaration:
    """Return what ingest must know of the template."""
    fields = {
        name: Declared(side=field.side, optional=field.optional, choices=field.choices)
        for name, field in template.fields.items()
    }
    return Declaration(task=template.task, chat=template.chat, fields=fields)


def lookup(row: Mapping[str, Any], column: str) -> Any:  # noqa: ANN401 - JSON holds any value
    """Return the value of a column or of a path into one, or `ABSENT`."""
    value = row.get(column, ABSENT)
    if value is not ABSENT or "." not in column:
        return value
    value = row
    for step in column.split("."):
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return ABSENT
    return value


def values_of(reading: Reading, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the raw value, or `ABSENT`, of every column the reading looks at, in order of column name.

    Raises:
        RowError: late_response, if a source taken for one without responses turns out to have them.
    """
    for column in reading.watched:
        if row.get(column) not in (None, ""):
            raise RowError(
                "late_response",
                f"column {column!r} was not in the first rows; name it in `fields`, or take it out",
            )
    return {column: lookup(row, column) for column in reading.columns_in_order}


def fields_of(reading: Reading, values: Mapping[str, Any], *, to_write: bool) -> list[tuple[str, str]]:
    """Return the fields in order of name; optional ones that are empty are left out.

    Args:
        reading: How the source fills the template.
        values: From `values_of`.
        to_write: Whether a row all of whose responses are empty is kept, for people to write them.

    Raises:
        RowError: missing_field, empty_prompt, empty_response, bad_choice, or wrong_type for a list or object in
                a column of texts, or tools that are no list.
    """
    found = list(reading.constants.items())
    no_response = None
    for field, column, declared in reading.fields_in_order:
        value = values[column]
        if field == "tools" and reading.declaration.chat:
            value = _tools(value)
        elif value and isinstance(value, list | dict) and column not in reading.nested:
            kind = "a list" if isinstance(value, list) else "an object"
            raise RowError("wrong_type", f"column {column!r} is {kind} here, and no such thing in most first rows")
        text = None if value is ABSENT or value is None else as_text(value)
        if text is not None and (text if declared.optional else text.strip()):
            found.append((field, text))
            if declared.choices and text not in declared.choices:
                raise RowError("bad_choice", f"{field} is {text[:60]!r}; {nearest(text[:60], declared.choices)}")
        elif declared.optional:
            continue
        elif declared.side == "prompt":
            raise _lacking("empty_prompt", field, column, value)
        else:
            no_response = no_response or _lacking("empty_response", field, column, value)
    if no_response and not (to_write and _all_empty(reading, found)):
        raise no_response
    return sorted(found)


def conversation_of(reading: Reading, values: Mapping[str, Any], *, to_write: bool) -> list[Turn]:
    """Return the turns of a chat reading; none for others.

    A conversation whose last turn is no answer is kept only where `to_write` says that people write it; an empty
    last assistant turn is then taken off.

    Raises:
        RowError: missing_field, bad_turns, empty_response.
    """
    if not reading.declaration.chat:
        return []
    column = reading.columns["turns"]
    if values[column] is ABSENT:
        raise RowError("missing_field", f"no column {column!r}")
    system = values[reading.columns["system"]] if "system" in reading.columns else None
    try:
        turns = turns_of(values[column], None if system is ABSENT else system)
    except TurnsError as error:
        raise RowError("bad_turns", str(error)) from None
    if answered(turns):
        return turns
    if not to_write:
        raise RowError("empty_response", f"the last turn is the {turns[-1].role}'s and holds no answer")
    return turns[:-1] if turns[-1].role == "assistant" else turns


def has_response(reading: Reading, fields: list[tuple[str, str]], turns: list[Turn]) -> bool:
    """Whether an example holds an answer, so that nobody has to write it."""
    return answered(turns) if turns else not _all_empty(reading, fields)


def as_text(value: Any) -> str:  # noqa: ANN401 - JSON holds any value
    """Return text as it is, an empty list or object as empty text, anything else as canonical JSON."""
    if isinstance(value, str):
        return value
    return "" if value in ([], {}) else canonical(value)


def _lacking(reason: str, field: str, column: str, value: Any) -> RowError:  # noqa: ANN401 - any JSON value
    if value is ABSENT:
        return RowError("missing_field", f"no column {column!r} for field {field!r}")
    return RowError(reason, f"column {column!r} is {'null' if value is None else 'empty'}")


def _all_empty(reading: Reading, found: list[tuple[str, str]]) -> bool:
    return not any(reading.declaration.fields[name].side == "response" for name, _ in found)


def _tools(value: Any) -> str | None:  # noqa: ANN401 - JSON holds any value
    try:
        tools = parse(value) if isinstance(value, str) and value.strip() else value
    except MalformedError as error:
        raise RowError("wrong_type", f"tools are no JSON: {error}") from None
    if tools is ABSENT or not tools or (isinstance(tools, str) and not tools.strip()):
        return None
    if not isinstance(tools, list):
        raise RowError("wrong_type", "tools are no list of definitions")
    return canonical(tools)
