"""One run's decisions on a split: which side every row is on, which rows leave, and what a reader should know."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import JsonValue

from pipeline.dealing import TRAIN, Deal, Dealt, assign
from pipeline.difference import forget_texts
from pipeline.holdout import HoldOut
from pipeline.leaks import find_leaks
from pipeline.leaving import MOST_LISTED, Leaving
from pipeline.lineage import BENCHMARK, Lineage, read_lineage
from pipeline.lots import keys, lots
from pipeline.mixing import Mix
from pipeline.split_rows import MetaColumn, Rows
from pipeline.synthetic import SYNTHETIC, parents_in
from schemas import SPLITS, ConfigError


@dataclass(frozen=True)
class Policy:
    """What decides.

    Attributes:
        deal: How new groups are dealt.
        leak: Least similarity of look-alikes.
        hold_out: What is not trained on.
        mix: How much of what is trained on.
        parent_column: The kept column that names the parents of synthetic rows.
        synthetic: Sources whose rows a model wrote; they are trained on or leave.
        max_synthetic: Most of the train side that may be theirs, 0 to 1.
    """

    deal: Deal
    leak: float
    hold_out: HoldOut
    mix: Mix
    parent_column: str | None
    synthetic: tuple[str, ...] = ()
    max_synthetic: float = 1.0

    @property
    def kept(self) -> list[str]:
        """The kept columns that a decision needs."""
        authors = [self.hold_out.author_column] if self.hold_out.authors else []
        named = [self.parent_column] if self.parent_column else []
        return [*authors, *named, *([SYNTHETIC] if self.synthetic else [])]


@dataclass(frozen=True)
class Decided:
    """Sides, leaving rows, and facts for the run's record."""

    sides: npt.NDArray[np.int8]
    leaving: Leaving
    counts: Mapping[str, int]
    notes: Mapping[str, JsonValue]

    @property
    def n_trained(self) -> int:
        """How many rows are left to train on."""
        return int(((self.sides == TRAIN) & ~self.leaving.gone).sum())


def decide(rows: Rows, known: pa.Table, policy: Policy, dropped: Iterable[Path] = ()) -> Decided:
    """Return every decision on the rows; nothing depends on their order.

    Args:
        rows: With the kept columns that the policy needs.
        known: The ledger.
        policy: What decides.
        dropped: What dedupe dropped, in parquet, where the policy knows of synthetic rows.

    Raises:
        ConfigError: Hold-outs, weights or caps leave no row to train on.
    """
    plain, leaving = rows.plain, Leaving(rows.n)
    held = policy.hold_out.sides_of(plain, rows.meta)
    lineage = None
    by_model = _by_model(plain, policy)
    if policy.parent_column is not None or len(by_model):
        lineage = read_lineage(plain, _made_from(rows, policy), known, dropped, by_model)
    dealt = assign(plain, known, policy.deal, held, lineage)
    counts: dict[str, int] = {"big_groups": len(dealt.big)}
    notes: dict[str, JsonValue] = {"big_groups": [*dealt.big]}
    decided = Decided(dealt.sides, leaving, counts, notes)
    if lineage is not None:
        _part_from_parents(leaving, dealt, lineage)
        _part_from_tests(leaving, dealt, by_model)
        counts["parent_unknown"], notes["parents"] = _parents_told(leaving, lineage, plain)
    if policy.hold_out.asks:
        _part_with_held(leaving, dealt, held)
        n_held = counts["held_out_rows"] = int(((held >= 0) & ~leaving.gone).sum())
        absent, left = policy.hold_out.absent(plain, rows.meta), leaving.rows("held_out")
        notes["hold_out"] = {"absent": absent, "left": leaving.listed(left, plain.column("origin"))}
        if (held >= 0).any() and policy.deal.shares.train and not decided.n_trained:
            raise _nothing_left(
                f"of {rows.n:,} rows {n_held + len(left):,} are held out, and their groups with them",
                "split.hold_out",
                "hold out fewer templates, sources or authors",
            )
    _part_with_leaks(leaving, dealt, rows, policy.leak)
    notes["leaks"] = _leaks_told(leaving, dealt.sides, plain)
    if len(by_model):
        _cap_synthetic(leaving, dealt, plain, by_model, policy)
    before = decided.n_trained
    policy.mix.thin_out(leaving, plain, dealt.sides, policy.deal.salt)
    if before and not decided.n_trained:
        raise _nothing_left(f"of {before:,} train rows the weights keep none", "split.mix.weights", "raise the weights")
    return decided


def _by_model(plain: pa.Table, policy: Policy) -> npt.NDArray[np.int64]:
    """Return the rows that a model wrote, in order."""
    named = pc.is_in(plain.column("source"), value_set=pa.array(policy.synthetic, pa.string()))
    return np.flatnonzero(named.to_numpy()) if policy.synthetic else np.zeros(0, np.int64)


def _made_from(rows: Rows, policy: Policy) -> MetaColumn:
    """Return who names whom as a parent: in the kept column that the recipe names, and in what drafts carry."""
    found = [rows.meta[policy.parent_column]] if policy.parent_column is not None else []
    if policy.synthetic:
        found.append(MetaColumn(*parents_in(rows.meta[SYNTHETIC].row, rows.meta[SYNTHETIC].value)))
    row = np.concatenate([one.row for one in found])
    order = np.argsort(row, kind="stable")
    return MetaColumn(row[order], pa.concat_arrays([one.value for one in found]).take(pa.array(order)))


def _part_from_tests(leaving: Leaving, dealt: Dealt, by_model: npt.NDArray[np.int64]) -> None:
    """Let rows go that a model wrote and that would stand where models are judged."""
    rows = by_model[dealt.sides[by_model] > TRAIN]
    told = [f"a model wrote it, and it would stand on {SPLITS[side]}" for side in dealt.sides[rows].tolist()]
    leaving.mark(rows, "synthetic", told)


def _cap_synthetic(
    leaving: Leaving, dealt: Dealt, plain: pa.Table, by_model: npt.NDArray[np.int64], policy: Policy
) -> None:
    """Let synthetic rows go until they are no more than their share of what is trained on; the smallest lots stay.

    Raises:
        ConfigError: Nothing else is trained on, so that none could stay.
    """
    is_synthetic = np.zeros(plain.num_rows, bool)
    is_synthetic[by_model] = True
    trained = (dealt.sides == TRAIN) & ~leaving.gone
    share, n_others = policy.max_synthetic, int((trained & ~is_synthetic).sum())
    rows = np.flatnonzero(trained & is_synthetic)
    most = len(rows) if share >= 1 else math.floor(n_others * share / (1 - share) + 1e-9)
    if len(rows) <= most:
        return
    if not n_others:
        raise _nothing_left(
            f"all {len(rows):,} train rows are synthetic, and draft.max_share = {share:g}",
            "draft.max_share",
            "set draft.max_share = 1 to train on accepted drafts alone, or add rows that people wrote",
        )
    lot = lots(plain.column("id").take(pa.array(rows)), f"{policy.deal.salt}\0synthetic")
    sentence = f"synthetic rows are capped at {share:g} of the train side"
    leaving.mark(rows[np.argsort(lot, kind="stable")][most:], "capped", [sentence])


def _nothing_left(what: str, where: str, fix: str) -> ConfigError:
    return ConfigError(f"no row is left to train on: {what}", where=where, fix=f"{fix}; nothing was decided")


def _part_from_parents(leaving: Leaving, dealt: Dealt, lineage: Lineage) -> None:
    """Let synthetic rows go that are not trained on, or whose parents are not."""
    made = np.unique(lineage.child)
    over = dealt.over[made]
    rows, names, partner = _with_culprits(made[over > TRAIN], dealt, lineage)
    reached = dealt.over[rows].tolist()
    told = [f"made from {name}, {_stands(side)}" for name, side in zip(names, reached, strict=True)]
    leaving.mark(rows, "parent_held_out", told, partner)
    rows, names, partner = _with_culprits(made[(over == TRAIN) & (dealt.sides[made] > TRAIN)], dealt, lineage)
    sides = dealt.sides[rows].tolist()
    told = [f"on {SPLITS[at]} by the ledger, made from {name} on train" for name, at in zip(names, sides, strict=True)]
    leaving.mark(rows, "parent_apart", told, partner)


def _with_culprits(
    rows: npt.NDArray[np.int64], dealt: Dealt, lineage: Lineage
) -> tuple[npt.NDArray[np.int64], list[str], npt.NDArray[np.int64]]:
    """Return the rows, and for each the name of its parent on the greatest side and that row or -1."""
    names, partner = lineage.culprits(rows, dealt.reach)
    return rows, lineage.names.take(pa.array(names)).to_pylist(), partner


def _stands(side: int) -> str:
    return "which repeats an item of a benchmark" if side == BENCHMARK else f"which leads to a row on {SPLITS[side]}"


def _parents_told(leaving: Leaving, lineage: Lineage, plain: pa.Table) -> tuple[int, JsonValue]:
    """Return how many rows name a parent that nobody knows, and the first of them and of those that left."""
    at = lineage.strangers()
    origins = plain.column("origin")
    unknown: list[JsonValue] = [
        {"origin": origins[int(lineage.child[one])].as_py(), "parent": lineage.names[int(lineage.name[one])].as_py()}
        for one in at[:MOST_LISTED]
    ]
    left = np.sort(np.concatenate([leaving.rows("parent_held_out"), leaving.rows("parent_apart")]))
    return len(np.unique(lineage.child[at])), {"unknown": unknown, "left": leaving.listed(left, origins)}


def _part_with_held(leaving: Leaving, dealt: Dealt, held: npt.NDArray[np.int8]) -> None:
    """Let rows go that stand on a lesser side than the one they are held out for."""
    rows = np.flatnonzero(held > dealt.sides)
    sentences = [
        f"held out for {SPLITS[to]}, but the ledger has it, or its group, on {SPLITS[at]}"
        for to, at in zip(held[rows].tolist(), dealt.sides[rows].tolist(), strict=True)
    ]
    leaving.mark(rows, "held_out", sentences)


def _part_with_leaks(leaving: Leaving, dealt: Dealt, rows: Rows, threshold: float) -> None:
    """Let rows go that resemble a row on a greater side."""
    ids, groups = rows.plain.column("id"), rows.plain.column("group")
    leaks = find_leaks(rows.prompts, groups, dealt.sides, threshold, gone=leaving.gone, rank=keys(ids))
    forget_texts()
    found = leaks.rows
    partner = leaks.partner[found]
    sentences = [
        f"resembles a row in {SPLITS[side]}: {leaks.sentences[why]}"
        for side, why in zip(dealt.sides[partner].tolist(), leaks.why[found].tolist(), strict=True)
    ]
    leaving.mark(found, "leak", sentences, partner, leaks.score[found])


def _leaks_told(leaving: Leaving, sides: npt.NDArray[np.int8], plain: pa.Table) -> JsonValue:
    """Return the first leaks, and how many rows of which source leaked into which other."""
    rows = leaving.rows("leak")
    partner = leaving.partner[rows]
    pairs: dict[str, JsonValue] = {}
    names = plain.column("source")
    table = pa.table(
        {
            "source": names.take(pa.array(rows)),
            "side": sides[rows],
            "partner": names.take(pa.array(partner)),
            "partner_side": sides[partner],
        }
    )
    for line in table.group_by(table.column_names).aggregate([([], "count_all")]).to_pylist():
        left, right = SPLITS[line["side"]], SPLITS[line["partner_side"]]
        pairs[f"{line['source']} ({left}) resembles {line['partner']} ({right})"] = line["count_all"]
    return {"first": leaving.listed(rows, plain.column("origin")), "by_source": dict(sorted(pairs.items()))}
