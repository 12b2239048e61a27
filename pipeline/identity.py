"""Ids of examples: they outlive everything but a change of the source's own words.

    template "qa", columns question = "Who?", answer = "Ada"   ->   32 hex digits

Not in the id: names of columns and fields, source, file, line, licence, meta, constants, repair, redaction, wording.
"""

from collections.abc import Iterable
from hashlib import blake2b

from pydantic import JsonValue

from pipeline.strict_json import canonical

_ID_BYTES = 16


def content_id(template: str, values: Iterable[JsonValue]) -> str:
    """Return the id of an example by what its source says.

    Args:
        template: Name of the template.
        values: As read from the mapped columns, in order of the columns' names; None where one is absent.
    """
    return _digest("content", template, *map(canonical, values))


def keyed_id(template: str, source: str, key: JsonValue) -> str:
    """Return the id of an example whose source names it: other text under the same key is a revision."""
    return _digest("key", template, source, canonical(key))


def _digest(*texts: str) -> str:
    # Each length goes before its text, so that "ab", "c" and "a", "bc" differ.
    whole = "".join([f"{len(text)}:{text}" for text in texts])
    return blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=_ID_BYTES).hexdigest()
