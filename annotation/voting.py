"""The answers that vote today: without practice, without those from before passing, without those to be given again.

ann's answer from before she passed, ben's answer that was reopened, cy's answer  ->  cy's answer
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.practice import counting, passed
from pipeline.reopening import is_reopened, read_reopened
from schemas import Annotation


def voting(answers: Sequence[Annotation], files: Iterable[Path]) -> list[Annotation]:
    """Return the answers that the annotate stage would count if all texts were as they were seen.

    Args:
        answers: Each answer once.
        files: Those of `pipeline.annotations.annotation_files`, which say who has passed and what was reopened.

    Raises:
        AnnotationError: One of these files is damaged.
    """
    files = list(files)
    reopened = read_reopened(files)
    return [answer for answer in counting(answers, passed(files)) if not is_reopened(answer, reopened)]
