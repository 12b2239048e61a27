"""The limited Jinja of our templates: it reaches no Python, always ends soon and stays small.

Text, `{{ field }}`, `{% if %}`, `{% for %}`, `{% set %}`, some filters and some methods of text; nothing
else, and no globals at all. That it ends follows from how it is built, not from a timer:

1. A source has at most 20,000 characters, nested at most 50 deep, so one pass evaluates few nodes.
2. There is no recursion, no range and no call but a text's; loops nest at most 2 deep, and each pays for
   items x nodes of its body before it starts.
3. Whatever reads or makes text pays for it by the character, beforehand where it could multiply.
   Nothing repeats text, pads it or formats it to a width, and whole numbers stay within 1e15.
4. One rendering takes and makes at most 1 million characters and spends at most `MAX_UNITS`.

Jinja's sandbox alone has none of these limits: it runs `'a' * 200_000_000` and nested loops for ever.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateRuntimeError, nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from pipeline.template_filters import (
    FILTERS,
    LOOP_NAMES,
    METER,
    METHODS,
    PAID,
    TESTS,
    counter,
    loop_over,
    metered,
    method,
    number_of,
    text_of,
    value_text,
)

MAX_CHARS = 1_000_000


class TooLongError(TemplateRuntimeError):
    """The rendering takes or makes more than `MAX_CHARS`."""


class Value(str):
    """Text that came from a value, not from the template."""

    __slots__ = ()


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox with allow-lists in place of deny-lists, and metered."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=value_text,
        )
        self.globals.clear()
        self.filters = {name: f if name in PAID else metered(f) for name, f in FILTERS.items()}
        # Put in by _Metering below; no template can name them.
        self.filters |= {f".{name}": method(name) for name in METHODS}
        self.filters |= {f"loop.{name}": counter(name) for name in LOOP_NAMES}
        self.filters["_concat"] = metered(lambda values: "".join(map(text_of, values)))
        self.filters["_read"] = metered(lambda value: value)
        self.filters["_loop"] = loop_over
        self.tests = dict(TESTS)

    def compile_nodes(self, tree: nodes.Template) -> Template:
        """Return the compiled template; `tree` is changed."""
        return self.from_string(_Metering().visit(tree))

    @staticmethod
    def concat(pieces: Iterable[str]) -> str:
        """Join the pieces of one rendering, which Jinja yields one by one.

        Blank space at either end that comes from the template is cut; what a value brings stays.
        """
        kept, values = _gathered(pieces)
        if not values:
            return "".join(kept).strip()
        first, last = values[0], values[-1] + 1
        return "".join(("".join(kept[:first]).lstrip(), *kept[first:last], "".join(kept[last:]).rstrip()))

    @staticmethod
    def trimmed(pieces: Iterable[str]) -> list[str]:
        """Return what `concat` joins, in pieces; those that an expression gave are of type `Value`."""
        kept, values = _gathered(pieces)
        if not values:
            return [text] if (text := "".join(kept).strip()) else []
        first, last, given = values[0], values[-1] + 1, set(values)
        middle = [Value(kept[at]) if at in given else kept[at] for at in range(first, last)]
        found = ["".join(kept[:first]).lstrip(), *middle, "".join(kept[last:]).rstrip()]
        return [piece for piece in found if piece]

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ANN401 - as in Jinja
        """Allow none: a loop's counters and a text's methods are filters by now."""
        del obj, attr, value
        return False

    def getitem(self, obj: Any, argument: Any) -> Any:  # noqa: ANN401 - as in Jinja
        """Return an item, and never an attribute of that name as Jinja would."""
        try:
            return obj[argument]
        except (TypeError, LookupError):
            return self.undefined(obj=obj, name=argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401
        """Return the result for numbers, and for `+` of two texts."""
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            METER.spend(len(left) + len(right))
            return left + right
        return number_of(super().call_binop(context, operator, number_of(left), number_of(right)))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401, N805
        """Refuse: what may be called is a filter by now."""
        del __context, __obj, args, kwargs
        raise TypeError("only methods of text can be called")


def _gathered(pieces: Iterable[str]) -> tuple[list[str], list[int]]:
    """Return the pieces that are not empty, and which of them are values; raises TooLongError."""
    kept: list[str] = []
    values: list[int] = []
    n_chars, meter, limit = 0, METER, MAX_CHARS
    for piece in pieces:
        if piece:
            n_chars += len(piece)
            if n_chars > limit:
                raise TooLongError(f"it makes more than {MAX_CHARS:,} characters")
            if meter.gave_value:
                values.append(len(kept))
            kept.append(piece)
        meter.gave_value = False
    return kept, values


class _Metering(NodeTransformer):
    """Puts metered filters around what Jinja compiles to bare Python operators."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja finds it by this name
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), "_concat")

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        for operand in node.ops:
            operand.expr = _filter(operand.expr, "_read")
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filter(node, "_read") if isinstance(node.arg, nodes.Slice) else node

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        asked = node.node
        if not isinstance(asked, nodes.Getattr) or asked.attr not in METHODS:
            return node
        return nodes.Filter(asked.node, f".{asked.attr}", node.args, node.kwargs, None, None, lineno=node.lineno)

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        is_counter = isinstance(node.node, nodes.Name) and node.node.name == "loop" and node.attr in LOOP_NAMES
        return _filter(node.node, f"loop.{node.attr}") if is_counter else node

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        n_nodes = sum(1 for _ in walk(node))
        self.generic_visit(node)
        node.iter = _filter(node.iter, "_loop", nodes.Const(n_nodes, lineno=node.lineno))
        return node


def walk(tree: nodes.Node) -> Iterator[tuple[nodes.Node, nodes.Node | None, int, int]]:
    """Yield each node with its parent, its depth and the number of loops around it, without recursion."""
    stack: list[tuple[nodes.Node, nodes.Node | None, int, int]] = [(tree, None, 0, 0)]
    while stack:
        node, parent, depth, loops = stack.pop()
        yield node, parent, depth, loops
        inside = loops + isinstance(node, nodes.For)
        stack.extend((child, node, depth + 1, inside) for child in node.iter_child_nodes())


def _filter(node: nodes.Node, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)
