"""Annotators under the names that a report may show: pseudonyms, unless names are asked for.

{"ann@example.org": "a1"}  ->  ann@example.org is shown as a1
"""

from collections.abc import Iterable
from pathlib import Path

from pipeline.annotations import annotation_files, pseudonyms
from schemas import AnnotationError


def shown_names(data_root: Path, annotators: Iterable[str], *, real: bool = False) -> dict[str, str]:
    """Return annotator to the name to show.

    Args:
        data_root: Folder of the store.
        annotators: Everybody who will be shown.
        real: Whether to show people as Label Studio names them.

    Raises:
        AnnotationError: Somebody has no pseudonym, or the file of pseudonyms is damaged.
    """
    people = sorted(set(annotators))
    if real:
        return {who: who for who in people}
    known = pseudonyms(annotation_files(data_root).values())
    nameless = len(set(people) - set(known))
    if nameless:
        raise AnnotationError(
            f"{nameless} annotators have no pseudonym",
            where=str(data_root / "annotations" / "people.json"),
            fix="restore the file from a backup, or pull again, which gives them new pseudonyms",
        )
    return {who: known[who] for who in people}


def by_number(pseudonym: str) -> tuple[int, str]:
    """Return the key that sorts a2 before a10, and everything else after."""
    number = pseudonym[1:]
    return (int(number), "") if pseudonym.startswith("a") and number.isdecimal() else (1 << 62, pseudonym)
