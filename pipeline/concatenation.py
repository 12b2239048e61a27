r"""What a text comes to once it is known which fields have a value: words and fields in a row, or nothing so simple.

"{{ task }}{% if input %}\n\n{{ input }}{% endif %}"
    where task and input have values  ->  (Field("task"), "\n\n", Field("input"))
    where task alone has one          ->  (Field("task"),)
"{{ task|upper }}"                    ->  None: the text of a field is changed

Columns of such texts are joined by Arrow, without a Python object for a row. It is the same text that
`pipeline.wording` renders: whatever may differ is left to it.
"""

from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple

from jinja2 import nodes


class Field(NamedTuple):
    """The value of this field stands here."""

    name: str


Piece = str | Field


class _Value(NamedTuple):
    """What one `{{ ... }}` gives: blank space at its ends stays."""

    pieces: tuple[Piece, ...]


class _NotPlainError(Exception):
    """The text does more than put fields between words."""


def pieces_of(tree: nodes.Template, known: Set[str], filled: Set[str]) -> tuple[Piece, ...] | None:
    """Return what stands in a text, in order, or None if it takes rendering to know.

    Args:
        tree: The parsed text, unchanged by `Sandbox.compile_nodes`.
        known: Fields the text may read.
        filled: Those of them that have a value; the others are empty.
    """
    try:
        made = [piece for piece in _body(tree.body, known, filled) if not isinstance(piece, _Value) or piece.pieces]
    except _NotPlainError:
        return None
    return tuple(_trimmed(made))


def _body(body: Iterable[nodes.Node], known: Set[str], filled: Set[str]) -> Iterator[str | _Value]:
    for node in body:
        match node:
            case nodes.Output():
                for child in node.nodes:
                    yield child.data if isinstance(child, nodes.TemplateData) else _output(child, known, filled)
            case nodes.If():
                tests = [(node.test, node.body), *((each.test, each.body) for each in node.elif_)]
                chosen = next((body for test, body in tests if _holds(test, known, filled)), node.else_)
                yield from _body(chosen, known, filled)
            case _:
                raise _NotPlainError


def _output(node: nodes.Node, known: Set[str], filled: Set[str]) -> _Value:
    # Jinja folds a constant into the words around it, where its blanks count as theirs.
    if not any(True for _ in node.find_all(nodes.Name)) and not isinstance(node, nodes.Name):
        raise _NotPlainError
    return _Value(tuple(piece for piece in _expression(node, known, filled) if piece))


def _expression(node: nodes.Node | None, known: Set[str], filled: Set[str]) -> Iterator[Piece]:
    match node:
        case None:
            return  # `x if y` without an else gives nothing
        case nodes.Name() if node.name in known:
            if node.name in filled:
                yield Field(node.name)
        case nodes.Const() if isinstance(node.value, str):
            yield node.value
        case nodes.Concat():
            for each in node.nodes:
                yield from _expression(each, known, filled)
        case nodes.CondExpr():
            yield from _expression(node.expr1 if _holds(node.test, known, filled) else node.expr2, known, filled)
        case _:
            raise _NotPlainError


def _holds(test: nodes.Node, known: Set[str], filled: Set[str]) -> bool:
    """Return whether a condition holds that asks for nothing but values being there."""
    match test:
        case nodes.Name() if test.name in known:
            return test.name in filled
        case nodes.Not():
            return not _holds(test.node, known, filled)
        case nodes.And():
            return _holds(test.left, known, filled) and _holds(test.right, known, filled)
        case nodes.Or():
            return _holds(test.left, known, filled) or _holds(test.right, known, filled)
    raise _NotPlainError


def _trimmed(made: list[str | _Value]) -> Iterator[Piece]:
    """Yield the pieces without blank space of the text's own at either end, as `Sandbox.concat` cuts it."""
    for end, strip in ((-1, str.rstrip), (0, str.lstrip)):
        while made and isinstance(words := made[end], str):
            if left := strip(words):
                made[end] = left
                break
            made.pop(end)
    for piece in made:
        yield from piece.pieces if isinstance(piece, _Value) else (piece,)
