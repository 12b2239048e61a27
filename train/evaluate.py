"""From scores to a report: means, paired comparisons, slices, forgetting, samples, and one honest sentence."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from schemas import Template
from schemas.report import (
    ARMS,
    Arm,
    CurvePoint,
    Forgetting,
    Model,
    Report,
    Sample,
)
from train.advice import advise
from train.compare import interval, verdict
from train.doubtful import doubtful_of
from train.exam import REVIEWED, Side
from train.measures import measures_of
from train.paired import MEASURES, compared, means_of
from train.slices import reviewed_of, slices_of

N_SAMPLES = 12


def report_of(
    scores: pd.DataFrame,
    sides: dict[str, Side],
    *,
    recipe: str,
    data_version: str,
    model: Model,
    forgetting: Forgetting | None,
    curve: list[CurvePoint],
    facts: pd.DataFrame | None = None,
    templates: Mapping[str, tuple[Template, Path]] | None = None,
    left_out: dict[Arm, str] | None = None,
    arm_notes: dict[Arm, str] | None = None,
    external: str | None = None,
    notes: Sequence[str] = (),
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
        facts: What the split knows of its test rows, of `train.slice_facts`; left out, slices are fewer.
        templates: By name; without them no more is measured than each row's score.
        left_out: Arms that did not answer, and why.
        arm_notes: What is to be known of how an arm was asked.
        external: What was judged, where no run of ours trained it.
        notes: What limits the report.
    """
    test = scores[scores["split"] == "test"]
    asked = [arm for arm in ARMS if arm != "tuned" and (test["arm"] == arm).any()]
    pairs = [compared(test, arm, measure) for measure in MEASURES for arm in asked]
    comparisons = [one for one in pairs if one is not None]
    # An arm that only answers, such as a copy of the input, is judged by its answers alone.
    score_only = set(asked) - {one.than for one in comparisons if one.measure == "nll"}
    means = means_of(test)
    train = sides["train"].rows
    sliced = slices_of(test, facts, trained=({row["template"] for row in train}, {row["source"] for row in train}))
    checked = {row["id"] for row in sides["test"].rows if row["status"] in REVIEWED}
    return Report(
        recipe=recipe,
        data_version=data_version,
        split="test",
        n=len(sides["test"].rows),
        n_reviewed=sides["test"].n_reviewed,
        n_train=len(sides["train"].rows),
        n_train_reviewed=sides["train"].n_reviewed,
        model=model,
        verdict=verdict(comparisons, score_only),
        means=means,
        comparisons=comparisons,
        slices=sliced.slices,
        slices_left=sliced.left,
        reviewed=reviewed_of(test, checked, asked),
        forgetting=forgetting,
        curve=curve,
        samples=_samples(scores[scores["split"] == "validation"], sides["validation"], model.run),
        measures=measures_of(test, sides["test"], sides["train"], templates) if templates else None,
        doubtful=doubtful_of(scores, sides["train"]),
        advice=advise(comparisons, means, left_out or {}),
        left_out=left_out or {},
        arm_notes=arm_notes or {},
        external=external,
        notes=list(notes),
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
