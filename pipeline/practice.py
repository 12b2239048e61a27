"""Who has passed the practice round, and so whose answers vote: `data/annotations/practice.json`.

    {"ann@example.org": "2026-11-02T10:00:00.000000Z"}

ann's answers last touched before that moment do not vote, later ones do; ben, who is not named, has no vote. Without
the file no practice is set and every answer votes. Practice answers themselves never vote, nor are they about rows
of the data; an adjudicator's word always counts, since it was the lead who named the adjudicator.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pipeline.lock import locked
from pipeline.snapshot import make_folder, write_whole
from schemas import Annotation, AnnotationError
from schemas.annotation import Moment

PURPOSE = "practice"
FILE = "practice.json"
_PASSED = TypeAdapter(dict[str, Moment])


def counting(answers: Sequence[Annotation], passed: Mapping[str, str] | None) -> list[Annotation]:
    """Return the answers that vote.

    Args:
        answers: Each answer once.
        passed: Annotator to the moment of passing; None where no practice is set.
    """
    real = [answer for answer in answers if answer.purpose != PURPOSE]
    if passed is None:
        return real
    return [
        answer
        for answer in real
        if answer.adjudicated or (answer.annotator in passed and answer.updated_at >= passed[answer.annotator])
    ]


def passed(files: Iterable[Path]) -> dict[str, str] | None:
    """Return annotator to the moment of passing; None if `practice.json` is not among the files.

    Raises:
        AnnotationError: The file is damaged.
    """
    for path in files:
        if path.name == FILE:
            try:
                return _PASSED.validate_json(path.read_bytes())
            except ValidationError as error:
                raise AnnotationError(
                    f"not a list of who passed when: {error.errors()[0]['msg']}",
                    where=str(path),
                    fix="restore it from a backup, or remove it and run `tuneloop annotate practice` again",
                ) from error
    return None


def record_passed(data_root: Path, newly: Mapping[str, str]) -> list[str]:
    """Add who passed to `practice.json`, which is made if missing; return the people who are new there, sorted.

    Who has passed stays so, from the first moment on, whatever becomes of the gold items or of later answers.

    Raises:
        AnnotationError: The file is damaged.
        SnapshotError: Somebody else is writing answers at this moment.
    """
    folder = make_folder(data_root / "annotations")
    with locked(folder, "the folder of people's answers"):
        path = folder / FILE
        known = passed([path] if path.exists() else [])
        new = {who: moment for who, moment in newly.items() if who not in (known or {})}
        if new or known is None:
            together = {**(known or {}), **new}
            write_whole(path, json.dumps(together, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    return sorted(new)
