"""The texts that rule checks read: each row's answer and the prompt it answers, as Arrow columns.

A row ``prompt [user "Why?"], completion [assistant " Because. "], template instruct`` gives answer ``Because.``, prompt
``Why?`` and template ``instruct``.
"""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.messages import lengths
from schemas import Template

CHECKED = ["template", "marks", "prompt", "completion"]


class Texts(NamedTuple):
    """The texts of some rows, without white space at their ends.

    Attributes:
        answer: The last message of the completion; null where a tool is called instead.
        prompt: The last message of the prompt.
        template: Name of each row's template.
    """

    answer: pa.Array
    prompt: pa.Array
    template: pa.Array


class Kinds(NamedTuple):
    """Names of the templates whose answers have a form that can be checked."""

    json: Collection[str]
    translation: Collection[str]
    label: Collection[str] = ()

    @staticmethod
    def of(templates: Mapping[str, Template]) -> "Kinds":
        """Return which templates ask for JSON, a translation or a label, known by how their answers are scored."""

        def scored(*metrics: str) -> list[str]:
            return [name for name, template in templates.items() if template.metrics[0] in metrics]

        return Kinds(
            json=scored("json_match", "json_field_f1"),
            translation=scored("chrf", "bleu"),
            label=scored("accuracy", "macro_f1"),
        )


def texts_of(batch: pa.RecordBatch) -> Texts:
    """Return the texts of a batch with the columns template, prompt and completion."""
    return Texts(
        answer=_last_text(batch.column("completion")),
        prompt=_last_text(batch.column("prompt")),
        template=batch.column("template"),
    )


def each(texts: Texts, is_asked: pa.Array, is_bad: Callable[[str, str], bool]) -> pa.Array:
    """Return what a Python function of answer and prompt says of the rows that a kernel has picked; False elsewhere.

    No kernel parses, or compares two columns. The kernel must leave few rows: Python looks at each of them.
    """
    asked = pc.fill_null(pc.and_(is_asked, pc.is_valid(texts.answer)), False)
    places = np.flatnonzero(asked.to_numpy(zero_copy_only=False))
    answers, prompts = texts.answer.take(places).to_pylist(), texts.prompt.take(places).to_pylist()
    found = np.zeros(len(texts.answer), bool)
    found[places] = [is_bad(answer, prompt or "") for answer, prompt in zip(answers, prompts, strict=True)]
    return pa.array(found)


def of_templates(texts: Texts, names: Collection[str]) -> pa.Array:
    """Return which rows are of one of these templates."""
    return pc.is_in(texts.template, value_set=pa.array([*names], pa.string()))


def _last_text(messages: pa.ListArray) -> pa.Array:
    """Return the text of each list's last message; null where there is none or it calls a tool."""
    n_each = lengths(messages)
    flat = messages.flatten()
    last = pa.array(np.cumsum(n_each) - 1, pa.int64(), mask=n_each == 0)
    text = pc.utf8_trim_whitespace(pc.struct_field(flat, "content").take(last))
    is_call = pc.is_valid(pc.struct_field(flat, "tool_calls").take(last))
    return pc.if_else(is_call, pa.scalar(None, pa.string()), text)
