import pytest

from schemas.report import Comparison, Mean
from train.advice import advise


def compared(than, low, high, measure="score"):
    return Comparison(
        better="tuned", than=than, measure=measure, difference=(low + high) / 2, low=low, high=high, n=40, n_groups=31
    )


def means(**scores):
    return [Mean(arm=arm.replace("_", "-"), score=score, nll=None) for arm, score in scores.items()]


def test_tuning_is_worth_it_only_if_it_is_better_than_each_arm():
    found = advise(
        [compared("base", 0.1, 0.3), compared("few-shot", 0.1, 0.2), compared("retrieved", 0.05, 0.15)],
        means(base=0.3, few_shot=0.35, retrieved=0.4, tuned=0.5),
        {},
    )
    assert found.reading == "worth"
    assert found.words == (
        "Tuning is worth it here: score +0.100 (+0.050 to +0.150) over the best without training, "
        "the base with retrieved examples."
    )


def test_an_arm_that_cannot_be_told_from_the_tuned_model_does_as_well():
    found = advise(
        [compared("base", 0.1, 0.3), compared("few-shot", 0.1, 0.2), compared("retrieved", -0.05, 0.15)],
        means(base=0.3, few_shot=0.35, retrieved=0.4, tuned=0.5),
        {},
    )
    assert found.reading == "as-well"
    assert found.words == (
        "The base with retrieved examples does as well, as far as these data can tell: no evidence that tuning is "
        "better, score +0.050 (-0.050 to +0.150). It is better than the base with worked examples and the base as it is."
    )


def test_a_floor_that_is_better_is_named_first_though_all_prompts_lose():
    found = advise(
        [compared("nearest", -0.11, -0.05), compared("copy", -0.06, -0.01), compared("few-shot", 0.1, 0.2)],
        means(nearest=0.6, copy=0.55, few_shot=0.3, tuned=0.5),
        {"retrieved": "no room"},
    )
    assert found.reading == "not-worth"
    assert found.words == (
        "Tuning is not worth it here: the nearest train answer does better than the tuned model, "
        "score -0.080 (-0.110 to -0.050). So does the copied input. "
        "Not known: how the base with retrieved examples would do."
    )


def test_without_a_prompted_arm_nothing_is_said_of_worked_examples():
    found = advise([compared("base", 0.1, 0.3)], means(base=0.3, tuned=0.5), {"few-shot": "no room"})
    assert found.reading == "worth"
    assert found.words.startswith("Tuning beats what was asked without it")
    assert found.words.endswith("Whether worked examples in the prompt do as well is not known: no such arm was asked.")


@pytest.mark.parametrize("comparisons", [[], [compared("base", -1.0, -0.5, "nll")]])
def test_without_a_comparison_on_score_nothing_is_known(comparisons):
    assert advise(comparisons, [], {}).reading == "unknown"
