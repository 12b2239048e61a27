r"""A promptsource text with fields of ours in place of its columns.

{{ ["no", "yes"][label] }}   ->  {{ ["no", "yes"][label | int] }}
{% for c in choices %}       ->  {% for c in choices | fromjson %}
{{ {"a": "Yes"}[answer] }}   ->  {{ "Yes" if answer == "a" }}
"""

from collections.abc import Sequence

from jinja2 import nodes

from pipeline.promptsource_columns import Column, Path, bound_names, path_of
from pipeline.promptsource_parser import RefusedError


def converted(body: Sequence[nodes.Node], columns: dict[Path, Column]) -> list[nodes.Node]:
    """Return the statements with our fields in place of columns.

    Raises:
        RefusedError: A list is printed, or a column is asked for in a way that texts cannot answer.
    """
    bound = bound_names(body)
    change = _Converting(columns, bound)
    return [change.of(node, None) for node in body]


class _Converting:
    """Changes a tree from the top down, since what a column becomes depends on where it stands."""

    def __init__(self, columns: dict[Path, Column], bound: set[str]) -> None:
        self._columns, self._bound = columns, bound

    def of(self, node: nodes.Node, parent: nodes.Node | None) -> nodes.Node:
        path = path_of(node, parent, self._bound)
        if path is not None:
            return self._column(path, parent, node)
        if isinstance(node, nodes.Getattr) and not _is_kept(node, parent):
            return nodes.Getitem(self.of(node.node, node), nodes.Const(node.attr), "load")
        if isinstance(node, nodes.Getitem) and isinstance(node.node, nodes.Dict):
            return self._chosen(node.node, node.arg)
        for name in node.fields:
            value = getattr(node, name)
            if isinstance(value, nodes.Node):
                setattr(node, name, self.of(value, node))
            elif isinstance(value, list):
                setattr(node, name, [self.of(one, node) if isinstance(one, nodes.Node) else one for one in value])
        return node

    def _column(self, path: Path, parent: nodes.Node | None, node: nodes.Node) -> nodes.Expr:
        column = self._columns.get(path)
        if column is None:  # a step into a list that is read whole
            whole = max((one for one in self._columns if path[: len(one)] == one), key=len)
            made: nodes.Expr = _name(self._columns[whole].field)
            if self._columns[whole].kind == "list":
                made = _filter(made, "fromjson")
            for step in path[len(whole) :]:
                made = nodes.Getitem(made, nodes.Const(step), "load")
            return made
        name = _name(column.field)
        is_test = isinstance(parent, nodes.If | nodes.Not | nodes.And | nodes.Or) or (
            isinstance(parent, nodes.CondExpr) and parent.test is node
        )
        match column.kind:
            case "list":
                if isinstance(parent, nodes.Output | nodes.Concat):
                    raise RefusedError("it prints a list", column.column)
                return name if is_test else _filter(name, "fromjson")
            case "int" | "number":
                is_printed = isinstance(parent, nodes.Output | nodes.Concat) or (
                    isinstance(parent, nodes.CondExpr) and not is_test
                )
                already = isinstance(parent, nodes.Filter) and parent.name in ("int", "float", "string")
                return name if is_printed or already else _filter(name, "int" if column.kind == "int" else "fromjson")
            case "flag":
                if is_test:
                    # A column of true and false, of 0 and 1, or a text that may be empty: all ask the same here.
                    false = [nodes.Const(word) for word in ("", "false", "0", "0.0")]
                    return nodes.Compare(name, [nodes.Operand("notin", nodes.List(false))])
                return nodes.Compare(name, [nodes.Operand("eq", nodes.Const("true"))])
            case _:
                return name

    def _chosen(self, table: nodes.Dict, key: nodes.Expr) -> nodes.Expr:
        """Return conditions that say what a table of constants says."""
        pairs = table.items
        keys = [pair.key.value for pair in pairs if isinstance(pair.key, nodes.Const)]
        if len(keys) < len(pairs) or not pairs:
            raise RefusedError("it makes an object")
        is_text = isinstance(keys[0], str)
        path = path_of(key, None, self._bound)
        asked: nodes.Expr
        if path is not None and path in self._columns:
            asked = _name(self._columns[path].field)
            if not is_text:
                asked = _filter(asked, "int")
        else:
            made = self.of(key, table)
            assert isinstance(made, nodes.Expr)
            asked = made
        chosen: nodes.Expr | None = None
        for pair in reversed(pairs):
            test = nodes.Compare(asked, [nodes.Operand("eq", pair.key)])
            value = self.of(pair.value, table)
            assert isinstance(value, nodes.Expr)
            chosen = nodes.CondExpr(test, value, chosen)
        assert chosen is not None
        return chosen


def _is_kept(node: nodes.Getattr, parent: nodes.Node | None) -> bool:
    """Whether an attribute stays one: a method that is called, or a counter of a loop."""
    is_called = isinstance(parent, nodes.Call) and parent.node is node
    return is_called or (isinstance(node.node, nodes.Name) and node.node.name == "loop")


def _name(name: str) -> nodes.Name:
    return nodes.Name(name, "load")


def _filter(node: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None)
