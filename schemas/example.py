"""The example: one prompt/response pair or conversation, as each stage leaves it.

Every stage adds columns and renames none, so each class below is the one before it and a little more.
The Arrow schemas of all stages are derived from these classes in `schemas.arrow`.
"""

from typing import Literal, get_args

from pydantic import Field

from schemas.base import Strict

Role = Literal["system", "user", "assistant", "tool"]
Split = Literal["train", "validation", "test"]
# The lesser side first: of two rows that may not stand apart, the one on the lesser side goes.
SPLITS: tuple[Split, ...] = get_args(Split)
Status = Literal["accepted", "edited", "rejected", "disputed", "unsure", "unreviewed", "to_write"]


class Message(Strict):
    """One turn of a conversation."""

    role: Role = Field(title="who speaks")
    content: str = Field(title="the text; empty where a turn holds tool calls only")
    name: str | None = Field(default=None, title="the tool or person that speaks, where a source says so")
    tool_calls: str | None = Field(default=None, title="JSON list of calls: {id, type, function: {name, arguments}}")
    tool_call_id: str | None = Field(default=None, title="for role tool: the call this answers")
    weight: float | None = Field(default=None, title="share of the loss in training, 0 to 1; empty means 1")


class FieldValue(Strict):
    """One field of a template and its value in this example."""

    name: str
    value: str


class Ingested(Strict):
    """What ingest makes of one source row under one template."""

    id: str = Field(title="32 hex digits that outlive edits of anything but the text itself")
    source: str = Field(title="name of the source in the recipe")
    origin: str = Field(title="file:n; n is the physical line, or the record number in .json and .parquet")
    task: str = Field(title="task type of the template, such as summarize")
    template: str = Field(title="name of the template")
    fields: list[FieldValue] = Field(title="template fields in order of name; values after repair and redaction")
    turns: list[Message] = Field(title="the conversation; empty for single-turn templates")
    license: str | None = Field(title="licence of the source")
    meta: str = Field(title="JSON object of the columns named in `keep` and of the source's key")
    marks: list[str] = Field(title="what was noticed and did not drop the row: mojibake, pii:email, conflict, ...")


class Deduped(Ingested):
    """What dedupe keeps."""

    group: str = Field(title="smallest id of the examples that must stay on one side of the split")


class Formatted(Deduped):
    """What format renders."""

    prompt: list[Message] = Field(title="what the model is given")
    completion: list[Message] = Field(title="what it should answer; empty while nobody has written it")
    tools: str | None = Field(title="JSON list of tool definitions the prompt may call")
    paraphrase: str = Field(title="which wording of the template was used; empty for conversations")
    n_prompt_tokens: int = Field(title="tokens of the prompt's texts, tool calls and tools; no chat-template tokens")
    n_completion_tokens: int = Field(title="tokens of the completion's contents, likewise")


class Annotated(Formatted):
    """What annotate knows of the people's answers."""

    status: Status = Field(title="the outcome of the policy over all standing answers")
    votes: list[str] = Field(title="verdict of each annotator in `annotators`, in the same order")
    annotators: list[str] = Field(title="pseudonyms a1, a2, ... of those who answered")
    guideline: str | None = Field(title="digest of the guideline the newest answer followed")
    edited_from: str | None = Field(title="the response as it was before a person edited it")


class Example(Annotated):
    """A finished example, as training reads it."""

    split: Split


class Quarantined(Strict):
    """A source row that ingest could not use."""

    id: str | None = Field(title="set where the row could still be identified")
    source: str
    origin: str
    offset: int | None = Field(title="byte offset of the row in the (decompressed) file, where there is one")
    raw: str = Field(title="the row as it stands in the source; undecodable bytes as \\xNN")


class Drop(Strict):
    """Why a row was dropped; these columns follow the row's own in every dropped part."""

    reason: str = Field(title="one word, counted: exact_duplicate, malformed, leak, ...")
    detail: str = Field(title="a sentence")
    partner_id: str | None = Field(title="the kept row that made this one go")
    partner_origin: str | None
    score: float | None = Field(title="similarity to the partner, 0 to 1, 1 = same")
