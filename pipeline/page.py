"""Pages for people: HTML from templates, with no script, nothing loaded, and no text of the data ever markup.

    render("rows.html.jinja", text="<script>alert(1)</script>")  ->  a page that shows that text

All pages share one style sheet, and a policy that lets in this sheet and nothing else.
"""

import base64
import hashlib
import os
import re
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from pipeline.snapshot import make_folder

# Control, bidirectional, invisible and half characters. Joiners stay: Persian and emoji need them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0e"
    "\ufeff\ufff0-\ufffc\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_NAME_CHARS = 60


def visible(text: str) -> str:
    """Return the text with every character that hides, reorders or rings a bell written as its code point."""
    return _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text.replace("\r\n", "\n"))


def render(template: str, **values: object) -> str:
    """Return a page from a template in `pipeline/pages`."""
    return _ENVIRONMENT.get_template(template).render(**values)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all; its folder is made.

    Raises:
        SnapshotError: The folder cannot be made.
    """
    draft = make_folder(path.parent) / f".{path.name}.{os.getpid()}"
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def percent(share: float) -> str:
    """Return a share with one decimal; what is neither none nor all does not read as if it were."""
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"


def csp_hash(style: str) -> str:
    """Return the name by which a page's policy lets in its style sheet."""
    return f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}"


def _coded(words: str) -> Markup:
    """Return our own words with what stands in backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(words))))  # noqa: S704 - escaped before


def _name(text: str) -> str:
    shown = visible(text)
    return shown if len(shown) <= _NAME_CHARS else f"{shown[:_NAME_CHARS]}…"


def _whole(count: int) -> str:
    return f"{count:,}"


_ENVIRONMENT = Environment(
    loader=PackageLoader("pipeline", "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {
    "coded": _coded,
    "csp_hash": csp_hash,
    "name": _name,
    "percent": percent,
    "visible": visible,
    "whole": _whole,
}
