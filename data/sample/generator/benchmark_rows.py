r"""The held-out items of benchmark.jsonl, and the rows that leak some of them into the sample.

A raw item::

    {"id": "bench-007", "question": "Give the initials of the customer.\nAda Kern called ...", "answer": "A.K."}
"""

from __future__ import annotations

from dataclasses import replace

from alpaca_rows import alpaca_row
from name_pools import Pool
from question_rows import one_context
from row_shape import SampleRow

_OF_EACH = 30


def benchmark_rows(seed: int) -> dict[str, list[SampleRow]]:
    """The benchmark rows are returned by the file that they look like; their kind is the item's id."""
    pool = Pool(seed, "benchmark.jsonl", "benchmark")
    tasks = pool.some(lambda: alpaca_row(pool), _OF_EACH)
    questions = [one_context(pool)[0] for _ in range(_OF_EACH)]
    return {
        "alpaca.json": [replace(row, kind=f"bench-{nth:03d}") for nth, row in enumerate(tasks, 1)],
        "questions.jsonl.gz": [
            replace(row, kind=f"bench-{nth:03d}", edit_at=("context",))
            for nth, row in enumerate(questions, 1 + _OF_EACH)
        ],
    }


def item(row: SampleRow) -> dict[str, str]:
    """The row is returned as a benchmark item: all its prompt fields in one text."""
    asked = [text for key, text in row.fields.items() if (key,) != row.answer_at and text]
    return {"id": row.kind, "question": "\n".join(asked), "answer": row.answer}
