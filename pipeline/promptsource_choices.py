"""Answer choices of promptsource as an expression: a text cut at ||| becomes a list.

"World ||| {{ other }} news"  ->  ["World", other ~ " news"]
"{{ options | join('|||') }}" ->  options
"""

from jinja2 import nodes

from pipeline.promptsource_parser import RefusedError, parsed, refuse_what_cannot_be

SEPARATOR = "|||"


def choices_of(text: str) -> nodes.Expr:
    """Return the list of answer choices as an expression; raises RefusedError for one with statements in it."""
    items: list[list[nodes.Expr]] = [[]]
    for node in parsed(text).body:
        if not isinstance(node, nodes.Output):
            raise RefusedError("its answer choices have statements", text[:60])
        for child in node.nodes:
            refuse_what_cannot_be(child)
            if not isinstance(child, nodes.TemplateData):
                items[-1].append(child)
                continue
            first, *others = child.data.split(SEPARATOR)
            items[-1].append(nodes.Const(first))
            items += [[nodes.Const(other)] for other in others]
    joined = [node for item in items for node in item if _is_joined_by_separator(node)]
    if joined:
        rest = [node for item in items for node in item if node not in joined and not _is_blank(node)]
        if rest or len(joined) > 1:
            raise RefusedError("its answer choices mix a list with other text", text[:60])
        return joined[0].node  # type: ignore[attr-defined, no-any-return]
    return nodes.List([_trimmed_item(item) for item in items])


def _is_joined_by_separator(node: nodes.Expr) -> bool:
    if not (isinstance(node, nodes.Filter) and node.name == "join" and node.args):
        return False
    between = node.args[0]
    return isinstance(between, nodes.Const) and str(between.value).strip() == SEPARATOR


def _is_blank(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Const) and not str(node.value).strip()


def _trimmed_item(item: list[nodes.Expr]) -> nodes.Expr:
    while item and _is_blank(item[0]):
        item = item[1:]
    while item and _is_blank(item[-1]):
        item = item[:-1]
    if not item:
        return nodes.Const("")
    if isinstance(item[0], nodes.Const):
        item = [nodes.Const(str(item[0].value).lstrip()), *item[1:]]
    if isinstance(item[-1], nodes.Const):
        item = [*item[:-1], nodes.Const(str(item[-1].value).rstrip())]
    if len(item) == 1:
        return item[0] if isinstance(item[0], nodes.Const) else _trimmed(item[0])
    # Blank space that a value brings to an end counts as little as the text's own.
    return nodes.Concat(item) if _is_text(item[0]) and _is_text(item[-1]) else _trimmed(nodes.Concat(item))


def _is_text(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Const)


def _trimmed(node: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, "trim", [], [], None, None)
