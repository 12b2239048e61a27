"""Text that was decoded in the wrong encoding once: found, and undone where that is asked for.

    "schÃ¶n"   ->   noticed; with repair "schön"

ftfy decides both; of its many repairs only the undoing of wrong decodings is used here, so that quotes, widths,
ligatures, line ends and entities stay as they are.
"""

from collections.abc import Iterable, Sequence

import ftfy
import pyarrow as pa
import pyarrow.compute as pc
from ftfy.badness import is_bad

__all__ = ["is_bad", "repaired", "suspects"]

# RE2, over a whole batch: nothing looks wrong to ftfy without one of these. It takes two odd characters in a row, below
# the East Asian blocks; one alone is enough for œ, A with circumflex or tilde before a space, and C1 controls.
_HINT = r"[\x{80}-\x{2FFF}\x{FB01}\x{FB02}\x{FFFD}]{2}|[Œœ]|[ÂÃ] |[\x{80}-\x{9F}]"

_ENCODING_ONLY = ftfy.TextFixerConfig(
    unescape_html=False,
    remove_terminal_escapes=False,
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,
    fix_line_breaks=False,
    fix_surrogates=False,
    remove_control_chars=False,
    normalization=None,
    explain=False,
)


def suspects(texts: Sequence[str]) -> Iterable[int]:
    """Return the positions of texts that look wrongly decoded."""
    hinted = pc.match_substring_regex(pa.array(texts, pa.string()), _HINT)
    candidates: list[int] = pc.indices_nonzero(hinted).to_pylist()
    return [i for i in candidates if is_bad(texts[i])]


def repaired(text: str) -> str:
    """Return the text as it was before it was decoded wrongly; itself, if ftfy is not sure."""
    return ftfy.fix_encoding(text, _ENCODING_ONLY)
