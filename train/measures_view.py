"""The measures of a report as tables: one a template, arms as rows, metrics as columns."""

from dataclasses import dataclass

from schemas.report import ARMS, Arm, Behaviour, ClassMetric, Measures
from train.figure import number

MOST_LABELS = 30
_OF_100 = frozenset(("bleu", "chrf", "chrf++"))


@dataclass(frozen=True)
class MetricTable:
    """All metrics of one template; a value is text, or None where the arm has none."""

    template: str
    n: int
    n_without: int
    names: list[str]
    rows: list[tuple[Arm, list[str | None]]]
    signatures: list[tuple[str, str]]

    @property
    def lines(self) -> list[tuple[Arm, int, str]]:
        """The same with each arm's metrics in one text, and the number of examples."""
        return [
            (
                arm,
                self.n,
                ", ".join(
                    f"{name.replace('_', ' ')} {value}"
                    for name, value in zip(self.names, values, strict=True)
                    if value is not None
                ),
            )
            for arm, values in self.rows
        ]


@dataclass(frozen=True)
class ClassTable:
    """The labels of one template: the tuned model's figures, and the base's F1."""

    template: str
    rows: list[tuple[ClassMetric, float | None]]
    n_left: int


@dataclass(frozen=True)
class Measured:
    """What the page shows of the measures."""

    behaviour: list[Behaviour]
    tables: list[MetricTable]
    classes: list[ClassTable]
    warnings: list[str]


def measured(measures: Measures | None) -> Measured | None:
    """Return the tables; None for a report from before there were measures."""
    if measures is None:
        return None
    templates = sorted({one.template for one in measures.corpus} | set(measures.n_without_reference))
    tables = [_table(measures, template) for template in templates]
    classes = [_classes(measures, template) for template in sorted({one.template for one in measures.classes})]
    return Measured(measures.behaviour, tables, [one for one in classes if one.rows], measures.warnings)


def _table(measures: Measures, template: str) -> MetricTable:
    found = [one for one in measures.corpus if one.template == template]
    names = list(dict.fromkeys(one.metric for one in found))
    values = {
        (one.arm, one.metric): f"{one.value:.1f}" if one.metric in _OF_100 else number(one.value)
        for one in found
        if one.value is not None
    }
    arms = [arm for arm in ARMS if any(one.arm == arm for one in found)]
    signatures = {one.metric: one.signature for one in found if one.signature}
    return MetricTable(
        template=template,
        n=max((one.n for one in found), default=0),
        n_without=measures.n_without_reference.get(template, 0),
        names=names,
        rows=[(arm, [values.get((arm, name)) for name in names]) for arm in arms],
        signatures=list(signatures.items()),
    )


def _classes(measures: Measures, template: str) -> ClassTable:
    of = {arm: [one for one in measures.classes if (one.template, one.arm) == (template, arm)] for arm in ARMS}
    base = {one.label: one.f1 for one in of["base"]}
    rows = [(one, base.get(one.label)) for one in of["tuned"]]
    return ClassTable(template, rows[:MOST_LABELS], max(0, len(rows) - MOST_LABELS))
