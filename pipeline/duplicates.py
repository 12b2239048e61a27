"""The rules of dedupe: which rows go, which are marked, and which belong to one group.

rows 0 and 3 say the same, 0 is the better  ->  3 goes, near_duplicate, partner 0; one group
rows 0 and 5 share the prompt only          ->  both stay, marked conflict; one group
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.contamination import Hit
from pipeline.corpus import Corpus
from pipeline.forest import Forest
from pipeline.hashing import Codes, Ints, add_up, numbered
from pipeline.judging import Judge, Judged
from pipeline.ranking import Ranking
from pipeline.relations import Search, Side, joint_key, several, share_prompt, side_keys
from pipeline.sides import FIRST_TURN, PROMPT, RESPONSE
from pipeline.stand_ins import stand_ins
from pipeline.text_verdicts import VerdictMemory
from pipeline.verdicts import BENCHMARK, EXACT, NEAR, PROTECTED, Verdicts

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Policy:
    """What the recipe and the people say of rows.

    Attributes:
        annotated: Ids that people have answered.
        sources: Names of sources, the most trusted first.
        protected: Names of sources whose prompts no other source may repeat.
        near: Least score of a near pair.
        long_chars: A response this long is equal by no accident.
        turned_down: Ids of drafts that people rejected: a row without a response is still to be written by people.
    """

    annotated: Sequence[str]
    sources: Sequence[str]
    protected: Sequence[str]
    near: float
    long_chars: int
    turned_down: Sequence[str] = ()


@dataclass(frozen=True)
class Known:
    """What the rules look at, row by row.

    Attributes:
        long: Responses that are equal by no accident: key of the response, -1 for short ones.
        answers: Rows with a response that may stand for a row without.
    """

    corpus: Corpus
    prompts: Side
    responses: Side
    ranking: Ranking
    judge: Judge
    long: Codes
    answers: Flags

    @property
    def agreeing(self) -> NDArray[np.int64]:
        """Keys shared by long prompts that differ in some words and have an equal long response, else -1."""
        return np.where(self.long < 0, -1, joint_key(self.prompts.loose, self.long))


def decide(
    corpus: Corpus,
    repeats: Mapping[int, Hit],
    policy: Policy,
    memory: VerdictMemory,
    search_prompts: Search,
    search_responses: Search,
) -> Verdicts:
    """Return the verdicts on all rows.

    Args:
        corpus: The rows.
        repeats: Rows that repeat a benchmark's item.
        policy: What the recipe and the people say.
        memory: Knows verdicts on pairs of texts.
        search_prompts: Finds the prompts' texts that are alike.
        search_responses: Finds the responses' texts that are alike.
    """
    known = _learn(corpus, policy, memory, search_prompts, search_responses)
    verdicts = Verdicts.none_yet(corpus)
    _drop_repeats(known, repeats, verdicts)
    _drop_unprotected(known, verdicts)
    # Duplicates of answered rows are settled first, so that a row without response names one that stays.
    waiting = _waiting(known, verdicts)
    _drop_duplicates(known, verdicts, verdicts.stays & ~waiting)
    _drop_unanswered(known, verdicts, waiting)
    _drop_duplicates(known, verdicts, verdicts.stays & (known.responses.exact < 0))
    _point_to_rows_that_stay(known, verdicts)
    _mark(known, verdicts)
    verdicts.group = _groups(known, verdicts)
    verdicts.counts = {mark: int(flags.sum()) for mark, flags in verdicts.new_marks.items()}
    verdicts.counts["clusters"] = len(np.unique(verdicts.partner[verdicts.partner >= 0]))
    return verdicts


def _learn(
    corpus: Corpus, policy: Policy, memory: VerdictMemory, search_prompts: Search, search_responses: Search
) -> Known:
    prompts = side_keys(corpus, PROMPT, search_prompts, lambda _: np.ones(corpus.n, np.bool_))
    responses = side_keys(corpus, RESPONSE, search_responses, lambda exact: share_prompt(prompts, exact))
    protected = np.isin(corpus.source, [at for at, name in enumerate(corpus.sources) if name in policy.protected])
    reviewed = corpus.having_ids(policy.annotated)
    return Known(
        corpus,
        prompts,
        responses,
        Ranking(corpus, prompts, responses, reviewed, protected, policy.sources),
        Judge(corpus, prompts, responses, memory, policy.near, policy.long_chars),
        np.where(responses.chars >= policy.long_chars, responses.exact, np.int32(-1)),
        (responses.exact >= 0) & ~corpus.having_ids(policy.turned_down),
    )


def _drop_repeats(known: Known, repeats: Mapping[int, Hit], verdicts: Verdicts) -> None:
    """Let rows go that repeat a benchmark's item, and those with such a row's id or prompt, in other words or not."""
    if not repeats:
        return
    corpus = known.corpus
    trees = Forest(corpus.n)
    for keys in (corpus.id, known.prompts.strict, known.agreeing):
        trees.join_same(keys)
    labels = trees.labels()
    hit_rows = np.array(sorted(repeats), np.int64)
    touched = np.flatnonzero(np.isin(labels, labels[hit_rows]))
    rank = np.full(corpus.n, -1, np.int32)
    rank[touched] = known.ranking.ranks(touched)
    # Of several rows that hang together and repeat an item, the nearest stands for the rest.
    first: dict[int, int] = {}
    for row in sorted(repeats, key=lambda row: (-repeats[row].score, rank[row])):
        first.setdefault(int(labels[row]), row)
    through = np.array([first[label] for label in labels[touched].tolist()], np.int64)
    is_hit = np.isin(touched, hit_rows)
    same = is_hit | (corpus.id[touched] == corpus.id[through]) | _same_prompt(known, through, touched)
    touched, through, is_hit = touched[same], through[same], is_hit[same]
    hits = [
        repeats[row] if hit else repeats[other]
        for row, other, hit in zip(touched.tolist(), through.tolist(), is_hit.tolist(), strict=True)
    ]
    origins = corpus.origins(through).to_pylist()
    details = [
        hit.how if own else f"duplicate of {origin}, of which {hit.how}"
        for hit, own, origin in zip(hits, is_hit.tolist(), origins, strict=True)
    ]
    places = [f"{hit.item.file}:{hit.item.n}" for hit in hits]
    numbers = {where: n for n, where in enumerate(dict.fromkeys(places))}
    verdicts.places = list(numbers)
    verdicts.place[touched] = [numbers[where] for where in places]
    scores = np.array([hit.score for hit in hits])
    verdicts.drop(touched, np.full(len(touched), -1), BENCHMARK, scores, details)


def _same_prompt(known: Known, one: Ints, other: Ints) -> Flags:
    long = known.long
    agrees = (long[one] >= 0) & (long[one] == long[other])
    return known.judge.side(PROMPT, one, other, agrees).same


def _drop_unprotected(known: Known, verdicts: Verdicts) -> None:
    """Let rows go that ask what a row of a protected source asks, whatever they answer."""
    protected = known.ranking.protected
    asks = verdicts.stays & (known.prompts.strict >= 0)
    inside = np.flatnonzero(asks & protected)
    if not len(inside):
        return
    inside = inside[np.argsort(known.ranking.ranks(inside))]
    for keys in (known.prompts.exact, known.prompts.strict):
        best, first = np.unique(keys[inside], return_index=True)
        rows = np.flatnonzero(asks & ~protected & verdicts.stays & np.isin(keys, best))
        partners = inside[first[np.searchsorted(best, keys[rows])]]
        judged = known.judge.side(PROMPT, partners, rows, np.zeros(len(rows), np.bool_))
        told = [
            f"the prompt {what}, and {known.corpus.sources[source]} is protected"
            if what
            else f"same prompt, and {known.corpus.sources[source]} is protected"
            for what, source in zip(judged.what, known.corpus.source[partners].tolist(), strict=True)
        ]
        _drop_judged(verdicts, rows, partners, judged, told, np.full(len(rows), PROTECTED))


def _drop_judged(
    verdicts: Verdicts, rows: Ints, partners: Ints, judged: Judged, told: Sequence[str], reasons: NDArray[np.integer]
) -> None:
    """Let those rows go that were judged the same as their partners."""
    for reason in np.unique(reasons[judged.same]).tolist():
        some = np.flatnonzero(judged.same & (reasons == reason))
        verdicts.drop(rows[some], partners[some], reason, judged.score[some], [told[at] for at in some.tolist()])


def _drop_duplicates(known: Known, verdicts: Verdicts, among: Flags) -> None:
    """Let rows go whose prompt and response another, better row has too."""
    corpus, prompts, responses, judge = known.corpus, known.prompts, known.responses, known.judge
    trees = Forest(corpus.n)
    for keys in (
        corpus.id,
        joint_key(prompts.strict, responses.strict),
        joint_key(prompts.exact, responses.loose),
        known.agreeing,
    ):
        trees.join_same(np.where(among, keys, -1))
    labels = trees.labels()
    some = np.flatnonzero(among & (np.bincount(labels, minlength=corpus.n)[labels] > 1))

    def alike(best: Ints, others: Ints) -> Flags:
        best, others = some[best], some[others]
        free = corpus.source_row[best] != corpus.source_row[others]
        equal = judge.equal(best, others)
        same: Flags = free & (equal | (corpus.id[best] == corpus.id[others]))
        told = np.where(equal[same], "same prompt and response", "same id").tolist()
        verdicts.drop(others[same], best[same], EXACT, np.ones(int(same.sum())), told)
        at = np.flatnonzero(free & ~same)
        judged = judge.rows(best[at], others[at])
        found = at[judged.same]
        what = [text for text, ok in zip(judged.what, judged.same.tolist(), strict=True) if ok]
        verdicts.drop(others[found], best[found], NEAR, judged.score[judged.same], what)
        same[found] = True
        return same

    stand_ins(labels[some], known.ranking.ranks(some), alike)


def _waiting(known: Known, verdicts: Verdicts) -> Flags:
    """Return rows without response whose prompt seems to have one elsewhere, and which people have not answered."""
    asks = verdicts.stays & (known.prompts.strict >= 0)
    unanswered = asks & (known.responses.exact < 0) & ~known.ranking.reviewed
    if not unanswered.any():
        return unanswered
    answered = np.unique(known.prompts.strict[asks & known.answers])
    waiting: Flags = unanswered & np.isin(known.prompts.strict, answered)
    return waiting


def _drop_unanswered(known: Known, verdicts: Verdicts, waiting: Flags) -> None:
    """Let rows without response go where the best row with the same prompt has one."""
    prompts, source_row = known.prompts, known.corpus.source_row
    if not waiting.any():
        return
    asked = np.unique(prompts.strict[waiting])
    answered = np.flatnonzero(verdicts.stays & known.answers & np.isin(prompts.strict, asked))
    answered = answered[np.argsort(known.ranking.ranks(answered))]
    for keys in (prompts.exact, prompts.strict):
        best, first = np.unique(keys[answered], return_index=True)
        rows = np.flatnonzero(waiting & verdicts.stays & np.isin(keys, best))
        partners = answered[first[np.searchsorted(best, keys[rows])]]
        apart = source_row[rows] != source_row[partners]
        rows, partners = rows[apart], partners[apart]
        judged = known.judge.side(PROMPT, partners, rows, np.zeros(len(rows), np.bool_))
        reasons = np.where(prompts.exact[rows] == prompts.exact[partners], EXACT, NEAR)
        told = [
            f"{f'the prompt {what}' if what else 'same prompt'}, and this row has no response" for what in judged.what
        ]
        _drop_judged(verdicts, rows, partners, judged, told, reasons)


def _point_to_rows_that_stay(known: Known, verdicts: Verdicts) -> None:
    """Name as partner a row that stays, of the dropped row's own template where that says the same.

    So an annotation of the dropped row finds the row that people would see in its place.
    """
    rows = np.flatnonzero(verdicts.partner >= 0)
    while len(passed := rows[~verdicts.stays[verdicts.partner[rows]]]):
        verdicts.partner[passed] = verdicts.partner[verdicts.partner[passed]]
    template, source_row = known.corpus.template, known.corpus.source_row
    exact = known.prompts.exact, known.responses.exact
    rows = rows[template[rows] != template[verdicts.partner[rows]]]
    if not len(rows):
        return
    siblings = np.flatnonzero(verdicts.stays & np.isin(source_row, source_row[verdicts.partner[rows]]))
    by_key = {(int(source_row[row]), int(template[row])): int(row) for row in siblings}
    for row in rows.tolist():
        partner = verdicts.partner[row]
        sibling = by_key.get((int(source_row[partner]), int(template[row])))
        if sibling is not None and all(keys[sibling] == keys[partner] for keys in exact):
            verdicts.partner[row] = sibling


def _mark(known: Known, verdicts: Verdicts) -> None:
    """Mark same prompts with different responses, and long responses under different prompts."""
    prompts, responses, source_row = known.prompts, known.responses, known.corpus.source_row
    answered = verdicts.stays & (responses.exact >= 0)
    asked = np.where(answered, prompts.strict, np.int32(-1))
    said = np.where(answered, known.long, np.int32(-1))
    verdicts.new_marks = {
        "conflict": several(asked, responses.strict) & several(asked, source_row),
        "boilerplate": several(said, prompts.strict) & several(said, source_row),
    }


def _groups(known: Known, verdicts: Verdicts) -> Codes:
    """Return for each row the row whose id names its group: the smallest id of all that hangs together."""
    corpus, prompts = known.corpus, known.prompts
    clean = verdicts.reason != BENCHMARK
    trees = Forest(corpus.n)
    trees.join_same(np.where(clean, prompts.strict, -1))
    trees.join_same(np.where(clean, corpus.source_row, -1))
    cells = corpus.cells
    documents = cells.where(cells.is_document & clean[cells.row])
    trees.join_same(corpus.plain[documents.text], documents.row)
    trees.join_same(*_asked(corpus, clean))
    gone = np.flatnonzero(verdicts.partner >= 0)
    trees.join(verdicts.partner[gone], gone)
    labels = trees.labels()
    group = np.arange(corpus.n, dtype=np.int32)
    shared = np.flatnonzero(np.bincount(labels, minlength=corpus.n)[labels] > 1)
    number = pc.rank(corpus.ids(shared), tiebreaker="dense").to_numpy(zero_copy_only=False).astype(np.int64)
    order = np.lexsort((number, labels[shared]))
    ordered = labels[shared][order]
    new = np.ones(len(ordered), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    group[shared[order]] = shared[order][new][np.cumsum(new) - 1]
    return group


def _asked(corpus: Corpus, clean: Flags) -> tuple[Codes, Codes]:
    """Return keys of whole prompts and of first turns, and their rows: equal whatever the task and the fields' names.

    Fields count in the order of their templates, as they do where the split looks for leaks.
    """
    cells = corpus.cells
    keys, rows = [], []
    for side in (PROMPT, FIRST_TURN):
        own = cells.where((cells.side == side) & clean[cells.row])
        rank = np.zeros(len(own.row), np.uint64)
        several_fields = np.flatnonzero(np.bincount(own.row, minlength=corpus.n)[own.row] > 1)
        order = several_fields[np.lexsort((own.place[several_fields], own.row[several_fields]))]
        first = np.ones(len(order), bool)
        first[1:] = own.row[order[1:]] != own.row[order[:-1]]
        starts = np.flatnonzero(first)
        rank[order] = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
        sums, there = np.zeros(corpus.n, np.uint64), np.zeros(corpus.n, np.bool_)
        add_up(sums, there, own.row, (corpus.plain[own.text].astype(np.uint64) << np.uint64(8)) | rank)
        rows.append(np.flatnonzero(there).astype(np.int32))
        keys.append(sums[there])
    return numbered(np.concatenate(keys))[0], np.concatenate(rows)
