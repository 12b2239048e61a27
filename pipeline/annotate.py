"""The annotate stage: what people said of each example, as a status, and which of them a policy keeps.

A row of format, ``id 9f3c..., prompt [user "2 + 2?"], completion [assistant "5"]``, and the answers
``a1 edit "4"`` and ``a2 edit "4"`` become the row ``completion [assistant "4"], status edited, votes
[edit, edit], annotators [a1, a2], edited_from "5"``. Without any answer its status is unreviewed.
"""

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field, JsonValue

from pipeline.aggregation import Consensus, model_code, posteriors
from pipeline.annotations import annotation_files, pseudonyms, read_annotations
from pipeline.consensus import Rules
from pipeline.decision import DECISIONS, Decision, decide, rewritten
from pipeline.edit_check import checked
from pipeline.joining import Joined, join
from pipeline.practice import counting, passed
from pipeline.reopening import REOPENED, read_reopened, with_reopened
from pipeline.screen import shown_prompt
from pipeline.snapshot import PART_ROWS, Snapshot
from pipeline.stage import Inputs, Mapped, Place, Settings, Slice, State
from pipeline.synthetic import SYNTHETIC, UNREVIEWED_DRAFT, is_marked
from pipeline.tokens import check_tokenizer, load_counter
from schemas import Annotated, Annotation, AnnotationError, Formatted, GateError, arrow_schema, dropped_schema
from schemas.errors import MOST_SHOWN

TOKENIZER = "tokenizer.json"
CHECKED = ("accepted", "edited")
WAITING = (UNREVIEWED_DRAFT, "unreviewed", "stale", "conflict", "to_write", "disputed", "unsure")
_ANNOTATIONS, _DUPLICATES, _BENCHMARKS = "annotations/", "dedupe/dropped/", "benchmark "
_NOBODY = {
    "unreviewed": "nobody has reviewed it, and `require` wants that",
    "to_write": "nobody has written its response yet",
    UNREVIEWED_DRAFT: "a model wrote it and nobody has accepted it yet",
}


class Annotate(Settings):
    """Settings of the annotate stage."""

    name: ClassVar[str] = "annotate"
    makes: ClassVar[type[BaseModel]] = Annotated
    drops: ClassVar[type[BaseModel]] = Formatted

    require: Literal["any", "reviewed", "agreed"] = Field(
        default="any",
        title="which rows go on: any = all that people have not turned down, reviewed = those that somebody "
        "accepted or edited, agreed = those that two people or an adjudicator did",
    )
    same_edit_chrf: float = Field(
        default=1.0,
        gt=0,
        le=1,
        title="two people's edits agree from this chrF on, and the later stands; 1 = only where equal but for white "
        "space, since a changed digit leaves most texts above 0.95",
    )
    consensus: Consensus = Field(
        default="policy",
        title="what several people's verdicts come to: policy = all must agree, dawid-skene or mace = a model that "
        "learns how far to trust each person; an adjudicator's word wins under each",
    )
    min_posterior: float = Field(
        default=0.9,
        ge=0.5,
        le=1,
        title="how likely a model must hold a verdict to decide by it; below, the row is disputed",
    )
    max_orphans: float = Field(
        default=0.1,
        ge=0,
        le=1,
        title="share of the answers about this recipe's sources that may have lost their example before the run stops",
    )

    def inputs(self, place: Place) -> Inputs:
        """Declare people's answers, what dedupe dropped, benchmarks, and the tokenizer that counts edited text.

        Raises:
            ConfigError: There is no tokenizer.
        """
        dedupe = place.records.get("dedupe")
        dropped = [file.name for file in dedupe.dropped] if dedupe else []
        answers = annotation_files(place.data_root)
        files = {
            **{f"{_ANNOTATIONS}{name}": path for name, path in answers.items()},
            **{f"{_DUPLICATES}{name}": place.data_root / _DUPLICATES / name for name in dropped},
            **{f"{_BENCHMARKS}{name}": path for name, path in place.benchmarks.items()},
            TOKENIZER: check_tokenizer(place.tokenizer),
        }
        values: dict[str, JsonValue] = {"sources": list(place.sources)}
        if place.benchmarks:
            values["decontaminate"] = dict(place.decontaminate)
        if self.consensus != "policy":
            values["model"] = model_code()
        return Inputs(files=files, values=values)

    def prepare(self, parents: Mapping[str, Snapshot], inputs: Inputs, spill: Path, cache: Path | None = None) -> State:
        """Join the answers to the rows and write what they come to beside each row.

        Raises:
            AnnotationError: A file of answers is damaged, or a person has no pseudonym.
            GateError: More answers than `max_orphans` allows have no live example.
        """
        del cache
        files = _under(inputs, _ANNOTATIONS)
        everything = read_annotations(files)
        # Which of two answers is better says nothing of the example's own response.
        given = [answer for answer in everything if answer.verdict != "prefer"]
        answers = counting(given, passed(files))
        aside = {"preferences": len(everything) - len(given), "before_passing": len(given) - len(answers)}
        aside = {name: n for name, n in aside.items() if n}
        if not answers:
            return State(counts=aside)
        parent = parents["format"]
        joined = with_reopened(join(parent, answers, _under(inputs, _DUPLICATES)), read_reopened(files))
        counts, orphans = self._count_orphans(joined, inputs)
        names = _names(answers, inputs)
        believed, model_counts = posteriors(joined.rows, self.consensus)
        rules = Rules(self.same_edit_chrf, self.min_posterior)
        decisions = {row.position: decide(row, names, rules, believed.get(row.position)) for row in joined.rows}
        decisions = checked(decisions, joined.rows, _named(inputs, _BENCHMARKS), inputs.values.get("decontaminate"))
        path = _write(_counted(decisions, inputs.files[TOKENIZER]), parent.manifest.rows, spill / "answers.arrow")
        notes: dict[str, JsonValue] = {"orphans": [*_told(orphans)]} if orphans else {}
        counts = {**joined.counts, **counts, **model_counts, **aside, **_told_of(decisions), "answers": len(answers)}
        return State(rows=path, counts=counts, notes=notes)

    def map_inputs(self, inputs: Inputs) -> Inputs:
        """Return nothing: all that answers come to stands in the state, so one answer touches one part."""
        del inputs
        return Inputs()

    def map(self, batch: pa.RecordBatch, state: Slice) -> Mapped:
        """Give every row its status and keep what the policy keeps."""
        told = state.rows if state.rows is not None else _nothing(batch.num_rows)
        is_empty = pc.equal(pc.list_value_length(batch.column("completion")), 0)
        status = pc.coalesce(told.column("status"), pc.if_else(is_empty, "to_write", "unreviewed"))
        is_stale = pc.fill_null(told.column("is_stale"), False)
        batch = _with_marks(batch, is_stale, told.column("reopened"))
        is_draft = pc.and_(is_marked(batch.column("marks"), SYNTHETIC), pc.equal(status, "unreviewed"))
        keep = self._keep(status, pc.fill_null(told.column("is_confirmed"), False))
        keep = pc.and_(keep, pc.invert(is_draft))
        keep = pc.and_(keep, pc.is_null(told.column("repeats")))
        kept = _annotated(batch.filter(keep), told.filter(keep), status.filter(keep))
        leave = pc.invert(keep)
        reason = pc.if_else(is_draft, UNREVIEWED_DRAFT, status).filter(leave)
        dropped = _dropped(batch.filter(leave), told.filter(leave), reason)
        return Mapped(kept, dropped, _counts(status, is_stale, is_draft, batch.column("marks")))

    def check(self, output: Snapshot, inputs: Inputs, counts: Mapping[str, int], state: State) -> dict[str, JsonValue]:
        """Return how many rows wait for people, each under the first reason that applies."""
        del output, inputs, state
        return {"waiting": {reason: counts.get(f"waiting_{reason}", 0) for reason in WAITING}}

    def _keep(self, status: pa.Array, is_confirmed: pa.Array) -> pa.Array:
        checked = pc.is_in(status, value_set=pa.array(CHECKED))
        if self.require == "any":
            return pc.or_(checked, pc.equal(status, "unreviewed"))
        return checked if self.require == "reviewed" else pc.and_(checked, is_confirmed)

    def _count_orphans(self, joined: Joined, inputs: Inputs) -> tuple[dict[str, int], list[Annotation]]:
        """Return counts of the answers without a row, and ours; raise GateError if these are too many."""
        sources = set(_texts(inputs.values["sources"]))
        orphans = [answer for answer in joined.left_over if answer.source in sources]
        unplaced = sum(answer.source is None for answer in joined.left_over)
        ours = len(orphans) + sum(len(row.standing) + len(row.stale) for row in joined.rows)
        share = len(orphans) / max(ours, 1)
        if share > self.max_orphans:
            raise GateError(
                f"{len(orphans)} of {ours} answers about this recipe's sources ({share:.0%}) have no live "
                f"example; max_orphans allows {self.max_orphans:.0%}",
                where="\n    ".join(["stage annotate, data/annotations:", *_told(orphans)]),
                fix="look for what changed in these sources, such as mapped columns, `key`, `limit` or the "
                "template's name, and take it back; if the rows are gone for good, set [annotate] "
                f"max_orphans = {min(1.0, share + 0.01):.2f}",
            )
        others = len(joined.left_over) - len(orphans) - unplaced
        return {"orphans": len(orphans), "other_sources": others, "unplaced": unplaced}, orphans


def _told_of(decisions: Mapping[int, Decision]) -> dict[str, int]:
    """Return how many rows a model had a say in, and in how many edits agree that are not equal."""
    says = Tally(f"model_{one.model_says}" for one in decisions.values() if one.model_says is not None)
    near = sum(one.is_near for one in decisions.values())
    return {**dict(sorted(says.items())), **({"edits_alike": near} if near else {})}


def _named(inputs: Inputs, prefix: str) -> dict[str, Path]:
    return {name.removeprefix(prefix): path for name, path in inputs.files.items() if name.startswith(prefix)}


def _under(inputs: Inputs, prefix: str) -> list[Path]:
    return [*_named(inputs, prefix).values()]


def _texts(value: JsonValue) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _told(orphans: Sequence[Annotation]) -> list[str]:
    lines = []
    for answer in orphans[:MOST_SHOWN]:
        start = " ".join(" ".join(text for _, text in shown_prompt(answer.seen)).split())[:60]
        lines.append(f"{answer.key} ({answer.source}): {start}")
    more = len(orphans) - len(lines)
    return [*lines, f"and {more} more"] if more else lines


def _names(answers: Sequence[Annotation], inputs: Inputs) -> dict[str, str]:
    """Return annotator to pseudonym, complete.

    Raises:
        AnnotationError: Somebody who answered has none.
    """
    names = pseudonyms(_under(inputs, _ANNOTATIONS))
    nameless = len({answer.annotator for answer in answers} - set(names))
    if nameless:
        raise AnnotationError(
            f"{nameless} annotators have no pseudonym",
            where=f"{_ANNOTATIONS}people.json",
            fix="restore the file from a backup; without one, import an export of theirs again, "
            "which gives them new pseudonyms",
        )
    return names


def _counted(decisions: Mapping[int, Decision], tokenizer: Path) -> dict[int, Decision]:
    """Return the decisions with the token counts of rewritten completions."""
    changed = [decision for decision in decisions.values() if decision.response is not None]
    if not changed:
        return dict(decisions)
    texts = [text for decision in changed for text in (decision.edited_from or "", decision.response)]
    lengths = iter(load_counter(tokenizer).count(pa.array(texts, pa.string())).to_pylist())
    # Counts add up over messages, so only the message that changed is counted, before and after.
    return {
        position: decision
        if decision.response is None
        else decision.with_tokens(decision.n_completion_tokens - next(lengths) + next(lengths))
        for position, decision in decisions.items()
    }


def _write(decisions: Mapping[int, Decision], n_rows: int, path: Path) -> Path:
    """Write one row of `DECISIONS` for each row of the parent, null where nobody answered."""
    positions = np.array(sorted(decisions), np.int64)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, DECISIONS) as writer:
        for start in range(0, n_rows, PART_ROWS):
            n = min(PART_ROWS, n_rows - start)
            here = positions[np.searchsorted(positions, start) : np.searchsorted(positions, start + n)]
            if not len(here):
                writer.write_batch(_nothing(n))
                continue
            rows = pa.RecordBatch.from_pylist([decisions[at].row() for at in here.tolist()], DECISIONS)
            # Rows without a decision take the null row that stands after the decided ones.
            take = np.full(n, len(here), np.int64)
            take[here - start] = np.arange(len(here))
            both = pa.concat_batches([rows, _nothing(1)])
            writer.write_batch(both.take(pa.array(take)))
    return path


def _nothing(n: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(n, field.type) for field in DECISIONS], schema=DECISIONS)


def _replaced(column: pa.Array, where: pa.Array, values: list[Any]) -> pa.Array:
    """Return the column with `values`, in order, at the rows where the mask is true."""
    take = np.arange(len(column))
    take[where.to_numpy(zero_copy_only=False)] = len(column) + np.arange(len(values))
    return pa.concat_arrays([column, pa.array(values, column.type)]).take(pa.array(take))


def _set(batch: pa.RecordBatch, name: str, column: pa.Array) -> pa.RecordBatch:
    return batch.set_column(batch.schema.get_field_index(name), batch.schema.field(name), column)


def _with_marks(batch: pa.RecordBatch, is_stale: pa.Array, reopened: pa.Array) -> pa.RecordBatch:
    if not is_stale.true_count:
        return batch
    known, reasons = (column.filter(is_stale).to_pylist() for column in (batch.column("marks"), reopened))
    marks = [
        [*marks, "stale", *([f"{REOPENED}: {why}"] if why else [])] for marks, why in zip(known, reasons, strict=True)
    ]
    return _set(batch, "marks", _replaced(batch.column("marks"), is_stale, marks))


def _annotated(batch: pa.RecordBatch, told: pa.RecordBatch, status: pa.Array) -> pa.RecordBatch:
    """Return kept rows with the columns of `Annotated`, edits in place."""
    is_changed = pc.is_valid(told.column("response"))
    if is_changed.true_count:
        edits = told.filter(is_changed).select(["response", "turn"]).to_pylist()
        before = batch.column("completion").filter(is_changed).to_pylist()
        after = [
            rewritten(messages, edit["response"], edit["turn"]) for messages, edit in zip(before, edits, strict=True)
        ]
        batch = _set(batch, "completion", _replaced(batch.column("completion"), is_changed, after))
        counts = pc.coalesce(told.column("n_completion_tokens"), batch.column("n_completion_tokens"))
        batch = _set(batch, "n_completion_tokens", counts)
    none = pa.scalar([], pa.list_(pa.string()))
    columns = {
        **dict(zip(batch.schema.names, batch.columns, strict=True)),
        "status": status,
        "votes": pc.fill_null(told.column("votes"), none),
        "annotators": pc.fill_null(told.column("annotators"), none),
        "guideline": told.column("guideline"),
        "edited_from": told.column("edited_from"),
    }
    return _batch(columns, arrow_schema(Annotated))


def _dropped(batch: pa.RecordBatch, told: pa.RecordBatch, status: pa.Array) -> pa.RecordBatch:
    """Return dropped rows as they came, with the reason; accepted and edited rows lacked a second word."""
    reason = pc.if_else(pc.is_in(status, value_set=pa.array(CHECKED)), "unconfirmed", status)
    known = pa.array([*_NOBODY])
    nobody = pa.array([*_NOBODY.values()]).take(pc.fill_null(pc.index_in(status, value_set=known), 0))
    repeats = told.column("repeats")
    columns = {
        **dict(zip(batch.schema.names, batch.columns, strict=True)),
        "reason": pc.if_else(pc.is_valid(repeats), "benchmark", reason),
        "detail": pc.coalesce(repeats, told.column("detail"), nobody),
        "partner_id": pa.nulls(batch.num_rows, pa.string()),
        "partner_origin": pa.nulls(batch.num_rows, pa.string()),
        "score": told.column("score"),
    }
    return _batch(columns, dropped_schema(Formatted))


def _batch(columns: Mapping[str, pa.Array], schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([columns[field.name].cast(field.type) for field in schema], schema=schema)


def _counts(status: pa.Array, is_stale: pa.Array, is_draft: pa.Array, marks: pa.Array) -> dict[str, int]:
    """Return rows per status, and rows that wait for people per first reason that applies."""
    counts: Tally[str] = Tally({item["values"]: item["counts"] for item in pc.value_counts(status).to_pylist()})
    is_open = pc.equal(status, "unreviewed")
    why = pc.if_else(pc.and_(is_open, is_marked(marks, "conflict")), "conflict", status)
    why = pc.if_else(is_draft, UNREVIEWED_DRAFT, pc.if_else(is_stale, "stale", why))
    waiting = Tally({item["values"]: item["counts"] for item in pc.value_counts(why).to_pylist()})
    counts.update({f"waiting_{reason}": waiting[reason] for reason in WAITING if waiting[reason]})
    counts["stale"] = is_stale.true_count
    return dict(counts)
