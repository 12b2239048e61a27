"""Errors people can act on: what is wrong, where, and how to mend it.

Libraries raise these; only the command line prints them and chooses the exit code.
A bad row is never one of these: it is dropped with a reason, counted and kept.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import ClassVar, Self

MOST_SHOWN = 20


class DataError(ValueError):
    """Something a person must mend before the run can go on.

    Attributes:
        what: One sentence with the offending value.
        where: File and line, stage, row or setting.
        fix: One command or one edit.
        also: Further problems of the same kind, found in the same look.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, what: str, *, where: str, fix: str, also: Sequence["DataError"] = ()) -> None:
        super().__init__(what)
        self.what, self.where, self.fix, self.also = what, where, fix, tuple(also)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling between worker processes.
        return (_rebuild, (type(self), self.what, self.where, self.fix, self.also))

    def __str__(self) -> str:
        shown = [self._one(), *(error._one() for error in self.also[: MOST_SHOWN - 1])]
        hidden = 1 + len(self.also) - len(shown)
        return "\n".join(shown) + (f"\nand {hidden} more" if hidden else "")

    def _one(self) -> str:
        return f"{self.what}\n  where: {self.where}\n  fix:   {self.fix}"

    def joined(self, others: Sequence["DataError"]) -> Self:
        """Return this error with others shown after it."""
        return type(self).of([self, *others]) or self

    @classmethod
    def of(cls, problems: Iterable["DataError"]) -> Self | None:
        """Return one error that shows all the problems, or None if there are none."""
        found = list(problems)
        if not found:
            return None
        first, *rest = [one for problem in found for one in (problem, *problem.also)]
        return cls(first.what, where=first.where, fix=first.fix, also=rest)


class ConfigError(DataError):
    """The recipe, a template or the command line is wrong."""

    exit_code: ClassVar[int] = 2


class SourceError(DataError):
    """A source file cannot be read, or too many of its rows are bad."""


class GateError(DataError):
    """A limit that the recipe or the user set does not hold."""

    exit_code: ClassVar[int] = 4


class AnnotationError(DataError):
    """People's answers cannot be read or joined."""


class ServiceError(DataError):
    """A server we need does not answer, refuses us, or is not what we expect."""

    exit_code: ClassVar[int] = 5


class SnapshotError(DataError):
    """The store is damaged, locked, full or unreachable."""

    exit_code: ClassVar[int] = 6


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` or the list of known names, ready to stand in a fix."""
    known = sorted(known)
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known names: {', '.join(known) or 'none'}"


def _rebuild(kind: type[DataError], what: str, where: str, fix: str, also: tuple[DataError, ...]) -> DataError:
    return kind(what, where=where, fix=fix, also=also)
