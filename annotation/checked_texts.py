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
_LABELS_FIELD = "labels"
# Tasks whose answers are scored by letters as translations are, and are none.
_NOT_TRANSLATED = ("correct-grammar", "write-code")
# Tasks in which a text may rightly come back as it was: it had no mistake.
_UNCHANGED = ("correct-grammar",)
# Tasks in which declining is often right.
_DECLINING = ("refusal",)


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
    """Names of the templates whose answers have a form that can be checked, or may have one that is wrong elsewhere.

    Attributes:
        json: They ask for JSON.
        translation: They ask for a translation.
        label: They ask for one label.
        several: They ask for some of the labels in the field `labels`, with commas between.
        document: They have a text to work on, which asks for nothing itself.
        unchanged: The answer may be the text as it was.
        declining: The answer may be a refusal.
    """

    json: Collection[str]
    translation: Collection[str]
    label: Collection[str] = ()
    several: Collection[str] = ()
    document: Collection[str] = ()
    unchanged: Collection[str] = ()
    declining: Collection[str] = ()

    @staticmethod
    def of(templates: Mapping[str, Template]) -> "Kinds":
        """Return which templates are of which kind, known by how their answers are scored, their fields and tasks."""

        def scored(*metrics: str) -> list[str]:
            return [name for name, template in templates.items() if template.metrics[0] in metrics]

        def of_task(*tasks: str) -> list[str]:
            return [name for name, template in templates.items() if template.task in tasks]

        spared = of_task(*_NOT_TRANSLATED)
        return Kinds(
            json=scored("json_match", "json_field_f1"),
            translation=[name for name in scored("chrf", "bleu") if name not in spared],
            label=scored("accuracy", "macro_f1"),
            several=[name for name in scored("list_f1") if _LABELS_FIELD in templates[name].fields],
            document=[name for name, one in templates.items() if any(field.document for field in one.fields.values())],
            unchanged=of_task(*_UNCHANGED),
            declining=of_task(*_DECLINING),
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
