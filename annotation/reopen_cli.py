"""The command `annotate reopen`: ask again only what a material change of a guideline touches."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from annotation.cli_options import DataRoot
from pipeline.annotations import annotation_files, read_annotations
from pipeline.reopening import CONDITIONS, Reopening, add_reopening, guidelines, read_reopened, touched
from schemas import Annotation, ConfigError, DataError, nearest

_HERE = "tuneloop annotate reopen"
_LONGEST_REASON = 200


def reopen(
    *,
    guideline: Annotated[str, Parameter(help="digest of the guideline the answers followed, or its first digits")],
    where: Annotated[
        list[str] | None,
        Parameter(help="condition such as error_type='wrong date', verdict=accept, source=news; may repeat: all hold"),
    ] = None,
    because: Annotated[str, Parameter(help="what changed: annotators read it above the task")],
    yes: Annotated[bool, Parameter(help="do it; left out, only say what would be asked again")] = False,
    data_root: DataRoot = Path("data"),
) -> None:
    """Have answers given again that followed an old guideline and fit a condition; dry without --yes.

    Example: tuneloop annotate reopen --guideline 5d01c3aa --where verdict=accept --because "Dates stay as they are"
    """
    files = list(annotation_files(data_root).values())
    answers = read_annotations(files)
    reason = " ".join(because.split())
    digest, condition = _checked(guideline, where or [], reason, guidelines(answers))
    found = touched(answers, digest, condition, read_reopened(files))
    for line in _told(found, answers, digest, condition):
        sys.stderr.write(line + "\n")
    if not found:
        return
    if not yes:
        sys.stderr.write("nothing was changed; --yes does it\n")
        return
    path = add_reopening(
        data_root,
        Reopening(
            at=datetime.now(UTC).isoformat(),
            guideline=digest,
            where=condition,
            reason=reason,
            answers=[(answer.key, answer.created_at, answer.updated_at) for answer in found],
        ),
    )
    sys.stderr.write("run `tuneloop data`: these examples are unreviewed again, and first in the queue\n")
    sys.stdout.write(f"{path}\n")


def _checked(guideline: str, where: Sequence[str], reason: str, known: Mapping[str, int]) -> tuple[str, dict[str, str]]:
    """Return the whole digest and the condition.

    Raises:
        ConfigError: Everything that is wrong with the command line, at once.
    """
    problems: list[DataError] = []

    def refuse(what: str, fix: str) -> None:
        problems.append(ConfigError(what, where=_HERE, fix=fix))

    fits = [digest for digest in known if digest.startswith(guideline)] if guideline else []
    if len(fits) != 1:
        listed = ", ".join(f"{digest[:12]} ({n:,} answers)" for digest, n in known.items()) or "none"
        refuse(f"{len(fits)} guidelines that answers followed begin with {guideline!r}", f"known: {listed}")
    condition: dict[str, str] = {}
    for text in where:
        name, equals, value = text.partition("=")
        if not equals or not value:
            refuse(f"--where {text!r} is no condition", "write NAME=VALUE, such as error_type='wrong date'")
        elif name not in CONDITIONS:
            refuse(f"--where {text!r}: nothing is called {name!r}", nearest(name, CONDITIONS))
        elif name in condition:
            refuse(f"--where names {name!r} twice, and an answer must fit all conditions", "run the command twice")
        else:
            condition[name] = value
    if not 0 < len(reason) <= _LONGEST_REASON:
        refuse(f"--because has {len(reason)} characters", f"say in 1 to {_LONGEST_REASON} what changed")
    if problem := ConfigError.of(problems):
        raise problem
    return fits[0], condition


def _told(
    found: Sequence[Annotation], answers: Sequence[Annotation], digest: str, condition: Mapping[str, str]
) -> list[str]:
    under = [answer for answer in answers if answer.guideline == digest]
    examples = {answer.example or answer.key for answer in found}
    lines = [
        f"{len(found):,} of {len(under):,} answers under guideline {digest[:12]} are asked again, "
        f"about {len(examples):,} examples"
    ]
    if not found and (wanted := condition.get("error_type")):
        kinds = Counter(kind for answer in under for kind in answer.error_types)
        lines.append(f"no such answer names {wanted!r}; error types there: {', '.join(sorted(kinds)) or 'none'}")
    return lines
