r"""Jinja's tree as text again, so written that a text renders alike with and without `trim_blocks`.

If(Name("hint"), [Output([TemplateData("\nHint: "), Name("hint")])])  ->  "{% if hint +%}\nHint: {{ hint }}{% endif %}"
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from jinja2 import nodes

_OPERATORS = {
    nodes.Add: "+", nodes.Sub: "-", nodes.Mul: "*", nodes.Div: "/", nodes.FloorDiv: "//", nodes.Mod: "%",
    nodes.And: "and", nodes.Or: "or",
}  # fmt: skip
_COMPARE = {
    "eq": "==", "ne": "!=", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<=", "in": "in", "notin": "not in"
}  # fmt: skip


class UnwritableError(ValueError):
    """A part of the tree that our templates have no words for."""


class _Piece(NamedTuple):
    kind: str  # data, value or tag
    text: str


def source_of(body: Sequence[nodes.Node]) -> str:
    """Return the text of some statements; blank space at its ends is left out.

    Raises:
        UnwritableError: A statement or an expression that our templates do not have.
    """
    pieces: list[_Piece] = []
    for piece in _statements(body):
        if piece.kind == "data" and pieces and pieces[-1].kind == "data":
            pieces[-1] = _Piece("data", pieces[-1].text + piece.text)
        elif piece.text:
            pieces.append(piece)
    if pieces and pieces[0].kind == "data":
        pieces[0] = _Piece("data", pieces[0].text.lstrip())
    if pieces and pieces[-1].kind == "data":
        pieces[-1] = _Piece("data", pieces[-1].text.rstrip())
    written = []
    for place, piece in enumerate(pieces):
        if piece.kind == "value":
            written.append(f"{{{{ {piece.text} }}}}")
        elif piece.kind == "data":
            written.append(_literal(piece.text))
        else:
            before = pieces[place - 1].text if place and pieces[place - 1].kind == "data" else ""
            after = pieces[place + 1].text if place + 1 < len(pieces) and pieces[place + 1].kind == "data" else ""
            # A + keeps the blank space that trim_blocks and lstrip_blocks would take.
            keep_before = "+" if re.search(r"(^|\n)[ \t]+$", before) else ""
            keep_after = "+" if after.startswith("\n") else ""
            written.append(f"{{%{keep_before} {piece.text} {keep_after}%}}")
    return "".join(written)


def _literal(text: str) -> str:
    """Return the template's own text, with what Jinja would take for code as an expression."""
    text = re.sub(r"\{(?=[{%#])", '{{ "{" }}', text)
    return text if not text.endswith("{") else text[:-1] + '{{ "{" }}'


def _statements(body: Sequence[nodes.Node]) -> Iterator[_Piece]:  # noqa: C901 - one case for each kind of node
    for node in body:
        match node:
            case nodes.Output():
                for child in node.nodes:
                    if isinstance(child, nodes.TemplateData):
                        yield _Piece("data", child.data)
                    elif isinstance(child, nodes.Const) and isinstance(child.value, str):
                        yield _Piece("data", child.value)
                    else:
                        yield _Piece("value", expression(child))
            case nodes.If():
                yield _Piece("tag", f"if {expression(node.test)}")
                yield from _statements(node.body)
                for other in node.elif_:
                    yield _Piece("tag", f"elif {expression(other.test)}")
                    yield from _statements(other.body)
                if node.else_:
                    yield _Piece("tag", "else")
                    yield from _statements(node.else_)
                yield _Piece("tag", "endif")
            case nodes.For() if not node.recursive:
                condition = f" if {expression(node.test)}" if node.test else ""
                yield _Piece("tag", f"for {expression(node.target)} in {expression(node.iter)}{condition}")
                yield from _statements(node.body)
                if node.else_:
                    yield _Piece("tag", "else")
                    yield from _statements(node.else_)
                yield _Piece("tag", "endfor")
            case nodes.Assign():
                yield _Piece("tag", f"set {expression(node.target)} = {expression(node.node)}")
            case _:
                raise UnwritableError(f"it uses {type(node).__name__.lower()}, which templates here have not")


def expression(node: nodes.Node) -> str:  # noqa: C901 - one case for each kind of node
    """Return the text of an expression, in brackets where another operator could reach into it."""
    match node:
        case nodes.Name():
            return node.name
        case nodes.Const():
            return _constant(node.value)
        case nodes.TemplateData():
            return _constant(node.data)
        case nodes.List() | nodes.Tuple():
            return f"[{', '.join(map(expression, node.items))}]"
        case nodes.Filter() if node.node is not None:
            return f"{_held(node.node)} | {node.name}{_arguments(node)}"
        case nodes.Test():
            return f"{_held(node.node)} is {node.name}{_arguments(node)}"
        case nodes.Getattr():
            return f"{_held(node.node)}.{node.attr}"
        case nodes.Getitem():
            return f"{_held(node.node)}[{_index(node.arg)}]"
        case nodes.Call():
            return f"{_held(node.node)}({_listed(node)})"
        case nodes.CondExpr():
            other = f" else {_held(node.expr2)}" if node.expr2 is not None else ""
            return f"{_held(node.expr1)} if {_held(node.test)}{other}"
        case nodes.Concat():
            return " ~ ".join(map(_held, node.nodes))
        case nodes.Compare():
            return _held(node.expr) + "".join(f" {_COMPARE[one.op]} {_held(one.expr)}" for one in node.ops)
        case nodes.Not():
            return f"not {_held(node.node)}"
        case nodes.Neg():
            return f"-{_held(node.node)}"
        case nodes.BinExpr() if type(node) in _OPERATORS:
            return f"{_held(node.left)} {_OPERATORS[type(node)]} {_held(node.right)}"
    raise UnwritableError(f"it uses {type(node).__name__.lower()}, which templates here have not")


def _held(node: nodes.Node) -> str:
    """Return an operand, in brackets unless it is one word."""
    text = expression(node)
    one_word = nodes.Name | nodes.Const | nodes.List | nodes.Getattr | nodes.Getitem | nodes.Call
    return text if isinstance(node, one_word) and not text.startswith("-") else f"({text})"


def _index(node: nodes.Node) -> str:
    if not isinstance(node, nodes.Slice):
        return expression(node)
    parts = [expression(part) if part is not None else "" for part in (node.start, node.stop)]
    return ":".join([*parts, *([expression(node.step)] if node.step is not None else [])])


def _arguments(node: nodes.Filter | nodes.Test) -> str:
    return f"({_listed(node)})" if node.args or node.kwargs else ""


def _listed(node: nodes.Filter | nodes.Test | nodes.Call) -> str:
    if node.dyn_args or node.dyn_kwargs:
        raise UnwritableError("it spreads a value over arguments")
    named = [f"{one.key}={expression(one.value)}" for one in node.kwargs]
    return ", ".join([*map(expression, node.args), *named])


def _constant(value: object) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
        return f'"{escaped}"'
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    raise UnwritableError(f"it holds a constant that is a {type(value).__name__}")
