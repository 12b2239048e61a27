"""Which side every row is on: by the ledger, by its group, by a hold-out, by its parents, otherwise by lot."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from pipeline.hashing import chunks_numbered
from pipeline.lineage import UNKNOWN, Lineage
from pipeline.lots import lots
from schemas import SPLITS, Strict

TRAIN = SPLITS.index("train")
# A group this small may stand on any side, however few rows there are in all.
_NEVER_BIG = 10


class Shares(Strict):
    """Fractions of the examples on each side."""

    train: float = Field(default=0.9, ge=0, le=1, title="fraction to train on; the three sum to 1")
    validation: float = Field(default=0.05, ge=0, le=1, title="fraction to choose checkpoints and settings by")
    test: float = Field(default=0.05, ge=0, le=1, title="fraction to report on, once")

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"shares must sum to 1, these sum to {total:g}")
        return self


@dataclass(frozen=True)
class Deal:
    """How new groups are dealt.

    Attributes:
        shares: Fraction of new groups on each side.
        salt: Another salt deals differently.
        big_group: A group over this fraction of all rows goes to train.
    """

    shares: Shares
    salt: str
    big_group: float


@dataclass(frozen=True)
class Dealt:
    """What was decided, row by row; sides are 0 train, 1 validation, 2 test.

    Attributes:
        sides: Where each row stands.
        over: The greatest side that the row's parents and theirs stand on; -1 where it names none that is known.
        reach: The greatest side that the row and its forebears stand on.
        big: Groups too big to be dealt, in words.
    """

    sides: npt.NDArray[np.int8]
    over: npt.NDArray[np.int8]
    reach: npt.NDArray[np.int8]
    big: list[str]


def assign(
    rows: pa.Table,
    known: pa.Table,
    deal: Deal,
    held: npt.NDArray[np.int8] | None = None,
    lineage: Lineage | None = None,
) -> Dealt:
    """Return each row's side; no row in the ledger moves.

    A new group takes the greatest side of its members in the ledger; else, if a member is held out, that side,
    whole, however big it is: a hold-out is a promise, a big group on a small side only a nuisance. Else a big one goes
    to train, and another where the lot of its smallest id falls. Synthetic rows decide nothing for their group: a new
    one takes the greatest side of its parents, or goes to train (or where it is held out) if none of them is known.

    Args:
        rows: Columns id and group, one row an example.
        known: The ledger.
        deal: Shares, salt and the limit for big groups.
        held: The side for which each row is held out, or -1.
        lineage: Who was made from whom.
    """
    n = rows.num_rows
    held = np.full(n, -1, np.int8) if held is None else held
    made = np.zeros(n, bool)
    if lineage is not None:
        made[lineage.made] = True
    own = known_sides(rows.column("id"), known)
    code, first = chunks_numbered(rows.column("group"))
    labels = rows.column("group").take(pa.array(first))
    group_side = np.full(len(labels), -1, np.int8)
    np.maximum.at(group_side, code[~made], own[~made])
    # Rows in training may be synthetic: what resembles them joins them rather than drive them out.
    trained = np.unique(code[made & (own == TRAIN)])
    group_side[trained] = np.maximum(group_side[trained], TRAIN)
    fresh = group_side < 0
    group_held = np.full(len(labels), -1, np.int8)
    np.maximum.at(group_held, code[~made], held[~made])
    sizes = np.bincount(code, minlength=len(labels))
    big = sizes > max(_NEVER_BIG, deal.big_group * n)
    dealt = hashed_sides(labels, deal.shares, deal.salt)
    group_side[fresh] = np.where(group_held >= 0, group_held, np.where(big, TRAIN, dealt))[fresh]
    told = [f"{labels[at].as_py()}: {sizes[at]} rows" for at in np.flatnonzero(big).tolist()]
    # An old row keeps its own side even where two old groups have grown together.
    sides = np.where(own >= 0, own, group_side[code]).astype(np.int8)
    if lineage is None:
        return Dealt(sides, np.full(n, UNKNOWN, np.int8), sides, sorted(told))
    reach = _forebears(np.where(made, own, sides), lineage)
    orphans = made & (reach == UNKNOWN)
    reach[orphans] = np.maximum(held[orphans], TRAIN)
    base = np.where(made & ~orphans, own, np.where(orphans, reach, sides))
    reach = _forebears(base, lineage)
    over = lineage.over(reach)
    new = made & (own < 0)
    sides[new] = np.minimum(reach[new], len(SPLITS) - 1)
    return Dealt(sides, over, reach, sorted(told))


def _forebears(own: npt.NDArray[np.int8], lineage: Lineage) -> npt.NDArray[np.int8]:
    """Return the greatest side that each row or any of its forebears stands on; one round a generation."""
    reach = own.astype(np.int8)
    while True:
        further = np.maximum(reach, lineage.over(reach))
        if (further == reach).all():
            return further
        reach = further


def known_sides(ids: pa.ChunkedArray, known: pa.Table) -> npt.NDArray[np.int8]:
    """Return the side the ledger gives each id, -1 for new ones."""
    at = pc.fill_null(pc.index_in(ids, value_set=known.column("id")), -1).to_numpy()
    sides = np.append(side_numbers(known.column("split")), np.int8(-1))
    return np.asarray(sides[at], np.int8)


def hashed_sides(ids: pa.Array | pa.ChunkedArray, shares: Shares, salt: str) -> npt.NDArray[np.int8]:
    """Return the side of each id by its lot: first train's share of [0, 1), then validation's, then test's."""
    bounds = [shares.train, shares.train + shares.validation]
    last = 2 if shares.test else 1 if shares.validation else 0  # so that rounding cannot fill an empty side
    return np.searchsorted(bounds, lots(ids, salt), side="right").clip(max=last).astype(np.int8)


def side_numbers(splits: pa.ChunkedArray) -> npt.NDArray[np.int8]:
    """Return 0, 1, 2 for train, validation, test: the lesser side first."""
    return np.asarray(pc.index_in(splits, pa.array(SPLITS)).to_numpy(), dtype=np.int8)
