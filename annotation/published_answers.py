"""People's answers as they leave the house: one row an answer that stands behind a row of a split.

    example   annotator  verdict  edited  error_types  guideline  day         split
    9f3c...   p3f0...    edit     true    [wrong fact] 5d01...    2026-11-27  train

Which answers stand is what the split itself says (`votes` and `annotators`); the rest comes from the answers on record.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from annotation.agreement import Line, agreement, comparable, strata_of
from pipeline import refs
from pipeline.annotations import annotation_files, pseudonyms, read_annotations
from pipeline.consensus import TEXT_VERDICTS
from pipeline.joining import join
from pipeline.practice import counting, passed
from pipeline.public_card import Answers
from pipeline.reopening import read_reopened, with_reopened
from pipeline.snapshot import PartWriter, Snapshot, make_folder
from schemas import SPLITS, Annotation, RunRecord, SnapshotError, arrow_schema
from schemas.publish import PublicAnswer

SCHEMA = arrow_schema(PublicAnswer)


@dataclass(frozen=True)
class Standing:
    """The answers about the rows that a split was made of.

    Attributes:
        by_example: Id of the row to its standing answers.
        people: Annotator to pseudonym in the data.
    """

    by_example: Mapping[str, list[Annotation]]
    people: Mapping[str, str]

    @property
    def everything(self) -> list[Annotation]:
        """All of them, those about rows that were dropped later included."""
        return [answer for answers in self.by_example.values() for answer in answers]


def standing_answers(data_root: Path, recipe: str, split: Snapshot) -> Standing:
    """Return the answers that stand today for the rows that were rendered for a split.

    Raises:
        AnnotationError: A file of answers is damaged.
        SnapshotError: What the split was made of is no longer in the store.
    """
    files = list(annotation_files(data_root).values())
    given = [answer for answer in read_annotations(files) if answer.verdict != "prefer"]
    answers = counting(given, passed(files))
    if not answers:
        return Standing({}, {})
    record = _record(data_root, recipe, "split", split.manifest.version)
    record = _record(data_root, recipe, "annotate", record.parents["annotate"])
    rendered = Snapshot.open(data_root / "format", record.parents["format"])
    record = _record(data_root, recipe, "format", record.parents["format"])
    dedupe = _record(data_root, recipe, "dedupe", record.parents["dedupe"])
    dropped = [data_root / "dedupe" / "dropped" / file.name for file in dedupe.dropped]
    joined = with_reopened(join(rendered, answers, dropped), read_reopened(files))
    return Standing({row.id: row.standing for row in joined.rows if row.standing}, pseudonyms(files))


def write_public_answers(split: Snapshot, standing: Standing, names: Mapping[str, str], folder: Path) -> Answers:
    """Write the answers behind the rows of a split, a file for each side that has some; return what they are.

    Args:
        split: A finished split.
        standing: As `standing_answers` gives it.
        names: Pseudonym in the data to public pseudonym.
        folder: Where the files go; made if there are answers.
    """
    by_side: dict[str, list[dict[str, Any]]] = {side: [] for side in SPLITS}
    by_pseudonym = {pseudonym: who for who, pseudonym in standing.people.items()}
    for row in _answered(split):
        answers = standing.by_example.get(row["id"], [])
        for vote, pseudonym in zip(row["votes"], row["annotators"], strict=True):
            answer = _latest(answers, by_pseudonym.get(pseudonym), vote)
            public = _public(row["id"], names[pseudonym], vote, answer, row["split"])
            by_side[row["split"]].append(public)
    for side, rows in by_side.items():
        if rows:
            make_folder(folder)
            writer = PartWriter(folder / f"{side}-00000-of-00001.parquet", SCHEMA)
            writer.write(pa.RecordBatch.from_pylist(rows, SCHEMA))
            writer.close()
    everybody = [one for rows in by_side.values() for one in rows]
    return Answers(len(everybody), frozenset(one["annotator"] for one in everybody))


def with_agreement(told: Answers, data_root: Path, recipe: str, standing: Standing, same_edit_chrf: float) -> Answers:
    """Return the same with how far people agreed on each question, by template and language."""
    answers = standing.everything
    if not told.n:
        return told
    lines = agreement(answers, strata_of(data_root, recipe, answers), same_edit_chrf=same_edit_chrf)
    n = sum(map(len, comparable(answers)))
    return Answers(told.n, told.people, tuple(_table(lines)), n)


def people_of(split: Snapshot) -> set[str]:
    """Return the pseudonyms in the data of everybody whose answer a row of a split carries."""
    found: set[str] = set()
    for batch in split.batches(["annotators"]):
        found |= set(pc.unique(batch.column("annotators").flatten()).to_pylist())
    return found


def _answered(split: Snapshot) -> Iterator[dict[str, Any]]:
    for batch in split.batches(["id", "votes", "annotators", "split"]):
        yield from batch.filter(pc.greater(pc.list_value_length(batch.column("annotators")), 0)).to_pylist()


def _latest(answers: Iterable[Annotation], who: str | None, verdict: str) -> Annotation | None:
    mine = [answer for answer in answers if answer.annotator == who and answer.verdict == verdict]
    return max(mine, key=lambda answer: answer.updated_at, default=None)


def _public(example: str, annotator: str, verdict: str, answer: Annotation | None, side: str) -> dict[str, Any]:
    return {
        "example": example,
        "annotator": annotator,
        "verdict": verdict,
        "edited": verdict in TEXT_VERDICTS,
        "error_types": answer.error_types if answer else [],
        "rating": answer.rating if answer else None,
        "adjudicated": answer.adjudicated if answer else False,
        "guideline": answer.guideline if answer else None,
        # The time of day tells when somebody works.
        "day": answer.updated_at[:10] if answer else None,
        "split": side,
    }


def _table(lines: Iterable[Line]) -> Iterator[str]:
    yield "| template | language | question | answers | agreement | measure |"
    yield "|---|---|---|---|---|---|"
    for line in lines:
        found = line.agreement
        value = "not defined" if found.value is None else f"{found.value:.2f}"
        if found.low is not None and found.high is not None:
            value += f" ({found.low:.2f} to {found.high:.2f})"
        measure = line.measure if found.value is not None else f"{line.measure}: {found.why}"
        cells = (
            line.stratum.template,
            line.stratum.language or "",
            line.question,
            f"{found.n_answers:,}",
            value,
            measure,
        )
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _record(data_root: Path, recipe: str, stage: str, version: str) -> RunRecord:
    """Return the newest run that made a version.

    Raises:
        SnapshotError: There is none.
    """
    for path in refs.record_paths(data_root, stage, recipe):
        record = refs.read_record(path)
        if record.version == version:
            return record
    raise SnapshotError(
        f"no run of recipe {recipe} made version {version} of {stage}",
        where=str(data_root),
        fix="name the recipe it came from by --recipe, or bring the store back from a backup",
    )
