"""One Jinja text of a template: checked before it is compiled, then rendered with nothing but a row's values.

"Translate to {{ language }}: {{ text }}"  with  {language: German, text: "{{ 7*7 }}"}
->  "Translate to German: {{ 7*7 }}"
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from jinja2 import TemplateError, TemplateSyntaxError, meta, nodes

from pipeline.concatenation import Piece, pieces_of
from pipeline.sandbox import MAX_CHARS, Sandbox, TooLongError, walk
from pipeline.template_filters import FILTERS, LOOP_NAMES, MAX_NUMBER, MAX_UNITS, METER, METHODS, TESTS
from schemas import ConfigError, nearest

_Made = TypeVar("_Made")
MAX_SOURCE_CHARS = 20_000
MAX_DEPTH = 50
MAX_LOOP_DEPTH = 2
_MAX_MESSAGE = 200  # Jinja quotes whole values
# Names Jinja keeps to itself: a field cannot have one of them.
RESERVED_NAMES = frozenset(
    {"and", "else", "false", "if", "in", "is", "loop", "none", "not", "or", "recursive", "self", "true"}
)
_MEND = "use text, {{ field }}, {% if %}, {% for %} and {% set %}; see docs/add-a-template.md"
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.Name,
    nodes.Const, nodes.List, nodes.Tuple, nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Compare,
    nodes.Operand, nodes.Filter, nodes.Test, nodes.Call, nodes.Getattr, nodes.Getitem, nodes.Slice,
    nodes.Keyword, nodes.Concat, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod,
    nodes.Neg, nodes.Pos,
)  # fmt: skip
_SANDBOX = Sandbox()


class RenderError(ValueError):
    """One row cannot be rendered.

    Attributes:
        reason: `render_error`, or `too_long` where a text passes `MAX_CHARS`.
    """

    def __init__(self, message: str, reason: str = "render_error") -> None:
        super().__init__(message)
        self.reason = reason


class Wording:
    """A compiled text.

    Attributes:
        names: The variables it reads.
    """

    def __init__(self, source: str, where: str) -> None:
        """Compile a text.

        Raises:
            ConfigError: All that is wrong with it, at once.
        """
        self._where = where
        if len(source) > MAX_SOURCE_CHARS:
            raise ConfigError(
                f"the text has {len(source):,} characters, at most {MAX_SOURCE_CHARS:,} are read",
                where=where,
                fix="shorten it; long documents belong in a field, not in the template",
            )
        try:
            tree = _SANDBOX.parse(source)
            if problem := ConfigError.of(_problems(tree, where)):
                raise problem
            self.names = frozenset(meta.find_undeclared_variables(tree))
            self._source = source
            self._compiled = _SANDBOX.compile_nodes(tree)
        except ConfigError:
            raise
        except TemplateSyntaxError as error:
            place = f"{where}, line {error.lineno}"
            raise ConfigError(f"not valid Jinja: {error.message}", where=place, fix=_MEND) from error
        except (RecursionError, MemoryError, SyntaxError) as error:
            raise _too_deep(where) from error
        except ValueError as error:  # a number of thousands of digits
            raise ConfigError(f"not valid Jinja: {error}", where=where, fix="shorten the number") from error

    def plan(self, known: frozenset[str], filled: frozenset[str]) -> tuple[Piece, ...] | None:
        """Return what the text comes to where just these of the known fields have values; see `pieces_of`."""
        return pieces_of(_SANDBOX.parse(self._source), known, filled)

    def render(self, values: Mapping[str, str]) -> str:
        """Return the text for one row.

        Raises:
            RenderError: The values do not fit what the text does with them, or a limit is passed.
        """
        return self._metered(values, self._compiled.render)

    def pieces(self, values: Mapping[str, str]) -> list[str]:
        """Return the same text in pieces: what an expression gave is a `Value`; raises as `render` does."""
        return self._metered(
            values,
            lambda given: Sandbox.trimmed(self._compiled.root_render_func(self._compiled.new_context(dict(given)))),
        )

    def _metered(self, values: Mapping[str, str], render: Callable[[Mapping[str, str]], _Made]) -> _Made:
        try:
            if sum(map(len, values.values())) > MAX_CHARS:
                raise TooLongError(f"the row's fields have more than {MAX_CHARS:,} characters")
            with METER.turn:
                METER.left, METER.gave_value = MAX_UNITS, False
                return render(values)
        except TooLongError as error:
            raise RenderError(f"{self._where}: {error.message}", "too_long") from error
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise RenderError(f"{self._where}: {str(error)[:_MAX_MESSAGE]}") from error


def _too_deep(where: str) -> ConfigError:
    return ConfigError(
        f"the text is nested more than {MAX_DEPTH} deep",
        where=where,
        fix="split long expressions with {% set %}",
    )


def _problems(tree: nodes.Template, where: str) -> list[ConfigError]:
    """Return what the text uses that no template may use."""
    problems = []
    for node, parent, depth, loops in walk(tree):
        if depth > MAX_DEPTH:
            return [_too_deep(where)]
        if problem := _problem(node, parent, loops):
            what, fix = problem
            problems.append(ConfigError(what, where=f"{where}, line {node.lineno or 1}", fix=fix))
    return problems


def _problem(node: nodes.Node, parent: nodes.Node | None, loops: int) -> tuple[str, str] | None:
    """Return what is wrong with one node and its cure, if anything is."""
    match node:
        case nodes.Getattr():
            return _attribute_problem(node, parent)
        case nodes.Const() | nodes.TemplateData():
            return _constant_problem(node.as_const())
        case nodes.Call() | nodes.Filter() | nodes.Test():
            return _call_problem(node)
        case nodes.For() if loops >= MAX_LOOP_DEPTH:
            return f"loops nest more than {MAX_LOOP_DEPTH} deep", "prepare the text in the source instead"
        case nodes.For() | nodes.Assign() if not isinstance(node.target, nodes.Name):
            return "a loop or {% set %} gives several names at once", "give one name"
        case _ if not isinstance(node, _ALLOWED):
            return f"templates have no {type(node).__name__.lower()}", _MEND
    return None


def _call_problem(node: nodes.Call | nodes.Filter | nodes.Test) -> tuple[str, str] | None:
    if node.dyn_args or node.dyn_kwargs:
        return "it spreads a value over arguments, with * or **", "write the arguments one by one"
    match node:
        case nodes.Call() if not isinstance(node.node, nodes.Getattr):
            return "it calls a function, and templates have none", _MEND
        case nodes.Filter() if node.name not in FILTERS:
            return f"there is no filter {node.name!r}", nearest(node.name, FILTERS)
        case nodes.Test() if node.name not in TESTS:
            return f"there is no test {node.name!r}", nearest(node.name, TESTS)
    return None


def _attribute_problem(node: nodes.Getattr, parent: nodes.Node | None) -> tuple[str, str] | None:
    if isinstance(parent, nodes.Call) and parent.node is node:
        if node.attr in METHODS:
            return None
        return f"there is no method {node.attr!r}", nearest(node.attr, METHODS)
    if isinstance(node.node, nodes.Name) and node.node.name == "loop" and node.attr in LOOP_NAMES:
        return None
    return f"it reads the attribute {node.attr!r}, and values are plain text", _MEND


def _constant_problem(value: object) -> tuple[str, str] | None:
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        return f"a number passes {MAX_NUMBER:,}", "write it as text, in quotes"
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return "it holds half a character (a lone surrogate)", "write the character itself"
    return None
