r"""Previews for the terminal, the row's own text in colour, and as one HTML page with that text marked.

Preview("press.csv:1", "plain", [user: "Write a slogan.\n\n" + value "Rain."])
->  <p dir="auto">Write a slogan.\n\n<mark>Rain.</mark></p>
"""

from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.text import Text

from pipeline.page import visible
from pipeline.template_preview import Preview
from schemas import Template

_STYLES = {"system": "magenta", "user": "cyan", "assistant": "green", "tool": "yellow"}
_VALUE = "bold black on bright_yellow"


def terminal_lines(found: list[Preview]) -> Iterator[Text]:
    """Yield what to print; rich takes the colours off where no terminal shows them."""
    for one in found:
        named = f"{one.origin}  {one.paraphrase}".rstrip()
        yield Text(f"\n{visible(named)}{_told(one)}", style="bold")
        if one.problem:
            yield Text(f"  would be dropped: {visible(one.problem)}", style="red")
        for place, part in enumerate(one.parts):
            tokens = f" ({one.n_tokens[place]:,} tokens)" if one.n_tokens else ""
            yield Text(f"{part.role}{tokens}", style=_STYLES.get(part.role, "bold"))
            line = Text("  ")
            for piece in part.pieces:
                line.append(visible(piece.text).replace("\n", "\n  "), style=_VALUE if piece.is_value else "")
            yield line


def preview_page(template: Template, found: list[Preview], what: str) -> str:
    """Return the page: no script, nothing loaded, and no text of a row is ever markup.

    Args:
        template: What was rendered.
        found: The rows in their paraphrases.
        what: Where the rows come from, in words.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["visible"] = visible
    page = environment.get_template("template_preview.html.jinja")
    return page.render(template=template, previews=found, what=what)


def _told(one: Preview) -> str:
    return f"  {sum(one.n_tokens):,} tokens" if one.n_tokens else ""
