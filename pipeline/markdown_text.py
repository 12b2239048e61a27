r"""Text of the data in Markdown, where it is to stay text: no markup, no link, no picture, no end of a table's cell.

inline("a|b ![x](//y) <script>")  ->  a\|b \!\[x\](//y) &lt;script&gt;
code("a`b")                       ->  `a⟨U+0060⟩b`
"""

import html
import re

from pipeline.page import visible

_MARKS = re.compile(r"([\\`*_\[\]|#~!$])")


def inline(text: str) -> str:
    """Return text that Markdown and HTML take as text, in one line, so that a table cell can hold it."""
    return _MARKS.sub(r"\\\1", html.escape(visible(" ".join(text.split())), quote=False))


def code(text: str) -> str:
    """Return text as code in one line; a grave accent in it is written as its code point."""
    return f"`{visible(' '.join(text.split())).replace('`', '⟨U+0060⟩').replace('|', '⟨U+007C⟩')}`"
