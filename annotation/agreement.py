"""How far people agree on each question, by template and language.

    instruct   verdict       40 examples, 80 answers   alpha 0.62 (0.41 to 0.79)
    instruct   rating        31 examples, 62 answers   alpha 0.48 (0.20 to 0.70)
    instruct   edited text    9 examples, 18 answers   0.67 of the pairs agree (0.33 to 1.00)

An item is one example as one text: two people are compared where both saw the very same. Of each person the
latest answer counts. What adjudicators say is left out, since they read the others' answers first.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotation.reliability import RESAMPLES, Agreement, Level, cohen_kappas, krippendorff_alpha, share_interval
from pipeline import refs
from pipeline.consensus import JUDGED, TEXT_VERDICTS, latest_of_each
from pipeline.meta import meta_values
from pipeline.same_edit import same_edit
from pipeline.screen import seen_digest
from pipeline.snapshot import Snapshot
from pipeline.strata import LANGUAGE
from schemas import Annotation

VERDICT, ERROR_TYPES, RATING, TEXT = "verdict", "error types, mean", "rating", "edited text"
UNKNOWN = "(not in the data)"
# Answers to these compare nobody with nobody: practice has known answers, an adjudicator has read the others'.
_NO_COMPARISON = ("practice", "dispute")
Items = list[dict[str, Any]]


class Stratum(NamedTuple):
    """What examples are counted under.

    Attributes:
        template: Its name; `UNKNOWN` for an example that the data no longer hold.
        language: As the source keeps it in a column `language`; None where it keeps none.
    """

    template: str
    language: str | None = None


@dataclass(frozen=True)
class Line:
    """One question in one stratum.

    Attributes:
        stratum: Template and language.
        question: verdict, `error: LABEL`, `error types, mean`, rating or edited text.
        measure: alpha with its level, or share of pairs.
        agreement: How far people agree.
        kappas: Cohen's kappa of each two people, where it was asked for and the question is nominal.
    """

    stratum: Stratum
    question: str
    measure: str
    agreement: Agreement
    kappas: Mapping[tuple[str, str], Agreement]


def comparable(answers: Sequence[Annotation]) -> list[list[Annotation]]:
    """Return the answers that say something of agreement, item by item, in order.

    Of each person the latest answer to an item, oldest first. Left out are answers of adjudicators, answers of
    people who were unsure, withdrawn ones, and those to practice and disputed tasks.
    """
    items: dict[tuple[str, str], list[Annotation]] = {}
    for answer in answers:
        items.setdefault((answer.example or "", seen_digest(answer.seen)), []).append(answer)
    latest = [[one for one in latest_of_each(items[item]) if _compares(one)] for item in sorted(items)]
    return [item for item in latest if item]


def agreement(
    answers: Sequence[Annotation],
    strata: Mapping[str, Stratum],
    *,
    same_edit_chrf: float = 1.0,
    kappa: bool = False,
    resamples: int = RESAMPLES,
) -> list[Line]:
    """Return how far people agree on each question in each stratum, in order of template, language and question.

    - verdict: nominal, over accept, edit and reject; responses that were to be written have no verdict.
    - error types: each label nominal, given or not, over all answers with a verdict; then the mean of the labels'
      alphas where it is defined for at least one, without an interval.
    - rating: ordinal.
    - edited text: share of the pairs of edits of one item that agree by `pipeline.same_edit`, every pair counting
      the same; there is no chance agreement to speak of between texts.

    Questions that nobody answered in a stratum have no line.

    Args:
        answers: Each answer once, as `pipeline.annotations.read_annotations` gives them.
        strata: Example to what it is counted under.
        same_edit_chrf: The recipe's threshold.
        kappa: Whether Cohen's kappas are wanted.
        resamples: For the intervals; 0 for none.
    """
    by_stratum: dict[Stratum, list[list[Annotation]]] = {}
    for item in comparable(answers):
        stratum = strata.get(item[0].example or "", Stratum(UNKNOWN))
        by_stratum.setdefault(stratum, []).append(item)
    lines = []
    for stratum in sorted(by_stratum, key=lambda one: (one.template, one.language or "")):
        for question, measure, found, kappas in _measured(by_stratum[stratum], same_edit_chrf, kappa, resamples):
            lines.append(Line(stratum, question, measure, found, kappas))
    return lines


def strata_of(data_root: Path, recipe: str, answers: Sequence[Annotation]) -> dict[str, Stratum]:
    """Return template and language of the examples that people answered, as the recipe's sources have them now.

    Examples that are gone are not in it, and none is where the recipe has no data yet. Ingest is read, so that
    those are found that dedupe has dropped since.
    """
    record = refs.newest(data_root, "ingest", recipe)
    if record is None:
        return {}
    wanted = pa.array(sorted({answer.example for answer in answers if answer.example}), pa.string())
    found: dict[str, Stratum] = {}
    for batch in Snapshot.open(data_root / "ingest", record.version).batches(["id", "template", "meta"]):
        here = batch.filter(pc.is_in(batch.column("id"), value_set=wanted))
        at, languages = meta_values(here.column("meta"), LANGUAGE)
        # Of several languages the first that the row names.
        language = dict(zip(at[::-1].tolist(), languages.to_pylist()[::-1], strict=True))
        for row, (example, template) in enumerate(
            zip(here.column("id").to_pylist(), here.column("template").to_pylist(), strict=True)
        ):
            found.setdefault(example, Stratum(template, language.get(row)))
    return found


def _compares(answer: Annotation) -> bool:
    is_left_out = answer.adjudicated or answer.verdict == "unsure"
    return not (is_left_out or answer.purpose in _NO_COMPARISON)


def _measured(
    items: Sequence[Sequence[Annotation]], same_edit_chrf: float, kappa: bool, resamples: int
) -> Iterator[tuple[str, str, Agreement, Mapping[tuple[str, str], Agreement]]]:
    """Yield question, measure, agreement and kappas."""
    judged = [[answer for answer in item if answer.verdict in JUDGED] for item in items]

    def alpha(said: Items, level: Level) -> tuple[str, Agreement, Mapping[tuple[str, str], Agreement]]:
        kappas = cohen_kappas(said) if kappa and level == "nominal" else {}
        return f"alpha, {level}", krippendorff_alpha(said, level, resamples=resamples), kappas

    if any(judged):
        yield VERDICT, *alpha(_said(judged, lambda answer: answer.verdict), "nominal")
    labels = sorted({label for item in judged for answer in item for label in answer.error_types})
    of_labels = []
    for label in labels:
        told = alpha(_said(judged, partial(_names, label)), "nominal")
        of_labels.append(told[1])
        yield f"error: {label}", *told
    if len(labels) > 1:
        yield ERROR_TYPES, "mean of alphas", _mean(of_labels), {}
    ratings = [[answer for answer in item if answer.rating is not None] for item in items]
    if any(ratings):
        yield RATING, *alpha(_said(ratings, lambda answer: answer.rating), "ordinal")
    edits = [[answer for answer in item if answer.verdict in TEXT_VERDICTS and answer.response] for item in items]
    if any(edits):
        yield TEXT, "share of pairs", _texts(edits, same_edit_chrf, resamples), {}


def _names(label: str, answer: Annotation) -> bool:
    return label in answer.error_types


def _said(items: Sequence[Sequence[Annotation]], value: Callable[[Annotation], Any]) -> Items:
    return [{answer.annotator: value(answer) for answer in item} for item in items if item]


def _mean(of_labels: Sequence[Agreement]) -> Agreement:
    values = [one.value for one in of_labels if one.value is not None]
    # Every label is asked of the same answers.
    n_items, n_answers = of_labels[0].n_items, of_labels[0].n_answers
    same = [one.same for one in of_labels if one.same is not None]
    why = "" if values else of_labels[0].why
    value = sum(values) / len(values) if values else None
    return Agreement(value, None, None, n_items, n_answers, sum(same) / len(same) if same else None, why)


def _texts(items: Sequence[Sequence[Annotation]], threshold: float, resamples: int) -> Agreement:
    """Return the share of pairs of edits of one item that are the same edit of the same message."""
    found = [item for item in items if len(item) > 1]
    if not found:
        return Agreement(None, None, None, 0, 0, None, "no two people edited the same item")
    pairs = [list(combinations(item, 2)) for item in found]
    hits = np.array([sum(_agree(*pair, threshold) for pair in of_item) for of_item in pairs], np.float64)
    n_pairs = np.array([len(of_item) for of_item in pairs], np.float64)
    share = float(hits.sum() / n_pairs.sum())
    low, high = share_interval(hits, n_pairs, resamples=resamples)
    return Agreement(share, low, high, len(found), sum(map(len, found)), share)


def _agree(one: Annotation, other: Annotation, threshold: float) -> bool:
    return one.turn == other.turn and same_edit(one.response or "", other.response or "", threshold)
