"""People's answers on disk: `data/annotations/000001-<digest>.jsonl`, one `Annotation` a line.

Files are only ever added, never changed; of two records of one answer the later stands. Beside them
`people.json` gives every annotator the pseudonym under which the data know them (a1, a2, ...), `practice.json`
says who has passed the practice round and when (`pipeline.practice`), and `reopened-000001.json` which answers
are to be given again (`pipeline.reopening`).
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from pipeline.digest import value_digest
from pipeline.lock import locked
from pipeline.removed import removed_in
from pipeline.snapshot import make_folder, write_whole
from schemas import Annotation, AnnotationError

PEOPLE = "people.json"
_RESTORE = "restore the file from a backup; these files are written by tuneloop alone"


def annotation_files(data_root: Path) -> dict[str, Path]:
    """Return the files that hold people's answers by name, `people.json` included, in order."""
    folder = data_root / "annotations"
    return {
        path.name: path for path in sorted(folder.glob("*.json*")) if path.is_file() and not path.name.startswith(".")
    }


def read_annotations(files: Iterable[Path]) -> list[Annotation]:
    """Return every answer that was not withdrawn once, in its latest record, in order of creation then key.

    Two records are of one answer when key and time of creation agree: a Label Studio that was set up
    anew counts its ids from 1 again. An adjudicator's word stays one when the same record is imported
    again without naming the adjudicator.

    Raises:
        AnnotationError: Files that cannot be read and lines that are no annotation, all at once.
    """
    latest: dict[tuple[str, str], Annotation] = {}
    problems: list[AnnotationError] = []
    for where, line in _lines(files, problems):
        try:
            answer = Annotation.model_validate_json(line)
        except ValidationError as error:
            what = f"not an annotation: {error.errors()[0]['msg']}"
            problems.append(AnnotationError(what, where=where, fix=_RESTORE))
            continue
        identity = (answer.key, answer.created_at)
        before = latest.get(identity)
        if before is None or before.updated_at < answer.updated_at:
            latest[identity] = answer
        elif before.updated_at == answer.updated_at:
            adjudicated = before.adjudicated or answer.adjudicated
            latest[identity] = answer.model_copy(update={"adjudicated": adjudicated})
    if problem := AnnotationError.of(problems):
        raise problem
    standing = (answer for answer in latest.values() if not answer.withdrawn)
    return sorted(standing, key=lambda answer: (answer.created_at, answer.key))


def add_annotations(data_root: Path, answers: Iterable[Annotation]) -> tuple[Path | None, int]:
    """Write the records that are not there yet into a new file; return it and how many they are.

    Idempotent: the same records again add nothing and give (None, 0). Answers about removed rows are left out.

    Raises:
        AnnotationError: `people.json` cannot be read.
        SnapshotError: Somebody else is adding answers at this moment.
    """
    folder = make_folder(data_root / "annotations")
    with locked(folder, "the folder of people's answers"):
        files = annotation_files(data_root)
        known = {_in_full(line) for _, line in _lines(files.values(), [])}
        removed = removed_in(data_root)
        lines = [answer.model_dump_json() for answer in answers if not removed.refuses_answer(answer)]
        # People first: a name without answers harms nobody, an answer without a name would. Known
        # records are named too, so that importing again mends a lost `people.json`.
        _name_people(folder, (json.loads(line)["annotator"] for line in lines))
        new = [line for line in dict.fromkeys(lines) if line not in known]
        if not new:
            return None, 0
        number = 1 + max((int(name[:6]) for name in files if name[:6].isdigit()), default=0)
        path = folder / f"{number:06d}-{value_digest(new)[:12]}.jsonl"
        write_whole(path, "".join(line + "\n" for line in new))
        return path, len(new)


def name_people(data_root: Path, annotators: Iterable[str]) -> dict[str, str]:
    """Give people pseudonyms before they have answered; return everybody's. Nobody's ever changes.

    Raises:
        AnnotationError: `people.json` cannot be read.
        SnapshotError: Somebody else is adding answers at this moment.
    """
    folder = make_folder(data_root / "annotations")
    with locked(folder, "the folder of people's answers"):
        return _name_people(folder, annotators)


def pseudonyms(files: Iterable[Path]) -> dict[str, str]:
    """Return annotator to pseudonym (a1, a2, ...), as written in `people.json`; empty without it.

    Raises:
        AnnotationError: The file is damaged.
    """
    for path in files:
        if path.name == PEOPLE:
            try:
                names: dict[str, str] = json.loads(path.read_text("utf-8"))
            except ValueError as error:
                raise AnnotationError(f"not JSON: {error}", where=str(path), fix=_RESTORE) from error
            return names
    return {}


def _lines(files: Iterable[Path], problems: list[AnnotationError]) -> Iterator[tuple[str, str]]:
    """Yield place and text of every record; a file that is no UTF-8 joins the problems."""
    for path in sorted(files):
        if path.suffix != ".jsonl":
            continue
        try:
            # Not splitlines(): U+2028 and other separators may stand inside a JSON text.
            lines = path.read_text("utf-8").split("\n")
        except UnicodeDecodeError as error:
            problems.append(AnnotationError(f"not UTF-8: {error}", where=str(path), fix=_RESTORE))
            continue
        for number, line in enumerate(lines, start=1):
            if line:
                yield f"{path}:{number}", line


def _in_full(line: str) -> str:
    """Return a record as it would be written today: fields that came later have their defaults."""
    try:
        return Annotation.model_validate_json(line).model_dump_json()
    except ValidationError:
        return line


def _name_people(folder: Path, annotators: Iterable[str]) -> dict[str, str]:
    """Give new annotators the next pseudonyms and return everybody's."""
    names = pseudonyms([folder / PEOPLE] if (folder / PEOPLE).exists() else [])
    before = len(names)
    for annotator in annotators:
        names.setdefault(annotator, f"a{len(names) + 1}")
    if len(names) > before:
        write_whole(folder / PEOPLE, json.dumps(names, indent=1, ensure_ascii=False) + "\n")
    return names
