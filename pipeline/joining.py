"""Which row each answer is about: by id, by the id of a dropped duplicate, else by what was seen.

    answer about 9f3c..., row 9f3c... shows the same text    -> stands
    answer about 9f3c..., dropped as a duplicate of 77ab...  -> counts as given for 77ab...
    answer about an unknown id, one row shows the same text  -> stands for that row
    answer about an unknown id, one row has the same prompt  -> stale there
    none of these                                            -> left over

Only rows with answers are ever held, so a parent of any size needs memory for the answers alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.screen import ShownPrompt, screen, seen_digest, shown_prompt, stands
from pipeline.snapshot import Snapshot
from schemas import Annotation, Seen

COLUMNS = ["id", "prompt", "completion", "n_completion_tokens"]


@dataclass(frozen=True)
class AnsweredRow:
    """A row that people have answered.

    Attributes:
        position: Number of the row within the parent.
        completion: Its completion messages as they are now.
        now: What it shows today.
        standing: Answers that speak of what it shows today.
        stale: Answers that spoke of another text, or were reopened.
        reopened: Why answers were reopened; empty if none was.
    """

    position: int
    id: str
    completion: Sequence[Mapping[str, Any]]
    n_completion_tokens: int
    now: Seen
    standing: list[Annotation] = field(default_factory=list)
    stale: list[Annotation] = field(default_factory=list)
    reopened: str = ""


@dataclass(frozen=True)
class Joined:
    """Every answer in its place.

    Attributes:
        rows: Rows with answers, in the order of the parent.
        left_over: Answers without a row.
        counts: Answers that came by another way than their own id.
    """

    rows: list[AnsweredRow]
    left_over: list[Annotation]
    counts: dict[str, int]


def join(parent: Snapshot, answers: Sequence[Annotation], dropped: Sequence[Path]) -> Joined:
    """Return every answer beside its row.

    An answer to a dropped near-duplicate stands although the kept row's text differs a little: dedupe
    has verified that the two mean the same. Only where a response was written and the kept row has one
    by now is it stale.

    Args:
        parent: Snapshot with the columns of `COLUMNS`.
        answers: Each answer once.
        dropped: Parts with the columns id and partner_id: what dedupe dropped, and for which row.
    """
    ids = {answer.example for answer in answers if answer.example}
    partners = _partners(dropped, ids)
    rows = _rows_with_ids(parent, ids | set(partners.values()))
    by_id = {row.id: row for row in rows.values()}
    left_over, by_duplicate = [], 0
    for answer in answers:
        kept = _kept(answer.example, by_id, partners)
        if kept is None:
            left_over.append(answer)
        elif kept == answer.example:
            _place(answer, by_id[kept])
        else:
            by_duplicate += 1
            row = by_id[kept]
            (row.stale if answer.verdict == "write" and row.completion else row.standing).append(answer)
    still_left = _join_by_text(parent, rows, left_over) if left_over else []
    answered = [rows[position] for position in sorted(rows) if rows[position].standing or rows[position].stale]
    counts = {"by_duplicate": by_duplicate, "by_text": len(left_over) - len(still_left)}
    return Joined(answered, still_left, counts)


def _place(answer: Annotation, row: AnsweredRow) -> None:
    fits = stands(answer, row.now, len(row.completion))
    (row.standing if fits else row.stale).append(answer)


def _kept(example: str | None, live: Mapping[str, AnsweredRow], partners: Mapping[str, str]) -> str | None:
    """Return the live row that an id has become, following the chain of duplicates."""
    passed: set[str] = set()
    while example is not None and example not in live:
        if example in passed:
            return None
        passed.add(example)
        example = partners.get(example)
    return example


def _partners(dropped: Sequence[Path], ids: set[str]) -> dict[str, str]:
    """Return dropped id to the id it was dropped for, for these ids and for all that they lead to."""
    found: dict[str, str] = {}
    asked, new = set(ids), set(ids)
    while new:
        wanted = pa.array(sorted(new), pa.string())
        step: dict[str, str] = {}
        for path in dropped:
            for batch in Snapshot.read_part(path, ["id", "partner_id"]):
                known = pc.is_in(batch.column("id"), value_set=wanted)
                # Exact duplicates share an id, so what they were dropped for tells nothing.
                leads_on = pc.not_equal(batch.column("id"), batch.column("partner_id"))
                hit = batch.filter(pc.and_(known, pc.fill_null(leads_on, False)))
                step.update(zip(hit.column("id").to_pylist(), hit.column("partner_id").to_pylist(), strict=True))
        found = {**step, **found}
        new = set(step.values()) - asked
        asked |= new
    return found


def _rows_with_ids(parent: Snapshot, ids: set[str]) -> dict[int, AnsweredRow]:
    """Return position to row for the ids that are live."""
    if not ids:
        return {}
    wanted = pa.array(sorted(ids), pa.string())
    return {row.position: row for row in _read(parent, lambda batch: pc.is_in(batch.column("id"), value_set=wanted))}


def _read(parent: Snapshot, choose: Callable[[pa.RecordBatch], pa.Array]) -> Iterator[AnsweredRow]:
    """Yield the rows for which `choose`, a function from batch to mask, says true."""
    start = 0
    for batch in parent.batches(COLUMNS):
        mask = choose(batch)
        positions = np.flatnonzero(mask.to_numpy(zero_copy_only=False))
        for position, row in zip(positions.tolist(), batch.filter(mask).to_pylist(), strict=True):
            yield AnsweredRow(
                position=start + position,
                id=row["id"],
                completion=row["completion"],
                n_completion_tokens=row["n_completion_tokens"],
                now=screen(row["prompt"], row["completion"]),
            )
        start += batch.num_rows


def _join_by_text(parent: Snapshot, rows: dict[int, AnsweredRow], left_over: Sequence[Annotation]) -> list[Annotation]:
    """Place answers at the rows that show what they saw; return those that fit nowhere.

    Of several rows that show the very same the one with the smallest id is taken; a prompt alone must
    be the prompt of one row and no other.
    """
    by_seen: dict[str, AnsweredRow] = {}
    by_prompt: dict[ShownPrompt, list[AnsweredRow]] = {}
    digests = {seen_digest(answer.seen) for answer in left_over}
    prompts = {shown_prompt(answer.seen) for answer in left_over}
    texts = pa.array(sorted({text for prompt in prompts for _, text in prompt}), pa.string())
    # Few rows end in a prompt message with one of these texts; only they are looked at one by one.
    for row in _read(parent, lambda batch: pc.is_in(_last_texts(batch.column("prompt")), value_set=texts)):
        prompt, digest = shown_prompt(row.now), seen_digest(row.now)
        if prompt not in prompts:
            continue
        row = rows.setdefault(row.position, row)
        by_prompt.setdefault(prompt, []).append(row)
        if digest in digests and row.id <= by_seen.setdefault(digest, row).id:
            by_seen[digest] = row
    nowhere = []
    for answer in left_over:
        same = by_seen.get(seen_digest(answer.seen))
        alike = by_prompt.get(shown_prompt(answer.seen), [])
        if same is not None:
            _place(answer, same)
        elif len(alike) == 1:
            alike[0].stale.append(answer)
        else:
            nowhere.append(answer)
    return nowhere


def _last_texts(prompts: pa.Array) -> pa.Array:
    """Return the content of each prompt's last message; null for a prompt without messages."""
    ends = prompts.offsets.to_numpy()[1:].astype(np.int64) - 1
    lengths = pc.list_value_length(prompts).to_numpy(zero_copy_only=False)
    contents = pc.struct_field(prompts.values, "content")
    return contents.take(pa.array(ends, pa.int64(), mask=lengths == 0))
