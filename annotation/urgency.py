"""How urgent each open row is, 0 to 1, and its weightiest reason.

unreviewed, rule wrong_sum (0.7)                     doubt 0.7             urgency 0.7 / 3
unreviewed, conflict (0.5) and wrong_sum (0.7)       doubt 1 - 0.5 * 0.3   urgency 0.85 / 3
disputed by two people who differ (0.9)              doubt 0.9             urgency (1 + 0.9) / 3
an answer that a model drafted                                             urgency 1: before all others
stale (0.5)                                          doubt 0.5             urgency (2 + 0.5) / 3
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from annotation.disagreement import disagreements
from annotation.error_rate import RANDOM
from annotation.open_rows import DISPUTED, DRAFTED, STATES, OpenRows
from annotation.row_scores import RowScores
from annotation.rule_checks import RULES, Bits
from annotation.suspicion import WORTH_A_LOOK, Floats, suspicion
from pipeline.annotations import annotation_files, read_annotations
from pipeline.synthetic import UNREVIEWED_DRAFT

Flags = NDArray[np.bool_]
# How likely a row of a state is to need a change, and what its reviewer is told. The weights are judgement.
_STATES: Mapping[str, tuple[float, str]] = {
    "unreviewed": (0.0, ""),
    "disputed": (0.9, "People have answered this differently."),
    "unsure": (0.6, "Somebody could not say."),
    "unconfirmed": (0.2, "One person has answered this; a second look is wanted."),
    "to_write": (0.3, "There is no response yet: please write one."),
    UNREVIEWED_DRAFT: (0.9, ""),  # what a model wrote of it is told of a row in every state
}
_STALE = next(place for place, rule in enumerate(RULES) if rule.name == "stale")
STALE_SENTENCE = RULES[_STALE].sentence
# Keeps equals apart in the order of their groups, and nothing else.
_TIE = 1e-6


def urgency_of(data_root: Path, rows: OpenRows, run: RowScores) -> Floats:
    """Return the urgency of each row, 0 to 1; rows of one group that have equal reasons have equal urgency.

    Raises:
        AnnotationError: A file of answers is damaged.
    """
    doubt = 1 - (1 - suspicion(run.surprise, rows.bits)) * (1 - _state_weights(data_root, rows))
    # Each third of the scale belongs to one band, so that no sum of small reasons passes begun work.
    band = np.where(is_stale(rows.bits), np.int8(2), (rows.state == DISPUTED).astype(np.int8))
    # Drafts wait for nothing else, and until somebody looks at one it is of no use to anybody.
    share = np.where(rows.state == DRAFTED, 1.0, (band + doubt) / 3)
    return np.asarray(share * (1 - _TIE) + _TIE * (1 - rows.group / 2.0**64))


def is_stale(bits: Bits) -> Flags:
    """Return which rows carry the mark stale."""
    return np.asarray(bits >> np.uint32(_STALE) & np.uint32(1), bool)


def state_sentence(state: int) -> str:
    """Return what the reviewer is told of a row's state; empty for an unreviewed one."""
    return _STATES[STATES[state]][1]


def _state_weights(data_root: Path, rows: OpenRows) -> Floats:
    """Return the weight of each row's state; disputed rows weigh the more, the more their people differ."""
    weights: Floats = np.array([_STATES[name][0] for name in STATES])[rows.state]
    disputed = np.flatnonzero(rows.state == DISPUTED)
    if len(disputed):
        ids = rows.ids.take(pa.array(disputed)).to_pylist()
        differ = disagreements(read_annotations(annotation_files(data_root).values()), frozenset(ids))
        # An answer given for a dropped duplicate has another id: then nothing is known of how far they differ.
        weights[disputed] *= [0.5 + 0.5 * differ.get(id_, 1.0) for id_ in ids]
    return weights


def by_reason(rows: OpenRows, run: RowScores, is_random: Flags) -> dict[str, int]:
    """Return the weightiest reason to how many rows have it, the most urgent reason first."""
    best, code = np.zeros(len(rows)), np.zeros(len(rows), np.int16)
    names: list[tuple[str, float]] = [("unreviewed", 0.0)]

    def consider(name: str, weight: float, has_it: Flags) -> None:
        names.append((name, weight))
        wins = has_it & (weight > best)
        best[wins], code[wins] = weight, len(names) - 1

    for place, rule in enumerate(RULES):
        consider(rule.name, rule.weight, (rows.bits >> np.uint32(place) & np.uint32(1)).astype(bool))
    for name, (weight, _) in _STATES.items():
        consider(name, weight, rows.state == STATES.index(name))
    consider("doubt", WORTH_A_LOOK, run.surprise.chance >= WORTH_A_LOOK)
    consider("disputed", 2.0, rows.state == DISPUTED)
    consider("stale", 3.0, is_stale(rows.bits))
    consider(UNREVIEWED_DRAFT, 4.0, rows.state == DRAFTED)
    names.append((RANDOM, -1.0))
    code[is_random] = len(names) - 1
    counts = np.bincount(code, minlength=len(names))
    ordered = sorted(zip(names, counts.tolist(), strict=True), key=lambda one: -one[0][1])
    return {name: n for (name, _), n in ordered if n}
