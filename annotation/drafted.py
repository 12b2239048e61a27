"""What people are told of a row that a model wrote, whatever else is said of it.

marks ["synthetic"], meta {"synthetic": {"kind": "draft", ...}}
->  "A model wrote this answer: it is used only if a person accepts or mends it."
"""

import json
from collections.abc import Mapping
from typing import Any

from pipeline.synthetic import SYNTHETIC

SENTENCES = {
    "draft": "A model wrote this answer: it is used only if a person accepts or mends it.",
    "inversion": "A person wrote this answer and a model what is asked: it is used only if both fit and are accepted.",
    "": "A model wrote this example: it is used only if a person accepts or mends it.",
}


def sentence_of(row: Mapping[str, Any]) -> str:
    """Return the sentence for a row with the columns marks and meta; empty where no model wrote any of it."""
    if SYNTHETIC not in (row.get("marks") or ()):
        return ""
    said = json.loads(row.get("meta") or "{}").get(SYNTHETIC)
    return SENTENCES.get(str(said.get("kind")) if isinstance(said, dict) else "", SENTENCES[""])
