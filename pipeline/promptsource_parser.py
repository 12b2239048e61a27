"""Reads a promptsource text into Jinja's tree, and refuses what no template here can have.

"{{ answers | choice }}"  ->  RefusedError("it chooses at random", "filter choice")
"""

from jinja2 import Environment, TemplateSyntaxError, nodes

_RANDOM = ("choice", "random", "shuffle")
_CHANGING = ("append", "update", "pop", "extend", "remove")


class RefusedError(ValueError):
    """A template that cannot be taken over; `reason` is the sentence that is counted."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


def _environment() -> Environment:
    """Return an environment that parses only; nothing is ever rendered in it."""
    environment = Environment(autoescape=False)  # noqa: S701 - never rendered
    for name in ("choice", "most_frequent", "highlight", "shuffle"):
        environment.filters[name] = None
    return environment


_PARSER = _environment()


def parsed(text: str) -> nodes.Template:
    """Return the tree of a text; raises RefusedError if it is no Jinja."""
    try:
        return _PARSER.parse(text)
    except TemplateSyntaxError as error:
        raise RefusedError("it is not valid Jinja", str(error.message)) from error


def refuse_what_cannot_be(tree: nodes.Node) -> None:
    """Raise RefusedError for random choice, functions of Python, and what changes a list as it goes."""
    if isinstance(tree, nodes.Filter | nodes.Call):
        _refuse(tree)
    for node in tree.find_all((nodes.Filter, nodes.Call)):
        _refuse(node)


def _refuse(node: nodes.Node) -> None:
    if isinstance(node, nodes.Filter) and node.name in _RANDOM:
        raise RefusedError("it chooses at random", f"filter {node.name}")
    if isinstance(node, nodes.Call):
        if isinstance(node.node, nodes.Name):
            raise RefusedError("it calls a function of Python", node.node.name)
        if isinstance(node.node, nodes.Getattr) and node.node.attr in _CHANGING:
            raise RefusedError("it changes a list or an object as it goes", f".{node.node.attr}()")
