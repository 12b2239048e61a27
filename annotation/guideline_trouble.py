"""Which guideline causes trouble: where people disagree, cannot say, or change much, and where the model goes astray.

    classify, today's guideline: 40 examples answered, people disagreed on 6, could not say on 2, changed 9, rejected 1

Disagreement and "unsure" speak against the guideline, changes and rejections against the data. Guidelines come in the
order of the former: by the lower end of the interval of their share, so that 1 of 1 does not stand before 12 of 40.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from annotation.desk import outcomes_of
from annotation.error_rate import rate_of
from annotation.open_rows import newest_version
from annotation.task import guideline_digest
from pipeline.consensus import EXACT, Rules
from pipeline.snapshot import Snapshot
from schemas import Annotation, Template

_MOST_ERRORS = 3


@dataclass(frozen=True)
class Trouble:
    """One version of one template's guideline, by the examples whose newest answer followed it.

    Attributes:
        template: Name of the template; empty where the examples are gone.
        guideline: First digits of the guideline's digest.
        is_current: Whether it is the one in force today.
        answered: Examples with an answer under it.
        disputed, unsure, edited, rejected: What their answers came to.
        errors: What people said is wrong to how often, the most frequent first; a few.
    """

    template: str
    guideline: str
    is_current: bool
    answered: int
    disputed: int
    unsure: int
    edited: int
    rejected: int
    errors: tuple[tuple[str, int], ...]

    @property
    def unclear(self) -> int:
        """Examples on which people disagreed or that somebody could not judge."""
        return self.disputed + self.unsure

    @property
    def told(self) -> list[tuple[str, int]]:
        """What people did, in words, and on how many examples."""
        return [
            ("people disagreed on", self.disputed), ("could not say on", self.unsure), ("changed", self.edited),
            ("rejected", self.rejected),
        ]  # fmt: skip


def troubles(
    votes: Sequence[Annotation],
    template_of: Mapping[str, str],
    templates: Mapping[str, tuple[Template, Path]],
    rules: Rules = EXACT,
) -> list[Trouble]:
    """Return what people met under each guideline, the most troublesome first.

    Args:
        votes: The answers that vote.
        template_of: Id of an example to the name of its template, as `templates_of` gives it.
        templates: All templates of today, by name.
        rules: When edits agree, as the recipe says.
    """
    today = {name: guideline_digest(template.review) for name, (template, _) in templates.items()}
    counts: dict[tuple[str, str], Counter[str]] = {}
    errors: dict[tuple[str, str], Counter[str]] = {}
    for outcome in outcomes_of(votes, rules).values():
        template = template_of.get(outcome.answers[-1].example or "", "")
        key = (template, outcome.guideline or "")
        counts.setdefault(key, Counter())[outcome.status] += 1
        wrong = {label for answer in outcome.answers for label in answer.error_types}
        errors.setdefault(key, Counter()).update(wrong)
    found = [
        Trouble(
            template=template,
            guideline=digest[:8],
            is_current=today.get(template) == digest,
            answered=n.total(),
            **{status: n[status] for status in ("disputed", "unsure", "edited", "rejected")},
            errors=tuple(errors[template, digest].most_common(_MOST_ERRORS)),
        )
        for (template, digest), n in counts.items()
    ]
    return sorted(found, key=_order)


def _order(one: Trouble) -> tuple[float, float, str, str]:
    unclear, wrong = (rate_of(n, one.answered).low for n in (one.unclear, one.edited + one.rejected))
    return -unclear, -wrong, one.template, one.guideline


def templates_of(data_root: Path, recipe: str, examples: Iterable[str]) -> dict[str, str]:
    """Return the template of each of some examples, those that were dropped since among them.

    Raises:
        ConfigError: The recipe has no data yet.
        SnapshotError: A file of the data is damaged.
    """
    wanted, version = pa.array(sorted(set(examples)), pa.string()), newest_version(data_root, recipe)
    found: dict[str, str] = {}
    for path in [*version.kept, *version.dropped]:
        for batch in Snapshot.read_part(path, ["id", "template"]):
            some = batch.filter(pc.is_in(batch.column("id"), value_set=wanted))
            found.update(zip(some.column("id").to_pylist(), some.column("template").to_pylist(), strict=True))
    return found
