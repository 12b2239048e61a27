"""Tasks for every kind of screen: the review task and what the other screens show besides.

A row "5" for "2 + 2?" that ann accepts and ben edits to "4" becomes a `dispute` task with

    {"a": {"verdict": "edit", "text": "4"}, "b": {"verdict": "accept", "text": null},
     "a_says": "one person: edited the response", "a_marked": "<mark>4</mark>", "b_marked": "<mark>5</mark>", ...}

`messages` and `response` are in every kind what the example shows today, so that an answer is joined to it as
any other. Names of people are in none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from annotation.dispute import Side, sides, told
from annotation.marked_diff import marked
from annotation.screens import labels_of, rejected_of, screen_of
from annotation.task import FIRST_ROUND, task_of
from annotation.words import DEFAULT_LANGUAGE, words
from pipeline.digest import value_digest
from pipeline.screen import screen
from schemas import Annotation, AnnotationError, Review, Screen


def screen_task_of(
    row: Mapping[str, Any],
    review: Review,
    *,
    kind: Screen | None = None,
    language: str = DEFAULT_LANGUAGE,
    why: str = "",
    round_: str = FIRST_ROUND,
    model_answer: str = "",
    second: str | None = None,
    answers: Sequence[Annotation] = (),
) -> dict[str, Any]:
    """Return the task for a row on a kind of screen.

    Args:
        row: The row as Python values.
        review: What the row's template asks of people.
        kind: The screen; the one that `screen_of` gives if left out.
        language: Of the people who will see it.
        why: What they are told about why this example is in the queue; may be empty.
        round_: Name of the review round.
        model_answer: What a trained model answered; shown folded away, on review, chat and classify only.
        second: For preference: the answer to compare with the response; the row's field `rejected` if left out.
        answers: For dispute: everybody's answers that stand for the row.

    Raises:
        AnnotationError: Nothing to compare, or fewer than two different answers to settle.
        ConfigError: The screens do not speak the language.
    """
    kind = kind or screen_of(row, review)
    # Whoever compares, settles or writes does so without a model's word.
    folded = model_answer if kind in ("review", "chat", "classify") else ""
    task = task_of(row, review, why=why, round_=round_, model_answer=folded, kind=kind, language=language)
    if kind == "classify":
        task["data"]["labels"] = [{"value": label} for label in labels_of(row, review)]
    elif kind == "preference":
        task["data"].update(_pair(row, second))
    elif kind == "dispute":
        task["data"].update(_dispute(row, answers, language))
    return task


def _pair(row: Mapping[str, Any], second: str | None) -> dict[str, Any]:
    """Return both answers in an order that a digest fixes, so that neither place tells where one comes from."""
    first = screen(row["prompt"], row["completion"]).response
    second = rejected_of(row) if second is None else second
    if not first.strip() or not second.strip() or first == second:
        raise AnnotationError(
            "there are no two different answers to compare",
            where=f"example {row['id']}",
            fix="give a second answer that differs from the response",
        )
    a, b = sorted((first, second), key=lambda text: value_digest([row["id"], text]))
    return {"answer_a": a, "answer_b": b}


def _dispute(row: Mapping[str, Any], answers: Sequence[Annotation], language: str) -> dict[str, Any]:
    found, say = sides(answers), words(language)
    if len(found) < 2:
        raise AnnotationError(
            f"there are no two different answers to settle but {len(found)}",
            where=f"example {row['id']}",
            fix="give every answer that stands for it",
        )
    shown = screen(row["prompt"], row["completion"]).response
    texts = [side.text if side.text else shown for side in found[:2]]
    a_marked, b_marked = (_block(text) for text in marked(*texts))
    return {
        "a": _stored(found[0]),
        "b": _stored(found[1]),
        "a_says": told(found[0], say),
        "b_says": told(found[1], say),
        "a_marked": a_marked,
        "b_marked": b_marked,
        "about_texts": say.same_texts if texts[0] == texts[1] else say.marked_texts,
        "further": "\n\n".join(told(side, say, with_text=True) for side in found[2:]),
    }


def _stored(side: Side) -> dict[str, str | None]:
    # In one form in every language: what becomes of the example when this side is picked.
    return {"verdict": side.verdict, "text": side.text}


def _block(html: str) -> str:
    return f'<div class="tl-marked">{html}</div>'
