"""The rules of dedupe: which rows go, which are marked, and which belong to one group.

rows 0 and 3 say the same, 0 is the better  ->  3 goes, near_duplicate, partner 0; one group
rows 0 and 5 share the prompt only          ->  both stay, marked conflict; one group
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.cells import FIRST_TURN, PROMPT, RESPONSE, Examples
from pipeline.clusters import Edges, Ints, components, joint_key, same_key, smallest, stand_ins
from pipeline.contamination import Hit
from pipeline.relations import Comparison, Side, share_prompt, side_keys
from pipeline.verdicts import BENCHMARK, EXACT, NEAR, Verdicts

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Known:
    """What the rules look at, row by row.

    Attributes:
        id: Ids by number, in alphabetical order.
        rank: Place in the order of preference, 0 the best.
        reviewed: Whether people have answered the row.
        long: Responses that are equal by no accident: key of the response, -1 for short ones.
    """

    examples: Examples
    id: Ints
    rank: Ints
    reviewed: Flags
    prompts: Side
    responses: Side
    long: Ints
    near: float
    long_chars: int

    @property
    def agreeing(self) -> Edges:
        """Edges between long prompts that differ in some words and have an equal long response."""
        return same_key(np.where(self.long < 0, -1, joint_key(self.prompts.loose, self.long)))


def decide(
    examples: Examples,
    repeats: Mapping[int, Hit],
    *,
    annotated: Sequence[str],
    sources: Sequence[str],
    near: float,
    long_chars: int,
) -> Verdicts:
    """Return the verdicts on all rows.

    Args:
        examples: The rows.
        repeats: Rows that repeat a benchmark's item.
        annotated: Ids that people have answered.
        sources: Names of sources, the most trusted first.
        near: Least score of a near pair.
        long_chars: A response this long is equal by no accident.
    """
    known = _learn(examples, annotated, sources, near, long_chars)
    verdicts = Verdicts.none_yet(examples.id, examples.origin)
    _drop_repeats(known, repeats, verdicts)
    compare = Comparison.of(examples, known.prompts, known.responses, near, long_chars)
    # Duplicates of answered rows are settled first, so that a row without response names one that stays.
    waiting = _waiting(known, verdicts)
    _drop_duplicates(known, compare, verdicts, verdicts.stays & ~waiting)
    _drop_unanswered(known, compare, verdicts, waiting)
    _drop_duplicates(known, compare, verdicts, verdicts.stays & (known.responses.exact < 0))
    _point_to_rows_that_stay(known, verdicts)
    _mark(known, verdicts)
    verdicts.group = _groups(known, verdicts)
    verdicts.counts = {mark: int(flags.sum()) for mark, flags in verdicts.new_marks.items()}
    verdicts.counts["clusters"] = len(np.unique(verdicts.partner[verdicts.partner >= 0]))
    return verdicts


def _learn(examples: Examples, annotated: Sequence[str], sources: Sequence[str], near: float, chars: int) -> Known:
    n = examples.n
    prompts = side_keys(examples, PROMPT, near, lambda _: np.ones(n, bool))
    responses = side_keys(examples, RESPONSE, near, lambda exact: share_prompt(prompts, exact))
    number = pc.rank(examples.id, tiebreaker="dense").to_numpy(zero_copy_only=False).astype(np.int64)
    reviewed = pc.is_in(examples.id, pa.array(annotated, examples.id.type)).to_numpy(zero_copy_only=False)
    place = {name: at for at, name in enumerate(sources)}
    priority = np.array([place.get(name, len(place)) for name in examples.source_names], np.int64)[examples.source]
    filled = np.bincount(examples.cells.row, minlength=n)
    keys = (
        *_line_and_file(examples.origin), number, -(prompts.chars + responses.chars), -filled, priority,
        responses.exact < 0, ~reviewed,
    )  # fmt: skip
    rank = np.empty(n, np.int64)
    rank[np.lexsort(keys)] = np.arange(n)
    long = np.where(responses.chars >= chars, responses.exact, -1)
    return Known(examples, number, rank, reviewed, prompts, responses, long, near, chars)


def _line_and_file(origin: pa.Array) -> tuple[Ints, Ints]:
    """Return line number and rank of the file's name, so that line 9 comes before line 10."""
    numbered = pc.match_substring_regex(origin, r":\d{1,18}$")
    line = pc.if_else(numbered, pc.replace_substring_regex(origin, r"^(?s:.*):", ""), "0").cast(pa.int64())
    file = pc.replace_substring_regex(origin, r":\d{1,18}$", "")
    return line.to_numpy(), pc.rank(file, tiebreaker="dense").to_numpy(zero_copy_only=False).astype(np.int64)


def _drop_repeats(known: Known, repeats: Mapping[int, Hit], verdicts: Verdicts) -> None:
    """Let rows go that repeat a benchmark's item, and those with the same prompt or id as such a row."""
    if not repeats:
        return
    labels = components(known.examples.n, [same_key(known.id), same_key(known.prompts.strict), known.agreeing])
    # Of several rows of a component that repeat an item, the nearest stands for the rest.
    first: dict[int, int] = {}
    for row in sorted(repeats, key=lambda row: (-repeats[row].score, known.rank[row])):
        first.setdefault(int(labels[row]), row)
    touched = np.flatnonzero(np.isin(labels, np.array(list(first), np.int64)))
    details, scores, places = [], [], []
    for row in touched.tolist():
        through = first[int(labels[row])]
        hit = repeats.get(row, repeats[through])
        origin = known.examples.origin[through].as_py()
        details.append(hit.how if row in repeats else f"duplicate of {origin}, of which {hit.how}")
        scores.append(hit.score)
        places.append(f"{hit.item.file}:{hit.item.n}")
    numbers = {where: n for n, where in enumerate(dict.fromkeys(places))}
    verdicts.places = list(numbers)
    verdicts.place[touched] = [numbers[where] for where in places]
    verdicts.drop(touched, np.full(len(touched), -1), BENCHMARK, scores, details)


def _drop_duplicates(known: Known, compare: Comparison, verdicts: Verdicts, among: Flags) -> None:
    """Let rows go whose prompt and response another, better row has too."""
    examples, prompts, responses = known.examples, known.prompts, known.responses
    edges = [
        same_key(known.id),
        same_key(joint_key(prompts.strict, responses.strict)),
        same_key(joint_key(prompts.exact, responses.loose)),
        known.agreeing,
    ]
    labels = components(examples.n, edges)
    labels = np.where(among, labels, -1)
    some = np.flatnonzero((labels >= 0) & (np.bincount(labels[labels >= 0], minlength=1)[labels] > 1))

    def alike(best: Ints, others: Ints) -> Flags:
        best, others = some[best], some[others]
        free = examples.source_row[best] != examples.source_row[others]
        same_id = free & (known.id[best] == known.id[others])
        same = (free & compare.equal(best, others)) | same_id
        told = np.where(compare.equal(best, others)[same], "same prompt and response", "same id")
        verdicts.drop(others[same], best[same], EXACT, np.ones(int(same.sum())).tolist(), told.tolist())
        found: Flags = same.copy()
        for at in np.flatnonzero(free & ~same).tolist():
            judged = compare.judge(int(best[at]), int(others[at]))
            if judged is not None:
                found[at] = True
                verdicts.drop(others[at : at + 1], best[at : at + 1], NEAR, [judged[0]], [judged[1]])
        return found

    stand_ins(labels[some], known.rank[some], alike)


def _waiting(known: Known, verdicts: Verdicts) -> Flags:
    """Return rows without response whose prompt seems to have one elsewhere, and which people have not answered."""
    asks = verdicts.stays & (known.prompts.strict >= 0)
    answered = np.unique(known.prompts.strict[asks & (known.responses.exact >= 0)])
    unanswered = asks & (known.responses.exact < 0) & ~known.reviewed
    waiting: Flags = unanswered & np.isin(known.prompts.strict, answered)
    return waiting


def _drop_unanswered(known: Known, compare: Comparison, verdicts: Verdicts, waiting: Flags) -> None:
    """Let rows without response go where the best row with the same prompt has one."""
    prompts, source_row = known.prompts, known.examples.source_row
    answered = np.flatnonzero(verdicts.stays & (prompts.exact >= 0) & (known.responses.exact >= 0))
    answered = answered[np.argsort(known.rank[answered])]
    for keys in (prompts.exact, prompts.strict):
        best, first = np.unique(keys[answered], return_index=True)
        rows = np.flatnonzero(waiting & verdicts.stays & np.isin(keys, best))
        partners = answered[first[np.searchsorted(best, keys[rows])]]
        apart = source_row[rows] != source_row[partners]
        for row, partner in zip(rows[apart].tolist(), partners[apart].tolist(), strict=True):
            same = prompts.exact[row] == prompts.exact[partner]
            near = (1.0, "") if same else compare.prompt(partner, row)
            if near is not None:
                what = "same prompt" if same else f"the prompt {near[1]}"
                told = f"{what}, and this row has no response"
                verdicts.drop(np.array([row]), np.array([partner]), EXACT if same else NEAR, [near[0]], [told])


def _point_to_rows_that_stay(known: Known, verdicts: Verdicts) -> None:
    """Name as partner a row that stays, of the dropped row's own template where that says the same.

    So an annotation of the dropped row finds the row that people would see in its place.
    """
    rows = np.flatnonzero(verdicts.partner >= 0)
    while len(passed := rows[~verdicts.stays[verdicts.partner[rows]]]):
        verdicts.partner[passed] = verdicts.partner[verdicts.partner[passed]]
    template, source_row = known.examples.template, known.examples.source_row
    exact = known.prompts.exact, known.responses.exact
    rows = rows[template[rows] != template[verdicts.partner[rows]]]
    siblings = np.flatnonzero(verdicts.stays & np.isin(source_row, source_row[verdicts.partner[rows]]))
    by_key = {(int(source_row[row]), int(template[row])): int(row) for row in siblings}
    for row in rows.tolist():
        partner = verdicts.partner[row]
        sibling = by_key.get((int(source_row[partner]), int(template[row])))
        if sibling is not None and all(keys[sibling] == keys[partner] for keys in exact):
            verdicts.partner[row] = sibling


def _mark(known: Known, verdicts: Verdicts) -> None:
    """Mark same prompts with different responses, and long responses under different prompts."""
    prompts, responses, source_row = known.prompts, known.responses, known.examples.source_row
    answered = verdicts.stays & (responses.exact >= 0)
    asked = np.where(answered, prompts.strict, -1)
    said = np.where(answered, known.long, -1)
    verdicts.new_marks = {
        "conflict": _several(asked, responses.strict) & _several(asked, source_row),
        "boilerplate": _several(said, prompts.strict) & _several(said, source_row),
    }


def _several(keys: Ints, values: Ints) -> Flags:
    """Return the rows whose key stands beside two values or more; keys below 0 do not count."""
    _, first = np.unique(joint_key(keys, values), return_index=True)
    held = keys[first]
    counts = np.bincount(held[held >= 0], minlength=int(keys.max(initial=0)) + 1)
    return (keys >= 0) & (counts[keys] > 1)


def _groups(known: Known, verdicts: Verdicts) -> Ints:
    """Return for each row the row whose id names its group: the smallest id of all that hangs together."""
    examples, prompts = known.examples, known.prompts
    clean = verdicts.reason != BENCHMARK
    cells = examples.cells.where(clean[examples.cells.row])
    documents = cells.where(cells.is_document)
    first_turns = cells.where(cells.side == FIRST_TURN)
    gone = np.flatnonzero(verdicts.partner >= 0)
    labels = components(
        examples.n,
        [
            same_key(np.where(clean, prompts.strict, -1)),
            same_key(np.where(clean, examples.source_row, -1)),
            same_key(documents.text, documents.row),
            same_key(first_turns.text, first_turns.row),
            (verdicts.partner[gone], gone),
        ],
    )
    of = np.zeros(int(known.id.max(initial=0)) + 1, np.int64)
    of[known.id] = np.arange(examples.n)
    return of[smallest(labels, known.id)]
