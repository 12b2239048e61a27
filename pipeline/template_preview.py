r"""Rows rendered through a template, piece by piece, so that a reader sees what came from the row.

Row("press.csv:1", fields={"document": "Rain.", "slogan": "Wet"}) through "slogan", paraphrase "plain"
->  Preview(parts=[("user", [Piece("Write a slogan.\n\n", False), Piece("Rain.", True)]), ("assistant", ...)])
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.renderer import Renderer
from pipeline.sandbox import Value
from pipeline.source_rows import Row
from pipeline.wording import RenderError
from schemas import Template

# Controls, and marks that reorder what is read; joiners and direction marks are part of many scripts.


class Piece(NamedTuple):
    """Some text of a message, and whether it came from the row."""

    text: str
    is_value: bool


class Part(NamedTuple):
    """One message."""

    role: str
    pieces: list[Piece]

    @property
    def text(self) -> str:
        """The whole message, just as a model would read it."""
        return "".join(piece.text for piece in self.pieces)


class Preview(NamedTuple):
    """One row in one paraphrase; `problem` says why it has no parts."""

    origin: str
    paraphrase: str
    parts: list[Part]
    problem: str
    n_tokens: list[int]


def previews(
    template: Template, rows: Iterable[Row], paraphrase: str | None, count: Callable[[str], int] | None
) -> Iterator[Preview]:
    """Yield every row in its own paraphrase, in one of that name, or in all of them.

    Args:
        template: The template, whatever the rows name.
        rows: What to render.
        paraphrase: A name, `all`, or None for the one that `tuneloop data` would take.
        count: Counts tokens; without it none are counted.
    """
    renderer = None if template.chat else Renderer(template)
    for row in rows:
        if renderer is None:
            parts = [_part(turn) for turn in row.turns]
            yield _counted(row.origin, "", parts, "", count)
            continue
        names = list(template.prompts) if paraphrase == "all" else [paraphrase or renderer.paraphrase_of(row.id)]
        for name in names:
            try:
                parts = _parts(renderer, row.fields, name)
            except RenderError as error:
                yield Preview(row.origin, name, [], str(error), [])
                continue
            yield _counted(row.origin, name, parts, "", count)


def example_rows(template: Template) -> list[Row]:
    """Return the worked examples as rows."""
    return [
        Row(
            str(number), f"example {number}", template.name, dict(one.fields), [turn.model_dump() for turn in one.turns]
        )
        for number, one in enumerate(template.examples, start=1)
    ]


def _part(turn: Mapping[str, Any]) -> Part:
    return Part(turn["role"], [Piece(turn["content"] or turn["tool_calls"] or "", True)])


def _counted(
    origin: str, paraphrase: str, parts: list[Part], problem: str, count: Callable[[str], int] | None
) -> Preview:
    return Preview(origin, paraphrase, parts, problem, [count(part.text) for part in parts] if count else [])


def _parts(renderer: Renderer, fields: dict[str, str], name: str) -> list[Part]:
    """Return the messages of one row; raises RenderError as the stage would drop it."""
    rendered = renderer.render_as(fields, name)
    keys = [("system", "system")] if rendered.system else []
    keys += [("user", f"prompts.{name}")] + ([("assistant", "response")] if rendered.response is not None else [])
    values = sorted((value for value in fields.values() if value), key=len, reverse=True)
    return [Part(role, _pieces(renderer.pieces(key, fields), values)) for role, key in keys]


def _pieces(texts: list[str], values: list[str]) -> list[Piece]:
    """Return the pieces, neighbours of one kind joined.

    What an expression gave is the row's where it repeats a field's value, and whole where it repeats none, as
    after a filter that changes the text.
    """
    wanted = re.compile("|".join(map(re.escape, values))) if values else None
    found: list[Piece] = []
    for text in texts:
        if not isinstance(text, Value):
            found.append(Piece(text, False))
            continue
        spans = [match.span() for match in wanted.finditer(text)] if wanted else []
        at = 0
        for start, end in spans or [(0, len(text))]:
            found += [Piece(text[at:start], False), Piece(text[start:end], True)]
            at = end
        found.append(Piece(text[at:], False))
    joined: list[Piece] = []
    for piece in found:
        if joined and joined[-1].is_value == piece.is_value and not piece.is_value:
            joined[-1] = Piece(joined[-1].text + piece.text, False)
        elif piece.text:
            joined.append(Piece(str.__str__(piece.text) if piece.is_value else piece.text, piece.is_value))
    return joined
