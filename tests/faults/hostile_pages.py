"""Every page this project writes, each made by its own command or function, and what its template was given.

    with recorded() as pages: make_all(folder, payloads)   # pages["data.html.jinja"] = (template, {"report": ...})
    again(pages["data.html.jinja"], payload)               # the page, with the payload before every text of it

What is drawn before a template is filled, such as a figure, is drawn from hostile texts by `make_all`.
"""

import contextlib
import copy
import dataclasses
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_type_hints

from jinja2 import Template, UndefinedError
from markdown_it import MarkdownIt
from markupsafe import Markup
from pydantic import BaseModel

from pipeline.cli import run
from tests.annotation.test_feedback_page import trained_on_naughty_texts
from tests.conftest import RECIPE, write_project
from tests.train.test_page import poisoned as poisoned_report
from tests.train.test_page import report
from tests.train.test_sweep import FOUND
from tests.train.two_runs import RECIPE as SUMS
from tests.train.two_runs import Store, sums
from train.page import page
from train.sweep_page import sweep_page
from train.versions import compare_versions
from train.versions_page import versions_page

Recorded = dict[str, tuple[Template, dict[str, Any]]]
# A licence, a name of a file, columns that travel along: all that a stranger's folder decides.
_HOSTILE = """
name = "hostile"
[[ingest.sources]]
name = "asked"
path = "*onerror*.jsonl"
template = "instruct"
fields = { instruction = "q", response = "a" }
keep = ["language", '<img src=x onerror=alert("column")>', "__proto__"]
license = '<svg onload=alert("licence")>'
[ingest]
max_bad_share = 1.0
[format]
tokenizer = "tokenizer"
"""
_FILE = '<img src=x onerror=alert("file")>.jsonl'


@contextlib.contextmanager
def recorded() -> Iterator[Recorded]:
    """Yield what every page's template is given from here on, the last time it is filled."""
    found: Recorded = {}
    original = Template.render

    def render(self: Template, *words: Any, **values: Any) -> str:
        text = original(self, *words, **values)
        if text.lstrip()[:15].lower() == "<!doctype html>":
            title = text.partition("<title>")[2].partition("<")[0].split()
            found[self.name or f"{'-'.join(title[:2])}.html"] = (self, dict(*words, **values))
        return text

    Template.render = render  # type: ignore[method-assign]
    try:
        yield found
    finally:
        Template.render = original  # type: ignore[method-assign]


def make_all(folder: Path, payloads: Sequence[str]) -> dict[str, str]:
    """Write every page from inputs that hold the payloads, and return them by name; raise if a command fails."""
    pages = {}
    project = write_project(folder / "hostile", _HOSTILE)
    rows = [
        {
            "q": f"{n}: {text}",
            "a": text,
            "language": text,
            '<img src=x onerror=alert("column")>': text,
            "__proto__": text,
        }
        for n, text in enumerate(payloads)
    ]
    rows += [{**rows[0], "a": payloads[-1]}, {"q": f"0: {payloads[0]}.", "a": payloads[0]}, {"q": "", "a": payloads[0]}]
    (project.root / _FILE).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with contextlib.chdir(project.root):
        recipe = ["--recipe", "recipe.toml"]
        _done("data", *recipe)
        _done("report", *recipe, "--to", "report.html")
        _done("browse", *recipe, "--to", "rows", "-n", "0")
        _done("template", "preview", "instruct", *recipe, "--html", "preview.html")
        _done("publish", *recipe, "--to", "published")
        for path in sorted(project.root.rglob("*.html")):
            pages[str(path.relative_to(project.root))] = path.read_text("utf-8")
        # Markdown lets markup through: a card is shown by whoever shows it, at worst as it stands.
        markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
        for path in sorted(project.root.rglob("*.md")):
            pages[str(path.relative_to(project.root))] = f"<main>{markdown.render(path.read_text('utf-8'))}</main>"
    run_on = trained_on_naughty_texts(write_project(folder / "feedback", RECIPE))
    with contextlib.chdir(run_on.root):
        _done("annotate", "pages", "--recipe", "recipe.toml", "--since", "all")
    for path in sorted((run_on.data / "people").glob("*.html")):
        pages[f"people/{path.name}"] = path.read_text("utf-8")
    pages["evaluation.html"] = page(poisoned_report(report(), []))
    pages["sweep.html"] = sweep_page(FOUND)
    store = Store(write_project(folder / "sums", SUMS))
    old, new = store.split(sums()), store.split(sums()[1:])
    a, b = store.run("a" * 32, old, lambda _: 0.25), store.run("b" * 32, new, lambda _: 0.5)
    pages["versions.html"] = versions_page(compare_versions(a, b, store.project.data))
    return pages


def again(given: tuple[Template, dict[str, Any]], payload: str) -> str:
    """Return a page with the payload before every text that its template is given.

    Keys of tables are texts too; where a template has a table of its own that is asked by one of them, they stay.
    """
    template, values = given
    try:
        return template.render({name: _poisoned(value, payload, True) for name, value in values.items()})
    except UndefinedError:
        return template.render({name: _poisoned(value, payload, False) for name, value in values.items()})


class _Either(dict[Any, Any]):
    """A table that is asked by a text with the payload or without it, whichever its own keys are."""

    def __init__(self, items: dict[Any, Any], payload: str) -> None:
        self._payload = payload
        super().__init__(items)

    def __missing__(self, key: Any) -> Any:
        poisoned = _poisoned(key, self._payload, True)
        return dict.__getitem__(self, poisoned if super().__contains__(poisoned) else _clean(key, self._payload))

    def __contains__(self, key: object) -> bool:
        others = (key, _poisoned(key, self._payload, True), _clean(key, self._payload))
        return any(super(_Either, self).__contains__(one) for one in others)

    def get(self, key: Any, default: Any = None) -> Any:
        return self[key] if key in self else default  # noqa: SIM401 - this is what `get` is


def _clean(key: Any, payload: str) -> Any:
    if isinstance(key, tuple):
        return tuple(_clean(one, payload) for one in key)
    return key.removeprefix(payload) if isinstance(key, str) else key


def _poisoned(value: Any, payload: str, keys: bool) -> Any:  # noqa: C901 - a line for each kind of value
    def inside(one: Any) -> Any:
        return _poisoned(one, payload, keys)

    if isinstance(value, Markup):
        return value
    if isinstance(value, str):
        return payload + value
    if isinstance(value, BaseModel):
        return value.model_copy(
            update={
                name: inside(getattr(value, name))
                for name, field in type(value).model_fields.items()
                if "Literal" not in repr(field.annotation)  # a word of ours, which validation holds to
            }
        )
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        made, hints = copy.copy(value), get_type_hints(type(value))
        for one in dataclasses.fields(value):
            if "Literal" in repr(hints[one.name]):
                continue
            object.__setattr__(made, one.name, inside(getattr(value, one.name)))
        return made
    if isinstance(value, dict):
        return _Either({inside(key) if keys else key: inside(one) for key, one in value.items()}, payload)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(inside, value))
    if isinstance(value, list | tuple):
        return type(value)(map(inside, value))
    return value


def _done(*words: str) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = run(list(words))
    if code:
        raise RuntimeError(f"tuneloop {' '.join(words)} ended with {code}: {said.getvalue()[-2000:]}")
