r"""Renders every example into the messages a model is trained on, and counts their tokens.

    in    template "instruct", fields {instruction: "Add the numbers.", input: "2 and 3", response: "5"}
    out   prompt     [{role: user, content: "Add the numbers.\n\n2 and 3"}]
          completion [{role: assistant, content: "5"}]
          paraphrase "plain", n_prompt_tokens 9, n_completion_tokens 1

A conversation is not rendered: its last turn is the completion if it is the assistant's, the turns before it
are the prompt. The completion is empty while nobody has written it; such rows wait for people. Tokens are those
of contents, tool calls and, on the prompt's side, tool definitions.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field

from pipeline.messages import lengths, says_something, split_turns
from pipeline.preference import REJECTED
from pipeline.renderer import TOOLS, Renderer
from pipeline.rendering import RenderedRows, field_columns, in_order, render_rows
from pipeline.snapshot import Snapshot
from pipeline.stage import Inputs, Mapped, Place, Settings, Slice, State
from pipeline.template_file import read_template
from pipeline.tokens import check_tokenizer, load_counter
from schemas import ConfigError, Deduped, Formatted, arrow_schema, dropped_schema, nearest

_TEMPLATES, _TOKENIZER = "templates/", "tokenizer/tokenizer.json"
_KEPT, _DROPPED = arrow_schema(Formatted), dropped_schema(Deduped)


class Format(Settings):
    """Settings of the stage that renders and counts."""

    name: ClassVar[str] = "format"
    makes: ClassVar[type[BaseModel]] = Formatted
    drops: ClassVar[type[BaseModel]] = Deduped

    tokenizer: str = Field(
        default="data/sample/tokenizer",
        title="folder with the tokenizer.json that counts, best that of the model to train",
    )
    max_tokens: int = Field(
        default=2048, ge=1, title="rows with more tokens, prompt and completion together, are dropped, never cut"
    )

    def inputs(self, place: Place) -> Inputs:
        """Declare the templates in use and the tokenizer.

        Raises:
            ConfigError: One of them is not there.
        """
        files = {}
        for name in place.used_templates:
            if name not in place.templates:
                raise ConfigError(
                    f"there is no template {name!r}",
                    where=f"recipe {place.recipe}, sources",
                    fix=f"{nearest(name, place.templates)}; your own are found through template_dirs",
                )
            files[f"{_TEMPLATES}{name}.yaml"] = place.templates[name][1]
        return Inputs({**files, _TOKENIZER: check_tokenizer(place.tokenizer)})

    def prepare(self, parents: Mapping[str, Snapshot], inputs: Inputs, spill: Path, cache: Path | None = None) -> State:
        """Load the tokenizer once, so that a broken one is told before any row is read."""
        del cache
        del parents, spill
        return State(notes={"tokens_counted_by": load_counter(inputs.files[_TOKENIZER]).engine})

    def map(self, batch: pa.RecordBatch, state: Slice) -> Mapped:
        """Return the rendered rows, and those that cannot be rendered or are too long."""
        rows = _render(batch, _templates(state.inputs))
        tools = _field(batch, TOOLS)
        counter = load_counter(state.inputs.files[_TOKENIZER])
        n_prompt = pc.add(counter.count_messages(rows.prompt), counter.count(tools))
        n_completion = counter.count_messages(rows.completion)
        # Of two answers the longer one must fit: training on preferences reads both.
        n_longest = pc.max_element_wise(n_completion, counter.count(_field(batch, REJECTED)))
        reason, detail = self._too_long(rows, n_prompt, n_longest)
        columns = {name: batch.column(name) for name in Deduped.model_fields}
        made = {**rows._asdict(), "tools": tools, "n_prompt_tokens": n_prompt, "n_completion_tokens": n_completion}
        kept = _batch(columns | made, _KEPT, pc.is_null(reason))
        counts = {
            "to_write": pc.sum(pc.equal(pc.list_value_length(kept.column("completion")), 0)),
            "prompt_tokens": pc.sum(kept.column("n_prompt_tokens")),
            "completion_tokens": pc.sum(kept.column("n_completion_tokens")),
        }
        return Mapped(
            kept,
            _batch(columns | {"reason": reason, "detail": detail}, _DROPPED, pc.is_valid(reason)),
            {name: total.as_py() or 0 for name, total in counts.items()},
        )

    def _too_long(
        self, rows: RenderedRows, n_prompt: pa.Int64Array, n_completion: pa.Int64Array
    ) -> tuple[pa.StringArray, pa.StringArray]:
        """Return reason and detail, with the rows that pass the limit."""
        is_over = pc.and_(pc.greater(pc.add(n_prompt, n_completion), self.max_tokens), pc.is_null(rows.reason))
        sentence = pc.binary_join_element_wise(
            n_prompt.cast(pa.string()),
            " tokens of prompt and ",
            n_completion.cast(pa.string()),
            f" of completion are over max_tokens = {self.max_tokens}; raise it, or shorten the text",
            "",
        )
        return pc.if_else(is_over, "too_long", rows.reason), pc.if_else(is_over, sentence, rows.detail)


def _batch(columns: Mapping[str, pa.Array], schema: pa.Schema, mask: pa.BooleanArray) -> pa.RecordBatch:
    """Return the rows where `mask` holds; columns that are not given are null."""
    n = mask.true_count
    arrays = [
        columns[field.name].filter(mask).cast(field.type) if field.name in columns else pa.nulls(n, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _render(batch: pa.RecordBatch, templates: Mapping[str, Renderer | None]) -> RenderedRows:
    """Render the rows template by template, and give them back in their order."""
    names = batch.column("template").to_pylist()
    if unknown := sorted(set(names) - templates.keys()):
        raise ConfigError(
            f"rows use the template {unknown[0]!r}, which the recipe does not",
            where="stage format",
            fix=f"{nearest(unknown[0], templates)}; or run `tuneloop data` again from ingest on",
        )
    used = sorted(set(names))
    if not used:
        return _render_turns(batch)
    if len(used) == 1:
        return _render_one(batch, templates[used[0]])
    rows = [[row for row, name in enumerate(names) if name == each] for each in used]
    groups = [_render_one(batch.take(pa.array(some)), templates[each]) for each, some in zip(used, rows, strict=True)]
    return in_order(groups, np.array([row for some in rows for row in some]))


def _render_one(batch: pa.RecordBatch, renderer: Renderer | None) -> RenderedRows:
    if renderer is None:
        return _render_turns(batch)
    return render_rows(batch.column("id"), batch.column("fields"), renderer)


def _render_turns(batch: pa.RecordBatch) -> RenderedRows:
    """Cut conversations into prompt and completion; nothing is rendered."""
    prompt, completion = split_turns(batch.column("turns"))
    is_answered = lengths(completion) > 0
    faults = {
        "the conversation has no text before its last assistant turn; give it a user turn": ~says_something(prompt),
        "the last assistant turn has neither text nor tool calls; write it, or take it out": is_answered
        & ~says_something(completion),
    }
    detail = np.full(batch.num_rows, None, object)
    for sentence, is_at_fault in faults.items():
        detail[is_at_fault] = sentence
    details = pa.array(detail, pa.string())
    reason = pc.if_else(pc.is_valid(details), "empty_render", pa.scalar(None, pa.string()))
    return RenderedRows(prompt, completion, pa.array([""] * batch.num_rows, pa.string()), reason, details)


def _field(batch: pa.RecordBatch, name: str) -> pa.StringArray:
    """Return the value of each row's field of this name; null where there is none."""
    value = field_columns(batch.column("fields"), [name])[name]
    return pc.if_else(pc.equal(value, ""), None, value)


def _templates(inputs: Inputs) -> dict[str, Renderer | None]:
    """Return the renderer of each template in use; None for conversations."""
    paths = [path for name, path in inputs.files.items() if name.startswith(_TEMPLATES)]
    return dict(_renderer(path, _stamp(path)) for path in paths)


def _stamp(path: Path) -> tuple[int, int]:
    """Return what changes when a file does, so that a worker process reads each version once."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=256)
def _renderer(path: Path, stamp: tuple[int, int]) -> tuple[str, Renderer | None]:
    del stamp
    template = read_template(path)
    return template.name, None if template.chat else Renderer(template)
