r"""One spelling for texts that look the same: NFC, line feeds, no signs without width that only get in the way.

    "cafe\u0301\r\nto\u200bday\ufeff"   ->   "caf\u00e9\ntoday"

Joiners (U+200C, U+200D) and marks of direction stay: Persian, Indic scripts, emoji and right-to-left text need them.
"""

import pyarrow as pa
import pyarrow.compute as pc

_NO_WIDTH = "[\u200b\u2060\ufeff]"  # zero-width space, word joiner, byte order mark


def normalize_all(texts: list[str]) -> int:
    """Bring all texts into normal form in place; return how many changed."""
    before = pa.array(texts, pa.large_string())
    after = pc.replace_substring_regex(before, r"\r\n?", "\n")
    after = pc.utf8_normalize(pc.replace_substring_regex(after, _NO_WIDTH, ""), form="NFC")
    changed: list[int] = pc.indices_nonzero(pc.not_equal(before, after)).to_pylist()
    for at, text in zip(changed, after.take(pa.array(changed, pa.int64())).to_pylist(), strict=True):
        texts[at] = text
    return len(changed)
