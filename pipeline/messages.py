"""Lists of messages as Arrow columns, built and cut without a Python object for each message."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas import Formatted, arrow_schema

LIST = arrow_schema(Formatted).field("prompt").type


class Sides(NamedTuple):
    """Prompts and completions, row by row."""

    prompt: pa.ListArray
    completion: pa.ListArray


def messages_of(roles: Sequence[str], contents: Sequence[pa.StringArray]) -> pa.ListArray:
    """Return lists of as many messages as there are roles; `contents` holds a column for each of them."""
    n, k = len(contents[0]), len(roles)
    # Row by row: the first column's text, then the second's.
    order = np.arange(n * k).reshape(k, n).T.ravel()
    texts = contents[0] if k == 1 else pa.concat_arrays(contents).take(pa.array(order))
    spoken = pa.array(roles, pa.string()).take(pa.array(np.tile(np.arange(k), n)))
    given = {"role": spoken, "content": texts}
    fields = list(LIST.value_type)
    columns = [given.get(field.name, pa.nulls(n * k, field.type)) for field in fields]
    return _lists(np.full(n, k, np.int64), pa.StructArray.from_arrays(columns, fields=fields))


def message_lists(n_each: Sequence[int], roles: Sequence[str], contents: Sequence[str]) -> pa.ListArray:
    """Return lists of `n_each` messages that have a role and a content, in order."""
    n = len(contents)
    given = {"role": pa.array(roles, pa.string()), "content": pa.array(contents, pa.string())}
    fields = list(LIST.value_type)
    columns = [given.get(field.name, pa.nulls(n, field.type)) for field in fields]
    return _lists(np.asarray(n_each, np.int64), pa.StructArray.from_arrays(columns, fields=fields))


def split_turns(turns: pa.ListArray) -> Sides:
    """Return the last turn of each conversation as its completion if it is the assistant's, the rest as prompt."""
    n_each = lengths(turns)
    flat = turns.flatten().cast(LIST.value_type)
    last = (np.cumsum(n_each) - 1)[n_each > 0]
    is_last = np.zeros(len(flat), bool)
    is_last[last] = True
    is_assistant = pc.equal(pc.struct_field(flat, "role"), "assistant").to_numpy(zero_copy_only=False)
    is_answer = is_last & is_assistant.astype(bool)
    n_answers = per_list(n_each, is_answer)
    prompt = _lists(n_each - n_answers, flat.filter(pa.array(~is_answer)))
    return Sides(prompt, _lists(n_answers, flat.filter(pa.array(is_answer))))


def says_something(messages: pa.ListArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return for each list whether any of its messages has text that is not blank, or calls a tool."""
    flat = messages.flatten()
    text = pc.utf8_trim_whitespace(pc.struct_field(flat, "content"))
    has = pc.or_(pc.not_equal(text, ""), pc.is_valid(pc.struct_field(flat, "tool_calls")))
    return per_list(lengths(messages), has.to_numpy(zero_copy_only=False)) > 0


def lengths(lists: pa.ListArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return how many items each list has; the column may hold no null."""
    counts = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    return np.asarray(counts, np.int64)


def per_list(n_each: np.ndarray, values: np.ndarray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the sum of the values in each list, given the lists' lengths and all their values in a row."""
    sums = np.concatenate(([0], np.cumsum(values, dtype=np.int64)))
    return np.diff(sums[np.concatenate(([0], np.cumsum(n_each)))])


def _lists(n_each: np.ndarray, flat: pa.StructArray) -> pa.ListArray:
    offsets = np.concatenate(([0], np.cumsum(n_each))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), flat, type=LIST)
