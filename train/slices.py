"""The test side in parts: by template, source, length, language, annotator, guideline and status.

template classify  80 rows  tuned - base +0.21 (+0.10 to +0.32)  p 0.0002, of 14 slices 0.0028
template chat      31 rows  tuned - base +0.02 (-0.09 to +0.14)  p 0.71,   of 14 slices 1

All slices of a report are one family: Holm's adjustment lets one of them be called different by chance in one report
of twenty. A kind that has a single part is left out, as it is the whole side over again; template and source stand
always.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

import numpy as np
import pandas as pd

from schemas.report import SLICE_KINDS, Arm, Reviewed, Slice, SliceKind
from train.holm import holm
from train.paired import MEASURES, compared, means_of

MOST_SLICES = 12  # of one kind; more are counted
_ALWAYS = ("template", "source")
_COLUMNS = {"length": "n_prompt_tokens", "annotator": "annotators"}
_MISSING = {"annotator": "nobody", "guideline": "none"}
_GUIDELINE_CHARS = 12
_LENGTHS = (("all",), ("short", "long"), ("short", "medium", "long"))


@dataclass(frozen=True)
class Sliced:
    """The parts of a side, and of each kind how many smaller parts were left out."""

    slices: list[Slice]
    left: dict[SliceKind, int]


def slices_of(
    scores: pd.DataFrame,
    facts: pd.DataFrame | None = None,
    *,
    trained: tuple[Set[str], Set[str]] | None = None,
    than: Arm = "base",
) -> Sliced:
    """Return the parts with each arm's means, and the tuned arm against another with Holm-adjusted p-values.

    Of each kind the `MOST_SLICES` with the most examples are there, in order of name, lengths from short to long.

    Args:
        scores: Rows of `schemas.report.Score`, of one side.
        facts: Of `train.slice_facts`; without them there are templates and sources alone.
        trained: Templates and sources of the train side; parts that are not among them are marked as held out.
        than: The arm the tuned one is compared with.
    """
    examples = scores.drop_duplicates("example").set_index("example")[["template", "source"]]
    known = examples if facts is None else examples.join(facts.drop(columns=["template", "source"], errors="ignore"))
    places = scores.groupby("example", sort=False).indices
    found: list[Slice] = []
    left: dict[SliceKind, int] = {}
    for kind, members in _members(known):
        names = list(members)  # in the order in which they are shown
        if len(names) < 2 and kind not in _ALWAYS:
            continue
        largest = sorted(names, key=lambda name: -len(members[name]))[:MOST_SLICES]
        if len(names) > len(largest):
            left[kind] = len(names) - len(largest)
        seen = None if trained is None or kind not in _ALWAYS else trained[_ALWAYS.index(kind)]
        for name in names:
            if name in largest:
                part = scores.iloc[np.sort(np.concatenate([places[example] for example in members[name]]))]
                found.append(_slice(kind, name, part, than, held_out=seen is not None and name not in seen))
    return Sliced(_adjusted(found), left)


def reviewed_of(scores: pd.DataFrame, reviewed: Set[str], others: Sequence[Arm]) -> Reviewed | None:
    """Return the headline figures on the examples that people have checked; None if they are none or all of them.

    Args:
        scores: Rows of `schemas.report.Score`, of one side.
        reviewed: Ids of the checked examples.
        others: The arms the tuned one is compared with.
    """
    part = scores[scores["example"].isin(reviewed)]
    n = int(part["example"].nunique())
    if n in (0, scores["example"].nunique()):
        return None
    pairs = [compared(part, arm, measure) for measure in MEASURES for arm in others]
    return Reviewed(n=n, means=means_of(part), comparisons=[one for one in pairs if one is not None])


def _members(known: pd.DataFrame) -> Iterator[tuple[SliceKind, dict[str, list[str]]]]:
    """Yield each kind that is known with the examples of each of its parts, in the order in which they are shown."""
    for kind in SLICE_KINDS:
        column = _COLUMNS.get(kind, kind)
        if column not in known:
            continue
        values = known[column]
        if kind == "length":
            values = _lengths(values)
        elif kind == "annotator":
            values = _exploded(values)
        if kind != "length":
            values = values.astype(object).where(values.notna(), _MISSING.get(kind, "not stated")).map(str)
        if kind == "guideline":
            values = values.map(lambda digest: digest[:_GUIDELINE_CHARS])
        groups = values.groupby(values, observed=True, sort=True).groups
        yield kind, {str(name): list(index) for name, index in groups.items()}


def _exploded(lists: pd.Series) -> pd.Series:
    """Return one row for each annotator of an example: its parts overlap."""
    return lists.map(lambda names: list(names) if isinstance(names, (list, np.ndarray)) else []).explode()


def _lengths(tokens: pd.Series) -> pd.Series:
    """Return terciles of the prompt tokens, named by their bounds; fewer where many prompts are equally long."""
    stated = tokens.dropna().astype(int)
    if stated.empty:
        return stated.astype(object)
    counts = stated.to_numpy()
    bounds = np.unique(np.quantile(counts, [1 / 3, 2 / 3], method="inverted_cdf")).astype(int)
    bounds = bounds[bounds < counts.max()]
    ends = [*bounds.tolist(), int(counts.max())]
    starts = [int(counts.min()), *(bound + 1 for bound in bounds.tolist())]
    labels = [
        f"{name}, {start:,} to {end:,} tokens"
        for name, start, end in zip(_LENGTHS[len(bounds)], starts, ends, strict=True)
    ]
    part = np.searchsorted(bounds, counts, side="left")
    named = np.array(labels, object)[part]
    return pd.Series(pd.Categorical(named, categories=labels, ordered=True), index=stated.index)


def _slice(kind: SliceKind, name: str, part: pd.DataFrame, than: Arm, *, held_out: bool) -> Slice:
    return Slice(
        by=kind,
        value=name,
        n=int(part["example"].nunique()),
        metric=", ".join(sorted(set(part["metric"]))),
        means=means_of(part),
        against_base=compared(part, than, "score"),
        held_out=held_out,
    )


def _adjusted(slices: list[Slice]) -> list[Slice]:
    """Return the slices with p-values that allow for all of them."""
    tested = [one.against_base for one in slices if one.against_base is not None]
    adjusted = iter(holm([1.0 if one.p is None else one.p for one in tested]).tolist())
    return [
        one
        if one.against_base is None
        else one.model_copy(update={"against_base": one.against_base.model_copy(update={"adjusted_p": next(adjusted)})})
        for one in slices
    ]
