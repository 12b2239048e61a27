"""Answers that are to be given again, because a guideline changed in what it asks: `reopened-000001.json`.

    {"at": "2026-11-27T10:00:00.000000Z", "guideline": "5d01...", "where": {"error_type": "wrong date"},
     "reason": "dates are written as in the text", "answers": [["ls:3:12", "<created>", "<updated>"]]}

Such an answer is taken as stale: its row is unreviewed again, with the marks `stale` and `reopened: <reason>`. When
the person sends the answer again, its time of update is later than the one written here, and it stands. Files are only
ever added, never changed, beside the answers in `data/annotations`.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import Field, ValidationError

from pipeline.joining import AnsweredRow, Joined
from pipeline.lock import locked
from pipeline.screen import seen_digest
from pipeline.snapshot import make_folder, write_whole
from schemas import Annotation, AnnotationError, Strict
from schemas.annotation import Moment

REOPENED = "reopened"
CONDITIONS = ("error_type", "verdict", "source", "round")
# (key, created_at) of an answer to its time of update and the reason.
Reopened = dict[tuple[str, str], tuple[str, str]]


class Reopening(Strict):
    """One decision of the lead's."""

    at: Moment
    guideline: str = Field(title="digest of the guideline the answers followed")
    where: dict[str, str] = Field(title="the condition, for people to read")
    reason: str = Field(min_length=1, max_length=200, pattern=r"^[^\r\n]*$", title="what the annotators are told")
    answers: list[tuple[str, Moment, Moment]] = Field(title="key, created_at and updated_at of each answer")


def touched(
    answers: Sequence[Annotation], guideline: str, where: Mapping[str, str], already: Reopened | None = None
) -> list[Annotation]:
    """Return the answers that a change of a guideline touches, in the order given.

    An example is touched when an answer about it, given under the guideline, fits the whole condition; then all
    answers about it under that guideline are returned, since one that stayed would settle the example unasked.

    Args:
        answers: Each answer once.
        guideline: Digest of the old guideline.
        where: One of `CONDITIONS` to the value it must have; empty fits all.
        already: Answers that are reopened, which are left out.
    """
    under = [answer for answer in answers if answer.guideline == guideline and not is_reopened(answer, already or {})]
    examples = {_subject(answer) for answer in under if _fits(answer, where)}
    return [answer for answer in under if _subject(answer) in examples]


def is_reopened(answer: Annotation, reopened: Reopened) -> bool:
    """Return whether an answer was reopened and not given again since."""
    found = reopened.get((answer.key, answer.created_at))
    return found is not None and answer.updated_at <= found[0]


def read_reopened(files: Iterable[Path]) -> Reopened:
    """Return every reopened answer with the reason of its latest reopening.

    Raises:
        AnnotationError: Files that are damaged, all at once.
    """
    found: Reopened = {}
    problems = []
    for path in sorted(path for path in files if path.name.startswith(f"{REOPENED}-")):
        try:
            one = Reopening.model_validate_json(path.read_bytes())
        except ValidationError as error:
            what = f"not a list of reopened answers: {error.errors()[0]['msg']}"
            problems.append(AnnotationError(what, where=str(path), fix="restore the file from a backup"))
            continue
        found.update({(key, created): (updated, one.reason) for key, created, updated in one.answers})
    if problem := AnnotationError.of(problems):
        raise problem
    return found


def add_reopening(data_root: Path, decision: Reopening) -> Path:
    """Write a decision into a new file and return it.

    Raises:
        SnapshotError: Somebody else is writing answers at this moment.
    """
    folder = make_folder(data_root / "annotations")
    with locked(folder, "the folder of people's answers"):
        numbers = [path.stem.removeprefix(f"{REOPENED}-") for path in folder.glob(f"{REOPENED}-*.json")]
        number = 1 + max((int(text) for text in numbers if text.isdecimal()), default=0)
        path = folder / f"{REOPENED}-{number:06d}.json"
        write_whole(path, json.dumps(decision.model_dump(), ensure_ascii=False) + "\n")
    return path


def with_reopened(joined: Joined, reopened: Reopened) -> Joined:
    """Return the same with reopened answers among the stale ones of their rows."""
    return replace(joined, rows=[_asked_again(row, reopened) for row in joined.rows]) if reopened else joined


def guidelines(answers: Sequence[Annotation]) -> dict[str, int]:
    """Return the digest of every guideline that answers followed, with how many did."""
    counts: dict[str, int] = defaultdict(int)
    for answer in answers:
        if answer.guideline:
            counts[answer.guideline] += 1
    return dict(counts)


def _asked_again(row: AnsweredRow, reopened: Reopened) -> AnsweredRow:
    again = [answer for answer in row.standing if is_reopened(answer, reopened)]
    if not again:
        return row
    standing = [answer for answer in row.standing if not is_reopened(answer, reopened)]
    reason = reopened[again[-1].key, again[-1].created_at][1]
    return replace(row, standing=standing, stale=[*row.stale, *again], reopened=reason)


def _fits(answer: Annotation, where: Mapping[str, str]) -> bool:
    values: dict[str, Sequence[str | None]] = {
        "error_type": answer.error_types,
        "verdict": [answer.verdict],
        "source": [answer.source],
        "round": [answer.round],
    }
    return all(value in values[name] for name, value in where.items())


def _subject(answer: Annotation) -> str:
    return answer.example or seen_digest(answer.seen)
