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
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from pipeline.template_filters import (
    FILTERS,
    METER,
    TESTS,
    loop_over,
    metered,
    number_of,
    size,
    text_of,
)

MAX_CHARS = 1_000_000
METHODS = frozenset(
    {"strip", "lstrip", "rstrip", "lower", "upper", "title", "capitalize", "split", "splitlines"}
    | {"startswith", "endswith", "removeprefix", "removesuffix"}
)
LOOP_NAMES = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})


class TooLongError(TemplateRuntimeError):
    """The rendering takes or makes more than `MAX_CHARS`."""


class Value(str):
    """Text that came from a value, not from the template."""

    __slots__ = ()

    def __str__(self) -> str:
        return self


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox with allow-lists in place of deny-lists, and metered."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=lambda value: Value(text_of(value)),
        )
        self.globals.clear()
        self.filters = {name: metered(function) for name, function in FILTERS.items()}
        # Put in by _Metering below; no template can name them.
        self.filters["_concat"] = metered(lambda values: "".join(map(text_of, values)))
        self.filters["_read"] = metered(lambda value: value)
        self.filters["_loop"] = loop_over
        self.tests = dict(TESTS)

    def compile_nodes(self, tree: nodes.Template) -> Template:
        """Return the compiled template; `tree` is changed."""
        return self.from_string(_Metering().visit(tree))

    @staticmethod
    def concat(pieces: Iterable[str]) -> str:
        """Join the pieces of one rendering, which Jinja yields one by one, as `trimmed` leaves them."""
        return "".join(Sandbox.trimmed(pieces))

    @staticmethod
    def trimmed(pieces: Iterable[str]) -> list[str]:
        """Return the pieces of one rendering; those that came from an expression are of type `Value`.

        Blank space at either end that comes from the template is cut; what a value brings stays.
        """
        kept: list[str] = []
        n_chars = 0
        for piece in pieces:
            n_chars += len(piece)
            if n_chars > MAX_CHARS:
                raise TooLongError(f"it makes more than {MAX_CHARS:,} characters")
            if piece:
                kept.append(piece)
        while kept and not isinstance(kept[-1], Value):
            kept[-1] = kept[-1].rstrip()
            if kept[-1]:
                break
            kept.pop()
        start = 0
        while start < len(kept) and not isinstance(kept[start], Value):
            kept[start] = kept[start].lstrip()
            if kept[start]:
                break
            start += 1
        return kept[start:]

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ANN401 - as in Jinja
        """Allow the named methods of text and the counters of a loop."""
        del value
        known = METHODS if isinstance(obj, str) else LOOP_NAMES if isinstance(obj, LoopContext) else ()
        return attr in known

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
        """Call a method of a text."""
        text, name = getattr(__obj, "__self__", None), getattr(__obj, "__name__", "")
        if not isinstance(text, str) or name not in METHODS:
            raise TypeError("only methods of text can be called")
        for private in ("_loop_vars", "_block_vars"):  # Jinja's own, for functions that take a context
            kwargs.pop(private, None)
        # strip looks every character up in its argument, hence the product.
        given = max(map(size, args), default=1)
        METER.spend(len(text) * given if name.endswith("strip") else len(text) + given)
        made = __obj(*args, **kwargs)
        METER.spend(size(made))
        return made


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
        node.node = _filter(node.node, "_read")
        return node

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
