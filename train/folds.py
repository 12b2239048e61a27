"""What models that have never seen a train row make of it: out-of-fold scores, by which wrong answers are found.

    train groups a b c d, 2 folds  ->  a model learns b d and judges a c, another learns a c and judges b d

A model gets used to the mistakes it is trained on, the more the longer it trains; one that has never seen a row, nor a
near-copy of it, has only what the other rows taught it. So whole groups go into a fold, by a hash of their name: a row
stays in its fold when others come and go.
"""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedModel

from schemas.method import Family
from train.asking import base_of, numbers_of
from train.doubt import Doubted, example_doubt
from train.encoded import Encoded
from train.exam import told
from train.families import layout_of
from train.lesson import lesson_of
from train.loop import fit
from train.memory import within_memory
from train.objective import Sft
from train.plan import Plan
from train.prepared import Prepared, Tell
from train.processes import ALONE

# Folders of the folds in the folder of the run.
FOLDER = "fold"
# Which rows a fold's model also answers, so that a reviewer sees what it would have said: the most doubtful.
ASKED_SHARE, MOST_ASKED = 0.1, 500


def fold_of(groups: Sequence[str], k: int) -> np.ndarray:
    """Return the fold of each row, 0 to k - 1, int64: a function of its group and k alone."""
    return np.array([int.from_bytes(blake2b(group.encode(), digest_size=8).digest(), "big") % k for group in groups])


class Held(NamedTuple):
    """What models that have not seen them make of the train rows, in their order.

    Attributes:
        nll: Summed negative log-likelihood of the answer, nats; NaN where no model judged the row.
        doubt: Of `train.doubt`, nats; NaN likewise.
        answers: What the model would have answered; asked of the most doubtful rows alone, None elsewhere.
    """

    nll: np.ndarray
    doubt: np.ndarray
    answers: list[str | None]


def out_of_fold(plan: Plan, prepared: Prepared, k: int, tell: Tell) -> Held:
    """Return what models that have not seen them make of the train rows, in their order.

    Each of k models starts from the base, learns the other folds as the run learns all of them, in proportionally fewer
    steps, and is thrown away. The last weights count, not the best by validation, so that nothing is chosen. What a
    fold has learnt lies in the run's folder, so that a stopped run goes on there.

    Args:
        plan: Of the run.
        prepared: Base and split in its tokens.
        k: Folds, 2 or more. Where all rows are of one fold (one group, say), they have no score: NaN.
        tell: Told of every model.
    """
    side = prepared.sides["train"]
    fold = fold_of([row["group"] for row in side.rows], k)
    fold_by_name = {row["origin"]: number for row, number in zip(side.rows, fold.tolist(), strict=True)}
    found = Held(np.full(len(fold), np.nan), np.full(len(fold), np.nan), [None] * len(fold))
    for number in np.unique(fold).tolist():
        held = np.flatnonzero(fold == number)
        if len(held) == len(fold):
            break
        tell.line(f"folds     {number + 1} of {k}: learns {len(fold) - len(held):,} rows and judges {len(held):,}")
        judged, answers = _learn_and_judge(plan, prepared, _Fold(number, held, fold_by_name), tell)
        found.nll[held], found.doubt[held] = judged.nll[held], judged.doubt[held]
        for place, answer in answers.items():
            found.answers[place] = answer
    return found


class _Fold(NamedTuple):
    """One fold: the places of its rows, and the fold of each row by its name."""

    number: int
    held: np.ndarray
    by_name: dict[str, int]


def _learn_and_judge(plan: Plan, prepared: Prepared, fold: _Fold, tell: Tell) -> tuple[Doubted, dict[int, str]]:
    """Return what a model that has learnt the other folds makes of this one, and its answers to the doubtful rows."""
    base = base_of(plan, prepared)
    kernels = base.model.config._attn_implementation
    lesson = lesson_of(plan, replace(prepared, base=replace(base, packs=prepared.base.packs)), ALONE)
    objective = lesson.objective
    assert isinstance(objective, Sft)
    data = objective.data
    # Names of general text stand for no row: what is replayed is learnt in every fold.
    out = np.array([fold.by_name.get(str(data.names[place])) == fold.number for place in range(len(data))])
    order, steps = lesson.order.without(np.flatnonzero(out), lesson.how.steps)
    how = replace(
        lesson.how, steps=steps, warmup=min(lesson.how.warmup, max(1, steps // 20)), evaluate_every=max(1, steps // 4)
    )
    # Without a validation side there is nothing to choose the best step by.
    unchosen = Sft(data, Encoded.of([], []), objective.layout)
    fit(
        lesson.model, unchosen, how, plan.folder / f"{FOLDER}-{fold.number}",
        lambda at: tell.reading(f"fold {fold.number + 1}", at), order=order,
    )  # fmt: skip
    completions = prepared.sides["train"].encoded
    with numbers_of(lesson.model):
        judged, _ = within_memory(
            lambda token_budget: example_doubt(
                lesson.model, completions, objective.layout, token_budget=token_budget, places=fold.held
            ),
            how.token_budget,
            int(completions.lengths.max(initial=1)),
            lambda line: tell.line(f"folds     {line}"),
        )
    doubtful = most_doubted(judged, fold.held, base.family)
    base.model.set_attn_implementation(kernels)  # those of training know neither cache nor padding
    with numbers_of(lesson.model):
        return judged, _answers(lesson.model, plan, prepared, doubtful, fold, tell)


def most_doubted(judged: Doubted, held: np.ndarray, family: Family) -> np.ndarray:
    """Return the tenth of the places in `held`, 500 at most, that the queue will put first, in ascending order.

    It ranks the labels of a classifier by what they cost, see `annotation/training_run.py`, and others by doubt.
    """
    doubt = judged.nll if family == "classify" else judged.doubt
    most = min(MOST_ASKED, max(1, round(ASKED_SHARE * len(held))))
    return np.sort(held[np.argsort(-doubt[held], kind="stable")[:most]])


def _answers(
    model: PreTrainedModel, plan: Plan, prepared: Prepared, places: np.ndarray, fold: _Fold, tell: Tell
) -> dict[int, str]:
    """Return place to answer for some train rows."""
    base, settings = prepared.base, plan.settings
    asked = prepared.sides["train"].encoded.some(places)
    layout = layout_of(base.family, settings.method, model, len(asked), packs=base.packs)

    said, _ = told(
        model, prepared.encoder, asked, tokenizer=base.tokenizer, layout=layout, family=base.family,
        token_budget=settings.token_budget, context=base.context, max_new_tokens=settings.max_new_tokens,
        tell=lambda done, of: tell.asked(f"fold {fold.number + 1} on train", done, of),
    )  # fmt: skip
    return {} if said is None else dict(zip(places.tolist(), said, strict=True))
