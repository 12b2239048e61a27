"""explain: the whole story of one row in words, from the file it came from to its side of the split."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import refs
from pipeline.annotations import annotation_files, pseudonyms, read_annotations
from pipeline.recipe import STAGES
from pipeline.reopening import Reopened, is_reopened, read_reopened
from pipeline.snapshot import Snapshot
from schemas import Annotation, ConfigError, RunRecord

_SHOWN = 400


@dataclass(frozen=True)
class Chapter:
    """What one stage did with the row.

    Attributes:
        stage: Name of the stage, or `answers`.
        fate: kept, dropped, or not there.
        lines: Sentences.
    """

    stage: str
    fate: str
    lines: list[str]


def explain(data_root: Path, recipe: str, wanted: str) -> list[Chapter]:
    """Return the story of every row whose id begins with `wanted`, or whose origin it is.

    Raises:
        ConfigError: No such row in the newest runs of the recipe, or more than one id fits.
    """
    records = {stage: refs.newest(data_root, stage, recipe) for stage in STAGES}
    if records["ingest"] is None:
        raise ConfigError(
            f"recipe {recipe} has never run",
            where=str(data_root),
            fix=f"recipes here: {', '.join(refs.recipes_with(data_root, 'ingest')) or 'none; run `tuneloop data`'}",
        )
    ids = _matching_ids(data_root, records["ingest"], wanted)
    story: list[Chapter] = []
    for stage, record in records.items():
        if record is None:
            story.append(Chapter(stage, "not run", [f"`tuneloop data` has not come to {stage} yet"]))
            continue
        before = len(story)
        for fate, row in _rows(data_root, record, ids, wanted):
            story.append(Chapter(stage, fate, list(_TELL[stage](row)) + list(_why_dropped(fate, row))))
        if stage == "format" and len(story) > before:
            story += _answers(data_root, ids)
        if len(story) == before:
            break  # dropped earlier: later stages never saw it
    return story


def _matching_ids(data_root: Path, record: RunRecord, wanted: str) -> set[str]:
    ids: set[str] = set()
    found = False
    for _, row in _rows(data_root, record, set(), wanted):
        found = True
        ids |= {row["id"]} - {None}
    if not found:
        raise ConfigError(
            f"no row with id or origin {wanted!r}",
            where=f"recipe {record.recipe}, stage ingest, run {record.number}",
            fix="give an id (its first digits will do) or an origin such as data/sample/alpaca.json:12; "
            "`tuneloop show ingest` prints some",
        )
    if len(ids) > 1 and ":" not in wanted:
        raise ConfigError(
            f"{len(ids)} ids begin with {wanted!r}", where="explain ID", fix=f"give more digits: {sorted(ids)[0]} ..."
        )
    return ids


def _rows(data_root: Path, record: RunRecord, ids: set[str], wanted: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (kept or dropped, row) for rows of these ids, or failing these, of this origin or id prefix."""
    folder = data_root / record.stage
    kept = [folder / record.version / file.name for file in Snapshot.open(folder, record.version).manifest.files]
    dropped = [folder / "dropped" / file.name for file in record.dropped]
    for fate, paths in (("kept", kept), ("dropped", dropped)):
        for path in paths:
            for batch in Snapshot.read_part(path):
                for row in batch.filter(_fits(batch, ids, wanted)).to_pylist():
                    yield fate, row


def _fits(batch: pa.RecordBatch, ids: set[str], wanted: str) -> pa.Array:
    if ids:
        return pc.fill_null(pc.is_in(batch.column("id"), value_set=pa.array(sorted(ids), pa.string())), False)
    if ":" in wanted:
        # The tail will do: a person types the file's name, not its folder.
        origin = batch.column("origin")
        return pc.or_(pc.equal(origin, wanted), pc.ends_with(origin, f"/{wanted}"))
    return pc.fill_null(pc.starts_with(batch.column("id"), wanted.lower()), False)


def _tell_ingest(row: Mapping[str, Any]) -> Iterator[str]:
    if "raw" in row:
        yield f"read from {row['origin']} (source {row['source']})"
        yield f"as it stands there: {_short(row['raw'])}"
        return
    yield f"read from {row['origin']} (source {row['source']}) for template {row['template']}; id {row['id']}"
    for field in row["fields"]:
        yield f"{field['name']}: {_short(field['value'])}"
    for turn in row["turns"]:
        yield f"{turn['role']}: {_short(turn['content'] or turn['tool_calls'])}"
    if row["marks"]:
        yield f"noticed: {', '.join(row['marks'])}"


def _tell_dedupe(row: Mapping[str, Any]) -> Iterator[str]:
    if "group" in row:
        yield "no better copy was found" if row["group"] == row["id"] else f"stands in the group of {row['group']}"
        if row["marks"]:
            yield f"marks: {', '.join(row['marks'])}"


def _tell_format(row: Mapping[str, Any]) -> Iterator[str]:
    if "paraphrase" in row:
        wording = f"wording {row['paraphrase']!r} of" if row["paraphrase"] else "as a conversation by"
        yield f"rendered with {wording} template {row['template']}"
        yield f"{row['n_prompt_tokens']} prompt tokens, {row['n_completion_tokens']} completion tokens"
        for turn in [*row["prompt"], *row["completion"]]:
            yield f"{turn['role']}: {_short(turn['content'] or turn['tool_calls'])}"


def _tell_annotate(row: Mapping[str, Any]) -> Iterator[str]:
    if "status" not in row:
        return
    yield f"status {row['status']}" + (" (an older answer no longer fits)" if "stale" in row["marks"] else "")
    if row["votes"]:
        votes = (f"{who} {vote}" for who, vote in zip(row["annotators"], row["votes"], strict=True))
        yield f"votes: {', '.join(votes)}"
    if row["edited_from"] is not None:
        yield f"edited from: {_short(row['edited_from'])}"
        yield f"to: {_short(row['completion'][-1]['content'])}"


def _tell_split(row: Mapping[str, Any]) -> Iterator[str]:
    if "split" in row:
        yield f"stands in {row['split']}, for good"


def _why_dropped(fate: str, row: Mapping[str, Any]) -> Iterator[str]:
    if fate == "dropped":
        yield f"dropped as {row['reason']}: {row['detail']}"
        if row["partner_id"]:
            score = "" if row["score"] is None else f", similarity {row['score']:.3f}"
            yield f"because of {row['partner_id']} ({row['partner_origin']}){score}"


def _answers(data_root: Path, ids: set[str]) -> list[Chapter]:
    files = annotation_files(data_root).values()
    names = pseudonyms(files)
    answers = [answer for answer in read_annotations(files) if answer.example in ids]
    reopened = read_reopened(files)
    return [
        Chapter("answers", names.get(answer.annotator, "?"), list(_tell_answer(answer, reopened))) for answer in answers
    ]


def _tell_answer(answer: Annotation, reopened: Reopened) -> Iterator[str]:
    yield f"{answer.created_at}: {answer.verdict}" + (" (adjudicated)" if answer.adjudicated else "")
    if answer.preferred is not None:
        yield f"which is better: {answer.preferred}, of a: {_short(answer.seen.response)}"
        yield f"and b: {_short(answer.seen.other)}"
    else:
        yield f"saw: {_short(answer.seen.response)}"
    if answer.response is not None:
        yield f"wrote: {_short(answer.response)}"
    if answer.error_types:
        yield f"error types: {', '.join(answer.error_types)}"
    if answer.comment:
        yield f"comment: {_short(answer.comment)}"
    if answer.contradiction:
        yield f"verdict and text disagreed: {answer.contradiction}"
    if is_reopened(answer, reopened):
        yield f"to be given again: {reopened[answer.key, answer.created_at][1]}"


def _short(text: str | None) -> str:
    """Return at most 400 characters on one line; what is cut is said."""
    line = " ⏎ ".join((text or "").splitlines())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}... ({len(line):,} characters)"


_TELL = {
    "ingest": _tell_ingest,
    "dedupe": _tell_dedupe,
    "format": _tell_format,
    "annotate": _tell_annotate,
    "split": _tell_split,
}
