"""Which arms of a text's conditions and loops no worked example reaches.

"{{ word }}{% if hint %} ({{ hint }}){% endif %}"  with examples that never give a hint  ->  [(1, "if")]
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from jinja2 import TemplateError, nodes, pass_context
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer

from pipeline.sandbox import Sandbox
from pipeline.template_filters import MAX_UNITS, METER


def unreached(source: str, rows: Iterable[Mapping[str, str]]) -> list[tuple[int, str]]:
    """Return line and kind (`if`, `elif`, `else`, `for`) of every arm that none of the rows runs.

    Args:
        source: A text that `Wording` has accepted.
        rows: The values of each example. A row that cannot be rendered reaches what it reaches.
    """
    sandbox = Sandbox()
    seen: set[int] = set()

    # With the context, so that Jinja does not run it while it compiles, as it does with constants.
    @pass_context
    def reach(context: Context, value: object, arm: int) -> object:
        del context
        seen.add(arm)
        return value

    sandbox.filters["_reach"] = reach
    marking = _Marking()
    compiled = sandbox.compile_nodes(marking.visit(sandbox.parse(source)))
    for values in rows:
        METER.left = MAX_UNITS
        with suppress(TemplateError, ArithmeticError, LookupError, TypeError, ValueError):
            compiled.render(values)
    return sorted(place for arm, place in enumerate(marking.arms) if arm not in seen)


class _Marking(NodeTransformer):
    """Puts a filter into every arm that notes that it ran."""

    def __init__(self) -> None:
        self.arms: list[tuple[int, str]] = []

    def visit_If(self, node: nodes.If) -> nodes.Node:  # noqa: N802 - Jinja finds it by this name
        self._if(node, "if")
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.body.insert(0, self._mark(node.lineno, "for"))
        return node

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.expr1 = self._marked(node.expr1, "if")
        if node.expr2 is not None:
            node.expr2 = self._marked(node.expr2, "else")
        return node

    def _if(self, node: nodes.If, kind: str) -> None:
        # Not through generic_visit: an elif is an If of its own, and is to be called so.
        node.test = self.visit(node.test)
        node.body = [self._mark(node.lineno, kind), *map(self.visit, node.body)]
        for other in node.elif_:
            self._if(other, "elif")
        if node.else_:
            line = node.else_[0].lineno
            node.else_ = [self._mark(line, "else"), *map(self.visit, node.else_)]

    def _mark(self, line: int, kind: str) -> nodes.Output:
        return nodes.Output([self._marked(nodes.Const(""), kind, line)], lineno=line)

    def _marked(self, expr: nodes.Expr, kind: str, line: int = 0) -> nodes.Filter:
        self.arms.append((line or expr.lineno, kind))
        return nodes.Filter(expr, "_reach", [nodes.Const(len(self.arms) - 1)], [], None, None, lineno=expr.lineno or 1)
