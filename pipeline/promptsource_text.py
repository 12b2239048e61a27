r"""Takes a promptsource text apart: what the model reads and what it must write, the answer choices put in.

"{{text}}\nTopic? ||| {{ answer_choices[label] }}", choices "World ||| Sports"
->  asked  {{ text }}\nTopic?
    target {{ ["World", "Sports"][label] }}
"""

import copy
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from pipeline.promptsource_choices import SEPARATOR, choices_of
from pipeline.promptsource_parser import RefusedError, parsed, refuse_what_cannot_be


class Halves(NamedTuple):
    """The two sides of a text."""

    asked: list[nodes.Node]
    target: list[nodes.Node]


def halves_of(jinja: str, choices: str, *, choose_first: bool = False) -> Halves:
    """Return both sides of a promptsource text; `choose_first` takes the first where it picks one at random.

    Raises:
        RefusedError: It is random, calls Python, has no target or several, or is no Jinja.
    """
    tree = parsed(jinja)
    if choose_first:
        tree = _Choosing().visit(tree)
    listed = choices_of(choices) if choices else None
    refuse_what_cannot_be(tree)
    if listed is not None:
        own = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"}
        if mixed := own & {node.name for node in listed.find_all(nodes.Name)}:
            raise RefusedError("a name means a column in its answer choices and something else in its text", min(mixed))
    body = _Rewriting(listed).visit(tree).body
    body = _flat(_sought(node) for node in body)
    for _ in range(8):  # what is set by what is set, in turn
        body, done = _inlined(body)
        if done:
            break
    asked, target, n_found = _split(body)
    if not n_found:
        raise RefusedError("it has no target", "no ||| in it")
    asked, target = _unguarded(asked), list(target)
    return Halves(_without_dead_sets(asked), _without_dead_sets(target))


def _filter(node: nodes.Expr, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None)


class _Choosing(NodeTransformer):
    """Says `first` for `choice`."""

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802 - Jinja finds it by this name
        self.generic_visit(node)
        if node.name == "choice":
            node.name = "first"
        return node


class _Rewriting(NodeTransformer):
    """Puts the choices in and says Python's methods by our filters."""

    def __init__(self, choices: nodes.Expr | None) -> None:
        self._choices = choices

    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802 - Jinja finds it by this name
        if node.name == "answer_choices" and node.ctx == "load":
            if self._choices is None:
                raise RefusedError("it uses answer_choices and has none")
            return copy.deepcopy(self._choices)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Neg) and isinstance(node.arg.node, nodes.Const):
            node.arg = nodes.Const(-node.arg.node.value)
        if isinstance(node.node, nodes.List) and isinstance(node.arg, nodes.Const):
            place = node.arg.value
            if isinstance(place, int) and -len(node.node.items) <= place < len(node.node.items):
                return node.node.items[place]
        if isinstance(node.node, nodes.List) and isinstance(node.arg, nodes.Slice):
            return _sliced(node.node, node.arg) or node
        return node

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if node.name == "d":
            node.name = "default"
        if node.name == "length" and isinstance(node.node, nodes.List):
            return nodes.Const(len(node.node.items))
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.node, nodes.Getattr):
            base, name = node.node.node, node.node.attr
            if name == "replace" and len(node.args) == 2:
                return _filter(base, "replace", *node.args)
            if name == "join" and len(node.args) == 1:
                return _filter(node.args[0], "join", base)
        return node


def _sliced(items: nodes.List, part: nodes.Slice) -> nodes.List | None:
    ends = []
    for end in (part.start, part.stop, part.step):
        if isinstance(end, nodes.Neg) and isinstance(end.node, nodes.Const):
            ends.append(-end.node.value)
        elif end is None or isinstance(end, nodes.Const):
            ends.append(end.value if end is not None else None)
        else:
            return None
    return nodes.List(items.items[slice(*ends)])


def _flat(body: Iterable[nodes.Node]) -> list[nodes.Node]:
    return [one for node in body for one in (node.body if isinstance(node, nodes.Scope) else [node])]


def _sought(node: nodes.Node) -> nodes.Node:
    """Say `answers[labels.index(key)]` by a loop over the labels, where it is printed."""
    if isinstance(node, nodes.If):
        node.body = _flat(map(_sought, node.body))
        node.else_ = _flat(map(_sought, node.else_))
        for other in node.elif_:
            other.body = _flat(map(_sought, other.body))
        return node
    if not isinstance(node, nodes.Output):
        return node
    made: list[nodes.Node] = []
    for child in node.nodes:
        place = child.arg if isinstance(child, nodes.Getitem) else None
        is_index = (
            isinstance(place, nodes.Call) and isinstance(place.node, nodes.Getattr) and place.node.attr == "index"
        )
        if not (isinstance(place, nodes.Call) and is_index and len(place.args) == 1):
            made.append(nodes.Output([child]))
            continue
        assert isinstance(child, nodes.Getitem)
        assert isinstance(place.node, nodes.Getattr)
        item = nodes.Name("each", "load")
        counter = nodes.Getattr(nodes.Name("loop", "load"), "index0", "load")
        found = nodes.Output([nodes.Getitem(child.node, counter, "load")])
        test = nodes.Compare(item, [nodes.Operand("eq", place.args[0])])
        body: list[nodes.Node] = [nodes.If(test, [found], [], [])]
        made.append(nodes.For(nodes.Name("each", "store"), place.node.node, body, [], None, False))
    return made[0] if len(made) == 1 else nodes.Scope(made)


def _inlined(body: list[nodes.Node]) -> tuple[list[nodes.Node], bool]:
    """Put what a name is set to in its place, where that is a column, a list or an object and is set once."""
    assigns = [node for top in body for node in _walk(top) if isinstance(node, nodes.Assign)]
    names = [node.target.name for node in assigns if isinstance(node.target, nodes.Name)]
    for node in body:
        if not (isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name)):
            continue
        if names.count(node.target.name) > 1 or not _is_plain(node.node):
            continue
        rest = [_Replacing(node.target.name, node.node).visit(other) for other in body if other is not node]
        return rest, False
    return body, True


def _is_plain(node: nodes.Node) -> bool:
    """Whether an expression is a column or made of constants only."""
    if isinstance(node, nodes.Dict | nodes.List):
        return not any(isinstance(one, nodes.Call | nodes.Filter) for one in _walk(node))
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Const):
            return False
        node = node.node
    return isinstance(node, nodes.Name)


class _Replacing(NodeTransformer):
    def __init__(self, name: str, value: nodes.Node) -> None:
        self._name, self._value = name, value

    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802
        return copy.deepcopy(self._value) if node.name == self._name and node.ctx == "load" else node


def _split(  # noqa: C901 - one case for each kind of node
    body: Sequence[nodes.Node],
) -> tuple[list[nodes.Node], list[nodes.Node], int]:
    """Return what stands before the separator, what stands behind it, and on how many ways there is one."""
    asked: list[nodes.Node] = []
    target: list[nodes.Node] = []
    found = 0
    for node in body:
        if isinstance(node, nodes.Output):
            for child in node.nodes:
                pieces = child.data.split(SEPARATOR) if isinstance(child, nodes.TemplateData) else []
                if found + len(pieces) - bool(pieces) > 1:
                    raise RefusedError("it has several targets")
                if len(pieces) == 2:
                    asked.append(nodes.Output([nodes.TemplateData(pieces[0])]))
                    target.append(nodes.Output([nodes.TemplateData(pieces[1])]))
                    found = 1
                else:
                    (target if found else asked).append(nodes.Output([child]))
        elif isinstance(node, nodes.Assign):
            target.append(node)
            if not found:
                asked.append(copy.deepcopy(node))
        elif isinstance(node, nodes.If) and _has_separator(node):
            if found:
                raise RefusedError("it has several targets")
            before, after = _split_if(node)
            asked.append(before)
            target.append(after)
            found = 1
        elif _has_separator(node):
            raise RefusedError("its target begins inside a loop")
        else:
            (target if found else asked).append(node)
    return asked, target, found


def _split_if(node: nodes.If) -> tuple[nodes.If, nodes.If]:
    sides = [_split(node.body), *(_split(other.body) for other in node.elif_), _split(node.else_)]
    tests = [node.test, *(other.test for other in node.elif_)]

    def build(which: int) -> nodes.If:
        # An arm without a separator makes no row: it has no target.
        bodies = [list((before, after)[which]) if n else [] for before, after, n in sides]
        others = [
            nodes.If(copy.deepcopy(test), body or [nodes.Output([nodes.TemplateData("")])], [], [], lineno=1)
            for test, body in zip(tests[1:], bodies[1:-1], strict=True)
        ]
        return nodes.If(copy.deepcopy(tests[0]), bodies[0], others, bodies[-1], lineno=1)

    return build(0), build(1)


def _has_separator(node: nodes.Node) -> bool:
    return any(isinstance(one, nodes.TemplateData) and SEPARATOR in one.data for one in _walk(node))


def _unguarded(asked: list[nodes.Node]) -> list[nodes.Node]:
    """Return the prompt without a condition around all of it: the target keeps it, and a row without one goes.

    The condition is most often about the answer, which no prompt may look at.
    """
    solid = [node for node in asked if not _is_empty(node) and not isinstance(node, nodes.Assign)]
    if len(solid) == 1 and isinstance(solid[0], nodes.If):
        arms = [solid[0].body, *(other.body for other in solid[0].elif_), solid[0].else_]
        full = [arm for arm in arms if any(not _is_empty(node) for node in arm)]
        same = {_printed(arm) for arm in full}
        if len(same) == 1:
            place = next(place for place, node in enumerate(asked) if node is solid[0])
            return _unguarded([*asked[:place], *full[0], *asked[place + 1 :]])
    return asked


def _printed(body: Sequence[nodes.Node]) -> str:
    return re.sub(r"lineno=\d+", "", "".join(map(repr, body))).strip()


def _is_empty(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Output) and all(
        isinstance(child, nodes.TemplateData) and not child.data.strip() for child in node.nodes
    )


def _without_dead_sets(body: list[nodes.Node]) -> list[nodes.Node]:
    """Return the statements without those that set what nothing reads."""
    while True:
        read = {node.name for top in body for node in _walk(top) if isinstance(node, nodes.Name) and node.ctx == "load"}
        kept = _kept(body, read)
        if len(list(_all(kept))) == len(list(_all(body))):
            return kept
        body = kept


def _kept(body: Sequence[nodes.Node], read: set[str]) -> list[nodes.Node]:
    kept: list[nodes.Node] = []
    for node in body:
        if isinstance(node, nodes.Assign) and not (isinstance(node.target, nodes.Name) and node.target.name in read):
            continue
        if isinstance(node, nodes.If):
            node.body = _kept(node.body, read)
            node.else_ = _kept(node.else_, read)
            for other in node.elif_:
                other.body = _kept(other.body, read)
        kept.append(node)
    return kept


def _all(body: Sequence[nodes.Node]) -> Iterator[nodes.Node]:
    for node in body:
        yield from _walk(node)


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child)
