"""What people have said of a recipe's rows: statuses by template, and how often two people agree.

300 rows with 340 answers, 40 of them with two: 36 of 40 pairs of answers give the same verdict
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.annotations import annotation_files, read_annotations
from pipeline.consensus import latest_of_each
from pipeline.snapshot import Snapshot
from schemas import Annotation

# Answers that judge nothing, or no example of the data.
_NO_VERDICT = ("unsure", "prefer")
_PRACTICE = "practice"


@dataclass(frozen=True)
class Review:
    """What people have said.

    Attributes:
        statuses: Template to status, or the reason for which annotate dropped the row, to rows.
        answered: Rows with an answer that judges them; `answers`: such answers, the latest of each person.
        pairs: Pairs of answers to one row by two people; `agreeing` of them give the same verdict.
    """

    statuses: dict[str, dict[str, int]]
    answered: int
    answers: int
    pairs: int
    agreeing: int


def count_review(data_root: Path, kept: Sequence[Path], dropped: Sequence[Path]) -> Review:
    """Return what people have said of the rows in annotate's kept and dropped parts.

    Raises:
        AnnotationError: Answers cannot be read.
    """
    statuses: dict[str, dict[str, int]] = {}
    verdicts = _verdicts(read_annotations(annotation_files(data_root).values()))
    wanted, here = pa.array(sorted(verdicts), pa.string()), set[str]()
    for paths, column in ((kept, "status"), (dropped, "reason")):
        for path in paths:
            for batch in Snapshot.read_part(path, ["id", "template", column]):
                _add_statuses(statuses, batch, column)
                if len(wanted):
                    ids = batch.column("id")
                    here.update(ids.filter(pc.is_in(ids, value_set=wanted)).to_pylist())
    told = [verdicts[example] for example in sorted(here)]
    pairs = [one == other for mine in told for one, other in combinations(mine, 2)]
    return Review(dict(sorted(statuses.items())), len(told), sum(len(mine) for mine in told), len(pairs), sum(pairs))


def _verdicts(answers: Iterable[Annotation]) -> dict[str, list[str]]:
    """Return the verdicts on each example, one a person; adjudicators saw what others said and are left out."""
    mine: dict[str, list[Annotation]] = defaultdict(list)
    for answer in answers:
        if answer.example and not answer.adjudicated and answer.purpose != _PRACTICE:
            mine[answer.example].append(answer)
    found = {
        example: [str(one.verdict) for one in latest_of_each(some) if one.verdict not in _NO_VERDICT]
        for example, some in mine.items()
    }
    return {example: verdicts for example, verdicts in found.items() if verdicts}


def _add_statuses(statuses: dict[str, dict[str, int]], batch: pa.RecordBatch, column: str) -> None:
    for line in pa.table(batch).group_by(["template", column]).aggregate([([], "count_all")]).to_pylist():
        mine = statuses.setdefault(line["template"], {})
        mine[line[column]] = mine.get(line[column], 0) + line["count_all"]
