r"""Values of one column that sources keep in `meta`, a JSON object a row, taken out without parsing most rows.

    row 0  {"author":"ann","page":3}       author  ->  0 "ann"
    row 1  {"author":["bob","cy"]}                     1 "bob"  1 "cy"
    row 2  {"page":4}
    row 3  {"author":17}                               3 "17"

Meta is canonical JSON: no blanks, and a quote inside a text is escaped. In a row without a backslash and with one
brace, a key after `{` or `,` and before `:` is a key of the object, so a regular expression reads its text or list of
texts exactly. All other rows that name the column are parsed.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.strict_json import canonical


def meta_values(meta: pa.Array, column: str) -> tuple[npt.NDArray[np.int64], pa.StringArray]:
    """Return the rows that have a value in a column of `meta`, and the values, in order.

    A list gives one value an item, a number or object its JSON text; null and the empty text give none.

    Args:
        meta: JSON objects as ingest writes them.
        column: A name of `keep`, or `key`.
    """
    meta = meta.cast(pa.string())
    name = canonical(column)
    named = np.flatnonzero(pc.match_substring(meta, f"{name}:").to_numpy(zero_copy_only=False))
    texts = meta.take(pa.array(named))
    flat = pc.equal(pc.count_substring(texts, "{"), 1)
    flat = pc.and_(flat, pc.invert(pc.match_substring(texts, "\\")))
    key = re.escape(name)
    found = pc.extract_regex(texts, rf'[{{,]{key}:(?:"(?P<one>[^"\\]*)"|\["(?P<many>[^\]\\]*)"\])')
    read = pc.and_(flat, pc.is_valid(found)).to_numpy(zero_copy_only=False)
    one, many = (pc.struct_field(found.filter(pa.array(read)), part) for part in ("one", "many"))
    lists = pc.split_pattern(pc.if_else(pc.equal(many, ""), one, many), '","')
    owner = named[read][pc.list_parent_indices(lists).to_numpy().astype(np.int64)]
    values = lists.flatten()
    # A quote left inside stands between a text and something that is none: ["a",1,"b"].
    mixed = np.unique(owner[pc.match_substring(values, '"').to_numpy(zero_copy_only=False)])
    plain = ~np.isin(owner, mixed) & pc.not_equal(values, "").to_numpy(zero_copy_only=False)
    slow = np.concatenate([named[~read], mixed])
    parsed = [(row, text) for row in slow.tolist() for text in _texts(json.loads(meta[row].as_py()).get(column))]
    rows = np.concatenate([owner[plain], np.array([row for row, _ in parsed], np.int64)])
    whole = pa.concat_arrays([values.filter(pa.array(plain)), pa.array([text for _, text in parsed], pa.string())])
    order = np.argsort(rows, kind="stable")
    return rows[order], whole.take(pa.array(order))


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON holds any value
    for one in value if isinstance(value, list) else [value]:
        if one not in (None, ""):
            yield one if isinstance(one, str) else canonical(one)
