"""Why an example is in the queue, in the language of the screen.

    "A sum in the answer does not compute."  in de  ->  "Eine Rechnung in der Antwort geht nicht auf."

The queue says its reasons in English; `screens/reasons/LANGUAGE.yaml` has each sentence in another language, with
braces for what differs from case to case.
"""

import re
from functools import cache
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent / "screens" / "reasons"
_HOLE = re.compile(r"\\\{(\w+)\\\}")


def in_language(why: str, language: str) -> str:
    """Return the sentences of a reason in a language; those that its file lacks, and all without a file, stay as is."""
    for pattern, said in _sentences(language):
        why = pattern.sub(lambda found, said=said: said.format(**found.groupdict()), why)  # type: ignore[misc]
    return why


@cache
def _sentences(language: str) -> list[tuple[re.Pattern[str], str]]:
    path = FOLDER / f"{language}.yaml"
    if not path.is_file():
        return []
    said: dict[str, str] = yaml.safe_load(path.read_text("utf-8"))
    # Longer ones first: a short sentence may stand in a longer one.
    ordered = sorted(said, key=len, reverse=True)
    return [(re.compile(_HOLE.sub(r"(?P<\1>[^.]+?)", re.escape(english))), said[english]) for english in ordered]
