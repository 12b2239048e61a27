"""From scores to a report: means, paired comparisons, slices, forgetting, samples, and one honest sentence."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from schemas.report import (
    ARMS,
    Arm,
    Comparison,
    CurvePoint,
    Forgetting,
    Mean,
    Measure,
    Model,
    Report,
    Sample,
    Slice,
)
from train.compare import compare, interval, verdict
from train.exam import Side

N_SAMPLES = 12
_MEASURES: tuple[Measure, ...] = ("score", "nll")


def report_of(
    scores: pd.DataFrame,
    sides: dict[str, Side],
    *,
    recipe: str,
    data_version: str,
    model: Model,
    forgetting: Forgetting | None,
    curve: list[CurvePoint],
) -> Report:
    """Return the report on the test side, with samples from the validation side.

    Args:
        scores: Rows of `schemas.report.Score`.
        sides: train, validation and test.
        recipe: Name of the recipe.
        data_version: Version of the split.
        model: What was trained.
        forgetting: What it forgot; None if that was not measured.
        curve: How training went.
    """
    test = scores[scores["split"] == "test"]
    asked = [arm for arm in ARMS if arm != "tuned" and (test["arm"] == arm).any()]
    comparisons = [_compared(test, arm, measure) for measure in _MEASURES for arm in asked]
    return Report(
        recipe=recipe,
        data_version=data_version,
        split="test",
        n=len(sides["test"].rows),
        n_reviewed=sides["test"].n_reviewed,
        n_train=len(sides["train"].rows),
        n_train_reviewed=sides["train"].n_reviewed,
        model=model,
        verdict=verdict(comparisons),
        means=_means(test),
        comparisons=comparisons,
        slices=[*_slices(test, "template"), *_slices(test, "source")],
        forgetting=forgetting,
        curve=curve,
        samples=_samples(scores[scores["split"] == "validation"], sides["validation"], model.run),
    )


def forgetting_of(text: str, base_nll: np.ndarray, tuned_nll: np.ndarray, n_tokens: np.ndarray) -> Forgetting:
    """Return what training did to general text, from each held document's summed NLL before and after.

    The interval is of the mean over documents of nats a token, each document an observation of its own.
    """
    change = (tuned_nll - base_nll) / n_tokens
    low, high = interval(change, [str(place) for place in range(len(change))])
    return Forgetting(
        text=text,
        n_documents=len(change),
        base_nll=float((base_nll / n_tokens).mean()),
        tuned_nll=float((tuned_nll / n_tokens).mean()),
        low=low,
        high=high,
    )


def _wide(scores: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Return one row an example, one column an arm."""
    return scores.pivot(index=["example", "group"], columns="arm", values=measure)


def _compared(scores: pd.DataFrame, than: Arm, measure: Measure) -> Comparison:
    wide = _wide(scores, measure)
    groups = wide.index.get_level_values("group").tolist()
    return compare(
        wide["tuned"].to_numpy(float), wide[than].to_numpy(float), groups, better="tuned", than=than, measure=measure
    )


def _means(scores: pd.DataFrame) -> list[Mean]:
    means = scores.groupby("arm")[["score", "nll"]].mean()
    return [
        Mean(arm=arm, score=means["score"].to_dict()[arm], nll=means["nll"].to_dict()[arm])
        for arm in ARMS
        if arm in means.index
    ]


def _slices(scores: pd.DataFrame, by: Literal["template", "source"]) -> list[Slice]:
    """Return each value's means; a slice of several templates may hold several metrics, all named."""
    return [
        Slice(
            by=by,
            value=str(value),
            n=int(part["example"].nunique()),
            metric=", ".join(sorted(set(part["metric"]))),
            means=_means(part),
            against_base=_compared(part, "base", "score"),
        )
        for value, part in scores.groupby(by)
    ]


def _samples(scores: pd.DataFrame, side: Side, seed: str) -> list[Sample]:
    """Return some validation examples, chosen by nothing but the run's key, templates in turn."""
    places = _in_turn([row["template"] for row in side.rows], seed)[:N_SAMPLES]
    answers = scores.pivot(index="example", columns="arm", values="answer")
    values = scores.pivot(index="example", columns="arm", values="score")
    found = []
    for place in places:
        row = side.rows[place]
        arms: list[Arm] = [arm for arm in ARMS if arm in answers.columns]
        found.append(
            Sample(
                example=row["id"],
                template=row["template"],
                prompt=side.prompts[place],
                reference=side.references[place],
                answers={arm: str(answers.loc[row["id"], arm]) for arm in arms},
                scores={arm: values[arm].to_dict()[row["id"]] for arm in arms},
            )
        )
    return found


def _in_turn(templates: Sequence[str], seed: str) -> list[int]:
    """Return places so that each template comes once before any comes twice, shuffled by the seed."""
    shuffled = np.random.default_rng(int(seed[:8], 16)).permutation(len(templates)).tolist()
    seen: dict[str, int] = {}
    rank: dict[int, int] = {}
    for place in shuffled:
        rank[place] = seen[templates[place]] = seen.get(templates[place], -1) + 1
    return sorted(shuffled, key=lambda place: rank[place])
