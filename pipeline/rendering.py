r"""Renders a batch: texts that only put fields between words by whole columns, the others one by one.

    {instruction: "Add.", input: "2 and 3", response: "5"}, paraphrase "plain"
    ->  prompt [{user, "Add.\n\n2 and 3"}], completion [{assistant, "5"}]

Both ways give the same text; which rows go by columns is a matter of speed alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.concatenation import Field, Piece
from pipeline.messages import LIST, lengths, message_lists, messages_of
from pipeline.renderer import Plan, Renderer
from pipeline.sandbox import MAX_CHARS
from pipeline.wording import RenderError

_MOST_FIELDS = 62  # which of them are filled is one number of 64 bits
_FEWEST_ROWS = 16  # fewer of a kind cost less one by one


class RenderedRows(NamedTuple):
    """What became of rows; `reason` and `detail` are null for those that are kept so far."""

    prompt: pa.ListArray
    completion: pa.ListArray
    paraphrase: pa.StringArray
    reason: pa.StringArray
    detail: pa.StringArray


def render_rows(ids: pa.StringArray, fields: pa.ListArray, renderer: Renderer) -> RenderedRows:
    """Return the rows of a single-turn template, rendered, in their order."""
    paraphrases = list(map(renderer.paraphrase_of, ids.to_pylist()))
    values = {name: column.fill_null("") for name, column in field_columns(fields, renderer.fields).items()}
    groups: list[RenderedRows] = []
    order: list[np.ndarray] = []
    alone = np.ones(len(ids), bool)
    for rows, plan, paraphrase in _kinds(values, paraphrases, renderer):
        mine = {name: column.take(pa.array(rows)) for name, column in values.items()}
        made, is_sure = _joined(mine, plan, renderer)
        alone[rows[is_sure]] = False
        sure = pa.array(is_sure)
        n = int(is_sure.sum())
        words = pa.array([paraphrase], pa.string()).take(pa.array(np.zeros(n, np.int64)))
        nothing = pa.nulls(n, pa.string())
        groups.append(RenderedRows(made.prompt.filter(sure), made.completion.filter(sure), words, nothing, nothing))
        order.append(rows[is_sure])
    if alone.any() or not groups:
        rows = np.flatnonzero(alone)
        some = [paraphrases[row] for row in rows]
        groups.append(_each(_dicts(fields.take(pa.array(rows))), some, renderer))
        order.append(rows)
    return in_order(groups, np.concatenate(order))


def in_order(groups: Sequence[RenderedRows], rows: np.ndarray) -> RenderedRows:
    """Return the groups' rows as one, the first of them at the place `rows` says first, and so on."""
    if len(groups) == 1:
        return groups[0]
    order = pa.array(np.argsort(rows))
    kinds = (LIST, LIST, pa.string(), pa.string(), pa.string())
    columns = zip(kinds, zip(*groups, strict=True), strict=True)
    return RenderedRows(*(pa.concat_arrays([pa.array([], kind), *some]).take(order) for kind, some in columns))


def _kinds(
    values: Mapping[str, pa.StringArray], paraphrases: list[str], renderer: Renderer
) -> Iterator[tuple[np.ndarray, Plan, str]]:
    """Yield rows that can be joined, by paraphrase and by which fields have values; too few of a kind stay out."""
    if len(values) > _MOST_FIELDS:
        return
    names = list(renderer.template.prompts)
    number = {name: n for n, name in enumerate(names)}
    kind = np.fromiter((number[each] for each in paraphrases), np.int64, len(paraphrases))
    bits = np.zeros(len(kind), np.int64)
    n_bytes = np.zeros(len(kind), np.int64)
    for n, column in enumerate(values.values()):
        size = pc.binary_length(column).to_numpy(zero_copy_only=False).astype(np.int64)
        bits |= (size > 0).astype(np.int64) << n
        n_bytes += size
    is_small = n_bytes <= MAX_CHARS
    for which, name in enumerate(names):
        mine = np.flatnonzero((kind == which) & is_small)
        found, at = np.unique(bits[mine], return_inverse=True)
        for n, pattern in enumerate(found.tolist()):
            rows = mine[at == n]
            if len(rows) < _FEWEST_ROWS:
                continue
            filled = frozenset(field for place, field in enumerate(values) if pattern >> place & 1)
            if plan := _plan(renderer, name, filled):
                yield rows, plan, name


@lru_cache(maxsize=4096)
def _plan(renderer: Renderer, paraphrase: str, filled: frozenset[str]) -> Plan | None:
    return renderer.plan(paraphrase, filled)


class _Texts(NamedTuple):
    prompt: pa.ListArray
    completion: pa.ListArray


def _joined(values: Mapping[str, pa.StringArray], plan: Plan, renderer: Renderer) -> tuple[_Texts, np.ndarray]:
    """Return the messages, and which rows are surely as `Renderer.render` makes them: neither long nor blank."""
    n = len(next(iter(values.values())))
    system, prompt = _join(plan.system, values, n), _join(plan.prompt, values, n)
    texts, roles, completion = [prompt], ["user"], message_lists([0] * n, [], [])
    is_sure = _is_sure(prompt)
    if plan.system:
        texts, roles = [system, prompt], ["system", "user"]
        is_sure &= pc.binary_length(system).to_numpy(zero_copy_only=False) <= MAX_CHARS
    if plan.is_answered:
        response = _join(plan.response, values, n) if plan.response is not None else _responses(values, renderer)
        completion = messages_of(["assistant"], [response])
        is_sure &= _is_sure(response)
    return _Texts(messages_of(roles, texts), completion), is_sure


def _is_sure(text: pa.StringArray) -> np.ndarray:
    """Return which texts are as `Renderer.render` makes them for sure: neither long nor blank."""
    sure: np.ndarray = np.logical_and(np.asarray(pc.binary_length(text)) <= MAX_CHARS, _says_something(text))
    return sure


def _responses(values: Mapping[str, pa.StringArray], renderer: Renderer) -> pa.StringArray:
    """Return responses rendered one by one, empty where one cannot be."""
    made = []
    for row in zip(*(column.to_pylist() for column in values.values()), strict=True):
        try:
            made.append(renderer.response(dict(zip(values, row, strict=True))))
        except RenderError:
            made.append("")
    return pa.array(made, pa.string())


def _join(pieces: tuple[Piece, ...], values: Mapping[str, pa.StringArray], n: int) -> pa.StringArray:
    parts = [values[piece.name] if isinstance(piece, Field) else pa.scalar(piece) for piece in pieces]
    if not any(isinstance(part, pa.Array) for part in parts):
        return pa.array(["".join(str(part) for part in parts)]).take(pa.array(np.zeros(n, np.int64)))
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "")


def _says_something(text: pa.StringArray) -> np.ndarray:
    """Return which texts surely hold a character that is not blank."""
    found = pc.match_substring_regex(text, "[!-~]").to_numpy(zero_copy_only=False)
    if not found.all():  # classes beyond ASCII are slow
        rest = np.flatnonzero(~found)
        wide = pc.match_substring_regex(text.take(pa.array(rest)), r"[^\s\p{Z}\p{C}]")
        found = found.copy()
        found[rest] = wide.to_numpy(zero_copy_only=False)
    return np.asarray(found, bool)


def field_columns(fields: pa.ListArray, names: Sequence[str]) -> dict[str, pa.StringArray]:
    """Return the values of each of these fields, null where a row has none."""
    flat = fields.flatten()
    name, value = pc.struct_field(flat, "name"), pc.struct_field(flat, "value")
    owner = np.repeat(np.arange(len(fields)), lengths(fields))
    found = {}
    for each in names:
        is_it = pc.equal(name, each).to_numpy(zero_copy_only=False).astype(bool)
        at = np.full(len(fields), -1)
        at[owner[is_it]] = np.flatnonzero(is_it)
        found[each] = value.take(pa.array(at, mask=at < 0))
    return found


def _dicts(fields: pa.ListArray) -> list[dict[str, str]]:
    flat = fields.flatten()
    pairs = zip(pc.struct_field(flat, "name").to_pylist(), pc.struct_field(flat, "value").to_pylist(), strict=True)
    return [dict(islice(pairs, n)) for n in lengths(fields).tolist()]


def _each(rows: Sequence[Mapping[str, str]], paraphrases: Sequence[str], renderer: Renderer) -> RenderedRows:
    """Render rows one by one, each with its own error."""
    n_prompt, roles, prompts, n_response, responses = [], [], [], [], []
    reasons: list[str | None] = []
    details: list[str | None] = []
    told = list(paraphrases)
    for at, (row, paraphrase) in enumerate(zip(rows, paraphrases, strict=True)):
        try:
            system, prompt, response, _ = renderer.render_as(row, paraphrase)
        except RenderError as error:
            n_prompt.append(0)
            n_response.append(0)
            told[at] = ""
            reasons.append(error.reason)
            details.append(str(error))
            continue
        if system:
            roles.append("system")
            prompts.append(system)
        roles.append("user")
        prompts.append(prompt)
        n_prompt.append(2 if system else 1)
        n_response.append(0 if response is None else 1)
        if response is not None:
            responses.append(response)
        reasons.append(None)
        details.append(None)
    return RenderedRows(
        message_lists(n_prompt, roles, prompts),
        message_lists(n_response, ["assistant"] * len(responses), responses),
        pa.array(told, pa.string()),
        pa.array(reasons, pa.string()),
        pa.array(details, pa.string()),
    )
