"""Which columns a promptsource text reads, as what, and the same text with fields of ours in their place.

{{ answers.text[0] }}             ->  {{ answers_text_0 }}          column answers.text.0, a text
{{ ["no", "yes"][label] }}        ->  {{ ["no", "yes"][label | int] }}       column label, a whole number
{% for c in choices %}            ->  {% for c in choices | fromjson %}      column choices, a list

Our values are texts: a number is its digits, a list its JSON. What a column holds is told from how it is used.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from jinja2 import nodes

from pipeline.promptsource_parser import RefusedError
from pipeline.wording import RESERVED_NAMES

Kind = Literal["text", "int", "number", "list", "flag"]
Path = tuple[str | int, ...]
_LIST_FILTERS = (
    "join",
    "unique",
    "sort",
    "map",
    "select",
    "selectattr",
    "reject",
    "rejectattr",
    "list",
    "most_frequent",
)
_TEXT_FILTERS = ("lower", "upper", "capitalize", "title", "replace", "trim", "wordcount")
_ENDS = ("first", "last")
_OF_TEXT = {"print", "text", "sum", "str", "part"}
_MATHS = (nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod)


@dataclass
class Column:
    """One column or path into one.

    Attributes:
        kind: What it holds.
        field: The name of our field.
        constants: What it is compared with.
        keys: For a list of objects, the keys that are read.
        member_of: The list of which it is an item.
        inner: Paths within it that are read, for a list or an object that is read whole too.
        is_tested: Whether a condition asks if there is something in it.
    """

    path: Path
    kind: Kind = "text"
    field: str = ""
    constants: list[str] = dataclasses.field(default_factory=list)
    keys: set[str] = dataclasses.field(default_factory=set)
    is_tested: bool = False
    member_of: Path = ()
    inner: list[Path] = dataclasses.field(default_factory=list)
    uses: set[str] = dataclasses.field(default_factory=set)

    @property
    def column(self) -> str:
        """The column as a source's `fields` names it."""
        return ".".join(map(str, self.path))


def columns_of(bodies: Sequence[Sequence[nodes.Node]]) -> dict[Path, Column]:
    """Return every column that the texts read.

    Raises:
        RefusedError: One is used as two things at once, or printed though it is a list.
    """
    found: dict[Path, Column] = {}
    for body in bodies:
        bound = bound_names(body)
        for node, parent in _with_parents(body):
            path = path_of(node, parent, bound)
            if path is not None:
                _note(found.setdefault(path, Column(path)), node, parent)
        _note_through(body, bound, found)
    # A column that is read whole and in part is read whole.
    for path in sorted(found, key=len):
        whole = next((one for one in found if len(one) < len(path) and path[: len(one)] == one), None)
        if whole is not None:
            inner, outer = path[len(whole) :], found[whole]
            is_character = len(inner) == 1 and isinstance(inner[0], int) and "list" not in found[path].uses
            if is_character and outer.uses & _OF_TEXT and "list" not in outer.uses:
                outer.uses.add("text")
            else:
                outer.uses.add("list")
            outer.inner.append(inner)
            found.pop(path)
    taken: set[str] = set()
    for path, column in sorted(found.items(), key=lambda item: str(item[0])):
        column.kind = _kind(column)
        if not all(re.fullmatch(r"[^.]+", str(step)) for step in path):
            raise RefusedError("a column's name has a dot", column.column)
        name = _field_name(path)
        while name in taken:
            name += "_"
        taken.add(name)
        column.field = name
    return found


def path_of(node: nodes.Node, parent: nodes.Node | None, bound: set[str]) -> Path | None:
    """Return the path of the longest chain of constant steps from a column, if `node` is its end."""
    if isinstance(parent, nodes.Getattr | nodes.Getitem) and parent.node is node and step_of(parent) is not None:
        return None
    steps: list[str | int] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        step = step_of(node)
        if step is None:
            return None
        steps.append(step)
        node = node.node
    if isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in bound:
        return (node.name, *reversed(steps))
    return None


def step_of(node: nodes.Getattr | nodes.Getitem) -> str | int | None:
    """Return the constant step of one link; None for a method, a slice, an end counted from behind, a variable."""
    if isinstance(node, nodes.Getattr):
        return None if node.attr in _METHODS else node.attr
    if not isinstance(node.arg, nodes.Const):
        return None
    value = node.arg.value
    return value if isinstance(value, str) or (isinstance(value, int) and value >= 0) else None


_METHODS = frozenset(
    {"split", "lower", "upper", "strip", "lstrip", "rstrip", "replace", "startswith", "endswith", "title", "join"}
    | {"capitalize", "splitlines", "format", "index", "find", "count", "keys", "values", "items"}
)


def _note(column: Column, node: nodes.Node, parent: nodes.Node | None) -> None:  # noqa: C901 - one case a kind of node
    """Add what one place says of a column."""
    match parent:
        case nodes.For() if parent.iter is node:
            column.uses.add("list")
        case nodes.Filter() if parent.node is node:
            if parent.name in _LIST_FILTERS or parent.name in _ENDS:
                column.uses.add("list")
            elif parent.name in _TEXT_FILTERS:
                column.uses.add("text")
            elif parent.name in ("length", "count"):
                column.uses.add("length")
                column.is_tested = True
            elif parent.name == "default":
                column.is_tested = True
                column.uses.add("print")
            elif parent.name in ("round", "abs"):
                column.uses.add("float")
        case nodes.Getitem() if parent.node is node:
            is_part = isinstance(parent.arg, nodes.Slice)
            column.uses.add("part" if is_part else "list")
        case nodes.Getitem():
            if isinstance(parent.node, nodes.Dict):
                keys = [pair.key.value for pair in parent.node.items if isinstance(pair.key, nodes.Const)]
                column.uses.add("key" if any(isinstance(key, str) for key in keys) else "index")
                column.constants += map(str, keys)
            else:
                column.uses.add("index")
        case nodes.Slice():
            column.uses.add("index")
        case nodes.Getattr():
            column.uses.add("text")  # a method
        case nodes.Compare() | nodes.Operand():
            column.uses.add("compared")
        case _ if isinstance(parent, _MATHS):
            column.uses.add("maths")
            column.constants += (str(one.value) for one in (parent.left, parent.right) if isinstance(one, nodes.Const))
        case nodes.Add():
            column.uses.add("sum")
        case nodes.If() | nodes.CondExpr() | nodes.Not() | nodes.And() | nodes.Or():
            is_test = not isinstance(parent, nodes.CondExpr) or parent.test is node
            column.uses.add("test" if is_test else "print")
            column.is_tested |= is_test
        case _:
            column.uses.add("print")


def _note_through(  # noqa: C901 - one case for each kind of node
    body: Sequence[nodes.Node], bound: set[str], found: dict[Path, Column]
) -> None:
    """Add what comparisons, filters over slices, and loops say of the columns inside them."""
    loops = {
        node.target.name: path
        for node, _ in _with_parents(body)
        if isinstance(node, nodes.For) and isinstance(node.target, nodes.Name)
        if (path := path_of(node.iter, None, bound)) is not None
    }
    for node, _ in _with_parents(body):
        match node:
            case nodes.Compare():
                sides = [node.expr, *(one.expr for one in node.ops)]
                for one in sides:
                    path = path_of(one, None, bound)
                    for other in sides:
                        if path is not None and isinstance(other, nodes.Name) and other.name in loops:
                            found[path].member_of = loops[other.name]
                        if path is not None and other is not one:
                            _compare(found[path], other, node.ops[0].op, is_left=one is node.expr)
            case nodes.Filter() if node.name in (*_LIST_FILTERS, *_ENDS, "length"):
                inner: nodes.Node | None = node.node
                while isinstance(inner, nodes.Getitem) and isinstance(inner.arg, nodes.Slice):
                    inner = inner.node
                    path = path_of(inner, None, bound)
                    if path is not None and node.name not in ("length", *_ENDS):
                        found[path].uses.add("list")
            case nodes.For() if isinstance(node.target, nodes.Name):
                path = path_of(node.iter, None, bound)
                if path is not None:
                    for inner in node.find_all((nodes.Getattr, nodes.Getitem)):
                        assert isinstance(inner, nodes.Getattr | nodes.Getitem)
                        key = step_of(inner)
                        is_target = isinstance(inner.node, nodes.Name) and inner.node.name == node.target.name
                        if is_target and isinstance(key, str):
                            found[path].keys.add(key)


def _compare(column: Column, other: nodes.Node, op: str, *, is_left: bool) -> None:
    if isinstance(other, nodes.Neg) and isinstance(other.node, nodes.Const):
        other = nodes.Const(-other.node.value)
    if op in ("in", "notin") and not is_left:
        column.uses.add("contains")
        if isinstance(other, nodes.Const):
            column.constants.append(str(other.value))
        return
    items = other.items if isinstance(other, nodes.List | nodes.Tuple) else [other]
    for item in items:
        if isinstance(item, nodes.Const):
            value = item.value
            column.uses.add(type(value).__name__)
            column.constants.append(str(value).lower() if isinstance(value, bool) else str(value))
    if isinstance(other, nodes.Filter) and other.name == "length":
        column.uses.add("int")


def _kind(column: Column) -> Kind:
    uses = column.uses
    name = column.column
    is_number = bool(uses & {"index", "int", "float", "maths"})
    if "list" in uses:
        if uses & {"text", "print", "sum"} or is_number:
            raise RefusedError("a column is used as a list and as a text", name)
        return "list"
    if "NoneType" in uses:
        raise RefusedError("a column is compared with none", name)
    if is_number and uses & {"text", "str"}:
        raise RefusedError("a column is used as a number and as a text", name)
    if "bool" in uses and (is_number or "str" in uses):
        raise RefusedError("a column is used as true or false and as something else", name)
    if is_number:
        return "int" if "index" in uses else "number"
    if "bool" in uses:
        return "flag"
    if uses & {"test"} and not uses & {"text", "str", "print", "part", "length", "compared", "sum", "key", "contains"}:
        return "flag"
    return "text"


def bound_names(body: Sequence[nodes.Node]) -> set[str]:
    """Return the names that the statements set themselves."""
    names = {node.name for node, _ in _with_parents(body) if isinstance(node, nodes.Name) and node.ctx == "store"}
    return names | {"loop"}


def _with_parents(body: Sequence[nodes.Node]) -> Iterator[tuple[nodes.Node, nodes.Node | None]]:
    stack: list[tuple[nodes.Node, nodes.Node | None]] = [(node, None) for node in body]
    while stack:
        node, parent = stack.pop()
        yield node, parent
        stack.extend((child, node) for child in node.iter_child_nodes())


def _field_name(path: Path) -> str:
    text = re.sub(r"[^a-z0-9]+", "_", "_".join(map(str, path)).lower()).strip("_") or "column"
    if not text[0].isalpha():
        text = f"c_{text}"
    return f"{text}_" if text in RESERVED_NAMES or text == "tools" else text
