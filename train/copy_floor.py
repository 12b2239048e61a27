r"""The floor that gives the input back as it is: what a summary or a translation scores that does no work at all.

    fields  document = "The pool opens in June ...", summary = "The pool opens."
    prompt  "Summarize this text.\\n\\nThe pool opens in June ..."
    copy -> "The pool opens in June ..."

The input is the longest field of the prompt side, as the template has it, if the last message of the user still holds
it; else that whole message, as in conversations. It is no distribution over answers, so it has a score and no NLL.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from schemas import Template


def copies(rows: Sequence[Mapping[str, Any]], templates: Mapping[str, Template]) -> list[str]:
    """Return the input of each row.

    Args:
        rows: With the columns template, fields and prompt.
        templates: By name; rows of another have no known fields.
    """
    return [_input(row, templates.get(row["template"])) for row in rows]


def _input(row: Mapping[str, Any], template: Template | None) -> str:
    asked = next((turn["content"] or "" for turn in reversed(row["prompt"]) if turn["role"] == "user"), "")
    known = template.fields if template else {}
    values = [
        field["value"]
        for field in row["fields"]
        if field["name"] in known and known[field["name"]].side == "prompt" and field["value"] in asked
    ]
    return max(values, key=len, default="") or asked
