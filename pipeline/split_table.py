"""The facts of a split as lines for a terminal.

    template       groups           train     validation           test    off
    classify          380    350   87.5 %     20   5.0 %     30   7.5 %  0.5 %
    1 thin: source drafts: 12 groups, no test row

What `tuneloop show split` prints before the rows.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import JsonValue

from schemas import SPLITS

_LISTED = 5
_LEFT = (("hold_out", "held out, but on a lesser side by the ledger"), ("parents", "left with their parents"))


def split_lines(facts: Mapping[str, JsonValue]) -> Iterator[str]:
    """Yield the tables by template, source and language, then thin strata, leaks, hold-outs, parents and the proof."""
    told: Any = facts
    for by, table in told.get("strata", {}).items():
        width = max(len(by), *map(len, table))
        yield f"  {by:<{width}} {'groups':>8} " + " ".join(f"{side:>16}" for side in SPLITS) + f" {'off':>7}"
        for name, one in table.items():
            sides = " ".join(f"{one[side]:>8,} {one['shares'][side]:>7.1%}" for side in SPLITS)
            yield f"  {name:<{width}} {one['groups']:>8,} {sides} {one['off']:>7.1%}"
    yield from _listed("thin", told.get("thin_strata", []))
    leaks = told.get("leaks", {}).get("by_source", {})
    yield from _listed("leaks between sources", [f"{pair}: {n:,}" for pair, n in leaks.items()])
    for key, what in _LEFT:
        yield from _listed(what, [f"{one['origin']}: {one['why']}" for one in told.get(key, {}).get("left", [])])
    yield from _listed("held out, but not there", told.get("hold_out", {}).get("absent", []))
    unknown = told.get("parents", {}).get("unknown", [])
    yield from _listed("parents unknown", [f"{one['origin']}: {one['parent']}" for one in unknown])
    if proof := told.get("proof"):
        yield (
            f"  searched again: {proof['rows_searched']:,} rows at {proof['threshold']}, {proof['crossings']} "
            f"look-alikes, {proof['groups_crossing']} groups and {proof['ids_crossing']} ids on two sides; "
            f"{proof['pairs_near']:,} near pairs, none of one meaning ({proof['pairs_judged']:,} read closely)"
        )


def _listed(what: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"  {what}: {'; '.join(lines[:_LISTED])}" + (" ..." if len(lines) > _LISTED else "")
