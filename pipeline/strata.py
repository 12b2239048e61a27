"""How templates, sources and languages lie across the sides of a finished split.

template  rows  groups  train        validation  test        off
classify   400     380  350 0.8750   20 0.0500   30 0.0750   0.0050

Languages are those that sources keep in a column `language`.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import JsonValue

from pipeline.dealing import Shares
from pipeline.hashing import Codes, chunks_numbered
from pipeline.split_rows import MetaColumn
from schemas import SPLITS

LANGUAGE = "language"
# A side with a twentieth of the groups is expected to hold one of 20.
_THIN_GROUPS = 20


def with_language(plain: pa.Table, column: MetaColumn) -> pa.Table:
    """Return the rows with a column `language`, the first that each names, if any row names one."""
    if not len(column.row):
        return plain
    rows, first = np.unique(column.row, return_index=True)
    at = np.full(plain.num_rows, -1, np.int64)
    at[rows] = first
    languages = column.value.take(pa.array(at, mask=at < 0)).fill_null("not stated")
    return plain.append_column(LANGUAGE, languages)


def strata_of(plain: pa.Table) -> list[str]:
    """Return the columns by which the rows are counted."""
    return ["template", "source", *([LANGUAGE] if LANGUAGE in plain.column_names else [])]


def count(plain: pa.Table, by: str) -> dict[str, dict[str, int]]:
    """Return value to side to number of rows, values in order, every side named."""
    found: dict[str, dict[str, int]] = {}
    for line in plain.group_by([by, "split"]).aggregate([([], "count_all")]).sort_by(by).to_pylist():
        found.setdefault(line[by], dict.fromkeys(SPLITS, 0))[line["split"]] = line["count_all"]
    return found


def strata(plain: pa.Table, shares: Shares) -> dict[str, JsonValue]:
    """Return the facts `strata` and `thin_strata`.

    `off` is the largest distance of a side's share of the rows from the share asked for. Chance alone makes about
    the root of share x (1 - share) / groups of it; hold-outs, caps and weights make more. A stratum is thin if it
    has fewer than 20 groups and no test row although test rows are asked for.

    Args:
        plain: Columns group, template, source, split, and language if rows name one.
        shares: What was asked for.
    """
    asked = shares.model_dump()
    group = chunks_numbered(plain.column("group"))[0]
    tables: dict[str, JsonValue] = {}
    thin: list[JsonValue] = []
    for by in strata_of(plain):
        n_groups = _groups_by(plain.column(by), group)
        table: dict[str, JsonValue] = {}
        for name, sides in count(plain, by).items():
            n = sum(sides.values())
            share: dict[str, JsonValue] = {side: round(sides[side] / n, 4) for side in SPLITS}
            off = round(max(abs(sides[side] / n - asked[side]) for side in SPLITS), 4)
            table[name] = {"rows": n, "groups": n_groups[name], **sides, "shares": share, "off": off}
            if n_groups[name] < _THIN_GROUPS and not sides["test"] and asked["test"]:
                thin.append(f"{by} {name}: {n_groups[name]} groups, no test row")
        tables[by] = table
    return {"strata": tables, "thin_strata": thin}


def _groups_by(values: pa.ChunkedArray, group: Codes) -> dict[str, int]:
    """Return value to how many groups have rows of it."""
    known = pc.unique(values)
    code = pc.index_in(values, value_set=known).to_numpy().astype(np.int64)
    pairs = np.unique(code << 32 | group)
    return dict(zip(known.to_pylist(), np.bincount(pairs >> 32, minlength=len(known)).tolist(), strict=True))
