import re

import pytest

from schemas.report import Behaviour, Benchmark, ClassMetric, CorpusMetric, Judged, Measures
from tests.train.test_page import Parsed, report
from train.card import card
from train.measures_view import MOST_LABELS, measured
from train.page import page

LOUD = "<script>alert(1)</script>"


def behaviour(arm, **changes):
    whole = Behaviour(
        arm=arm, n=40, stopped=0.75, empty=0.05, repetition=0.123, length_ratio=1.5, copied=0.25, same_language=0.9,
        n_language=30, valid_format=None, n_format=0,
    )  # fmt: skip
    return whole.model_copy(update=changes)


def measures(**changes):
    whole = Measures(
        behaviour=[behaviour("reference", stopped=None), behaviour("tuned")],
        corpus=[
            CorpusMetric(template="translate", arm=arm, metric=metric, value=value, n=21, signature=signature)
            for arm, metric, value, signature in (
                ("tuned", "bleu", 17.04, "nrefs:1|tok:13a"), ("base", "bleu", 3.26, "nrefs:1|tok:13a"),
                ("tuned", "same_text", 0.125, ""),
            )
        ],
        classes=[
            ClassMetric(template="classify", arm=arm, label=LOUD, n=7, n_given=3, precision=0.5, recall=0.375, f1=f1)
            for arm, f1 in (("base", 0.111), ("tuned", 0.222))
        ],
        n_without_reference={"translate": 2},
        warnings=[f"translate: {LOUD}"],
    )  # fmt: skip
    return whole.model_copy(update=changes)


def text_of(**changes):
    """Return what a reader of the page sees, in one line, after a look at its markup."""
    whole = page(report(**changes))
    assert LOUD not in whole
    return re.sub(r"\s+", " ", Parsed(whole).text)


def test_arms_are_rows_with_the_references_first():
    text = text_of(measures=measures())
    assert "reference 40 – 5 % 12 % 1.500 25 % 90 % of 30 –" in text
    assert "tuned 40 75 % 5 % 12 % 1.500 25 % 90 % of 30 –" in text


def test_each_template_has_a_table_of_all_its_metrics():
    text = text_of(measures=measures())
    assert "translate: 21 examples, 2 without a reference left out" in text
    assert "Arm bleu same text base 3.3 – tuned 17.0 0.125" in text
    assert "bleu nrefs:1|tok:13a" in text
    assert f"translate: {LOUD}" in text


def test_a_label_stands_beside_the_bases():
    assert f"{LOUD} 7 3 0.500 0.375 0.222 0.111" in text_of(measures=measures())


def test_the_commonest_labels_are_shown_and_the_others_counted():
    rows = [
        ClassMetric(template="t", arm="tuned", label=f"l{n}", n=1, n_given=1, precision=1, recall=1, f1=1)
        for n in range(MOST_LABELS + 3)
    ]
    found = measured(measures(classes=rows))
    (table,) = found.classes
    assert (len(table.rows), table.n_left) == (MOST_LABELS, 3)
    assert table.rows[0][1] is None
    assert f"The {MOST_LABELS} commonest of {MOST_LABELS + 3} labels" in text_of(measures=measures(classes=rows))


def test_a_report_from_before_has_none_of_it():
    text = text_of()
    assert measured(None) is None
    for word in ("How the arms answer", "Metrics of each template", "A judge", "Benchmarks by lm-eval"):
        assert word not in text


def test_a_judge_stands_with_its_worth():
    judge = Judged(
        model="wise", n=90, n_same=10, n_tuned=50, n_base=20, n_turned=15, n_unread=2, difference=0.3, low=0.1, high=0.5,
        n_checked=40, n_checked_wrong=12, agreement=0.8, kappa=0.55, worth="It agrees with people in part.",
    )  # fmt: skip
    text = text_of(judge=judge)
    assert "wise compared tuned with base on 100 validation rows" in text
    assert "tuned is better in 50, base in 20" in text
    assert "+0.300, 95 % interval +0.100 to +0.500" in text
    assert "It agrees with people in part. Of 40 responses" in text
    assert "Cohen's kappa 0.550" in text
    blind = judge.model_copy(update={"kappa": None})
    assert "cannot be told, since people say the same of all" in text_of(judge=blind)


def test_a_judge_that_failed_is_said():
    text = text_of(judge=Judged(model=LOUD, failed="the judge does not answer"))
    assert f"made without the judge {LOUD}: the judge does not answer" in text


def test_benchmarks_stand_under_training():
    one = Benchmark(task="arc_easy", metric="acc", n=100, base=0.4, tuned=0.3, low=-0.198, high=-0.002)
    bare = Benchmark(task=LOUD, metric="acc", n=None, base=0.4, tuned=0.5, low=None, high=None)
    whole = page(report(benchmarks=[one, bare]))
    assert re.search(r'worse-text">−0\.100</span> <span class="soft">−0\.198 to −0\.002', whole)
    assert f"{LOUD} acc – 0.400 0.500 +0.100" in text_of(benchmarks=[one, bare])


@pytest.mark.parametrize("changes", [{}, {"measures": measures()}])
def test_the_card_has_the_metrics_if_there_are_any(changes):
    text = card(report(**changes))
    assert ("| translate | tuned | 21 | bleu 17.0, same text 0.125 |" in text) is bool(changes)
    assert LOUD not in text
