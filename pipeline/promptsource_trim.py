r"""Takes blank space off what a text begins and ends with, values too, as promptsource does.

{{ context }}\nTopic?  ->  {{ context.lstrip() }}\nTopic?
"""

from collections.abc import Sequence

from jinja2 import nodes


def ends_trimmed(body: Sequence[nodes.Node]) -> list[nodes.Node]:
    """Return the statements; the first and the last value of them lose their own blank space at the ends.

    A value behind blank text of the template is still the first. What a loop gives is left as it is.
    """
    made = list(body)
    _trim(made, -1)
    _trim(made, 0)
    return made


def _trim(body: list[nodes.Node], end: int) -> None:
    """Trim what stands at one end, 0 or -1, as far as blank text and statements without text reach."""
    for node in body if end == 0 else reversed(body):
        if isinstance(node, nodes.Assign):
            continue
        if isinstance(node, nodes.Output):
            for place in range(len(node.nodes)) if end == 0 else reversed(range(len(node.nodes))):
                child = node.nodes[place]
                if isinstance(child, nodes.TemplateData):
                    if child.data.strip():
                        return
                    continue
                if not _is_clean(child):
                    node.nodes[place] = _stripped(child, end)
                return
        elif isinstance(node, nodes.If):
            _trim(node.body, end)
            for other in node.elif_:
                _trim(other.body, end)
            _trim(node.else_, end)
            return
        else:
            return


def _stripped(node: nodes.Expr, end: int) -> nodes.Expr:
    """Return an expression without blank space at one end; at both, where the other is off already."""
    if (
        isinstance(node, nodes.Call)
        and isinstance(node.node, nodes.Getattr)
        and node.node.attr == "rstrip"
        and end == 0
    ):
        return nodes.Filter(node.node.node, "trim", [], [], None, None)
    if not isinstance(node, nodes.Name):
        node = nodes.Filter(node, "string", [], [], None, None)
    return nodes.Call(nodes.Getattr(node, "lstrip" if end == 0 else "rstrip", "load"), [], [], None, None)


def _is_clean(node: nodes.Node) -> bool:
    """Whether an expression gives a text that the template itself spells out."""
    match node:
        case nodes.Const():
            return str(node.value) == str(node.value).strip()
        case nodes.List():
            return all(map(_is_clean, node.items))
        case nodes.Getitem():
            return _is_clean(node.node)
        case nodes.CondExpr():
            return _is_clean(node.expr1) and (node.expr2 is None or _is_clean(node.expr2))
        case nodes.Filter():
            return (node.name == "trim" and not node.args) or node.name in ("round", "int", "float", "length")
    return False
