"""Whether people's edits brought in what nobody may train on: text of a benchmark.

    item 3 of quiz.jsonl: "Name the largest moon of Saturn ...", answer "Titan, found in 1655 by ..."
    a row whose edited response repeats that answer  ->  the response contains 97% of the answer to item 3 of quiz.jsonl

Dedupe has looked at what the sources say; this looks at what people wrote since.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pydantic import JsonValue

from pipeline.benchmarks import read_items
from pipeline.contamination import Contamination, Decontaminate
from pipeline.decision import Decision
from pipeline.joining import AnsweredRow
from pipeline.plain import normal
from schemas import Strict


class Rules(Strict):
    """Dedupe's settings that say what repeats an item."""

    near: float = 0.9
    decontaminate: Decontaminate = Decontaminate()


def checked(
    decisions: Mapping[int, Decision],
    rows: Sequence[AnsweredRow],
    benchmarks: Mapping[str, Path],
    rules: JsonValue = None,
) -> dict[int, Decision]:
    """Return the decisions; one whose new text repeats an item of a benchmark says which and how.

    Args:
        decisions: By the row's position.
        rows: The rows they are about, and others.
        benchmarks: Files of items, by name.
        rules: Fields of `Rules`; the defaults where there are none.

    Raises:
        SourceError: A file cannot be read.
    """
    changed = dict(decisions)
    entries = [
        (row.position, view, decision.response)
        for row in rows
        if (decision := changed.get(row.position)) is not None and decision.response is not None
        for view in _views(row)
    ]
    if not entries or not benchmarks:
        return changed
    positions, views, texts = zip(*entries, strict=True)
    question, answer = (normal(pa.array(column, pa.large_string())) for column in (views, texts))
    told = Rules.model_validate(rules or {})
    contamination = Contamination.of(read_items(benchmarks), told.near, told.decontaminate)
    for hit in contamination.matches(np.array(positions, np.int64), question, answer):
        changed[hit.row] = changed[hit.row].with_item(hit.how, hit.score)
    return changed


def _views(row: AnsweredRow) -> list[str]:
    """Return the user's turns joined, and the first of them."""
    asked = [message.content for message in row.now.prompt if message.role == "user"]
    return list(dict.fromkeys(["\n\n".join(asked), *asked[:1]]))
