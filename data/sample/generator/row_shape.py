"""The shape that every row builder hands over: the fields as written, and where prompt and answer stand.

A raw row, before any fault is planted::

    SampleRow(fields={"note": "...", "record": "{...}"}, prompt_at=("note",), answer_at=("record",), ...)
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

Path = tuple[str | int, ...]
Fields = dict[str, Any]

_NOT_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class SampleRow:
    """One row as its file will hold it, with what the fault planter has to know about it.

    Attributes:
        fields: The record, in the order in which its keys are written.
        prompt_at: Where the required prompt text stands.
        answer_at: Where the response text stands; None for rows that wait for one.
        wrong: A plausible wrong response of the same length and format.
        edit_at: Where a near-duplicate may differ; the prompt text unless told.
        prose_at: Where one more sentence does no harm to the task; None if nowhere.
        id_key: The field that holds the row's own number, if it has one.
        language: The language of the prompt text.
        systematic: Why this row always carries the wrong response, if it does.
        kind: The sort of task, for reports and for the running text of base.txt.
    """

    fields: Fields
    prompt_at: Path
    answer_at: Path | None
    wrong: str | None = None
    edit_at: Path | None = None
    prose_at: Path | None = None
    id_key: str | None = None
    language: str = "en"
    systematic: str | None = None
    kind: str = ""

    def text(self, path: Path) -> str:
        """The text at a path is returned."""
        value: Any = self.fields
        for step in path:
            value = value[step]
        return str(value)

    def with_text(self, path: Path, text: str) -> SampleRow:
        """A copy is returned whose text at the path is the given one; this row is unchanged."""
        fields = copy.deepcopy(self.fields)
        value: Any = fields
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = text
        return replace(self, fields=fields)

    def with_id(self, number: int) -> SampleRow:
        """A copy is returned that carries the id of row `number`, if its kind of row has ids."""
        if self.id_key is None:
            return self
        old = str(self.fields[self.id_key])
        return self.with_text((self.id_key,), f"{old.split('-')[0]}-{number:06d}")

    @property
    def answer(self) -> str:
        """The response text, empty for a row that waits for one."""
        return "" if self.answer_at is None else self.text(self.answer_at)

    @property
    def edit_path(self) -> Path:
        """The path at which a near-duplicate may differ."""
        return self.prompt_at if self.edit_at is None else self.edit_at

    def prompt_key(self) -> str:
        """The whole prompt side is returned, without case, punctuation and spacing."""
        texts = [text for path, text in texts_of(self.fields) if self._asks(path)]
        return _NOT_WORD.sub("", " ".join(texts).casefold())

    def _asks(self, path: Path) -> bool:
        return path != self.answer_at and path[0] not in (self.id_key, "tools", "section")


def texts_of(value: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text inside a record is yielded, with the path at which it stands."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from texts_of(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from texts_of(inner, (*path, place))
