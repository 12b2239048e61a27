import json
from pathlib import Path
from typing import Any

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from annotation.reliability import (
    Level,
    _alphas,
    _coincidences,
    cohen_kappas,
    fleiss_kappa,
    krippendorff_alpha,
    share_interval,
    value_counts,
)

# e1 and e2 agree, e3 does not: observed 1/3, expected 2 * 3 * 3 / (6 * 5) = 0.6, alpha = 1 - (1/3) / 0.6.
THREE = [{"ann": "yes", "ben": "yes"}, {"ann": "no", "ben": "no"}, {"ann": "yes", "ben": "no"}]


def items_of(ratings: dict[str, list[Any]]) -> list[dict[str, Any]]:
    n = len(next(iter(ratings.values())))
    return [{who: said[at] for who, said in ratings.items() if said[at] is not None} for at in range(n)]


def test_alpha_is_what_the_formula_says() -> None:
    found = krippendorff_alpha(THREE, "nominal")
    assert found.value == pytest.approx(1 - (1 / 3) / 0.6)
    assert (found.n_items, found.n_answers) == (3, 6)
    assert found.same == pytest.approx(2 / 3)


@pytest.mark.shared
def test_all_published_values_come_out(shared_data: Path) -> None:
    cases = json.loads((shared_data / "agreement-ground-truth" / "cases.json").read_text("utf-8"))["cases"]
    checked = 0
    for case in cases:
        items, raters = items_of(case["ratings"]), list(case["ratings"])
        for name, published in case["expected"].items():
            found = measured(name, items, [case["ratings"][who] for who in raters])
            assert found == pytest.approx(published, abs=case["tolerance"]), (case["id"], name)
            if name in case["recomputed"]:
                assert found == pytest.approx(case["recomputed"][name], abs=1e-8), (case["id"], name)
            checked += 1
    assert checked == 26  # 25 coefficients and one observed agreement


def measured(name: str, items: list[dict[str, Any]], columns: list[list[Any]]) -> float | None:
    """Return what our functions say for a name of the published values."""
    if name.startswith("alpha_"):
        level: Any = name.removeprefix("alpha_")
        return krippendorff_alpha(items, level, resamples=0).value
    values = sorted({value for item in items for value in item.values()})
    if name in ("fleiss_kappa", "scott_pi"):
        return fleiss_kappa(value_counts(items, values))
    if name == "observed_agreement":
        return krippendorff_alpha(items, "nominal", resamples=0).same
    if name == "cohen_kappa":
        (found,) = cohen_kappas(items).values()
        return found.value
    # Weighted kappas come from the library alone: we report none.
    weights = "linear" if "linear" in name else "quadratic"
    return float(cohen_kappa_score(*columns, weights=weights, labels=values))


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([], "nobody has answered"),
        ([{"ann": 1}, {"ann": 2}], "one person gave all answers"),
        ([{"ann": 1}, {"ben": 2}], "no two people answered the same item"),
        ([{"ann": "accept", "ben": "accept"}], "every answer is 'accept'"),
    ],
)
def test_where_alpha_does_not_exist_the_reason_is_told(items: list[dict[str, Any]], why: str) -> None:
    found = krippendorff_alpha(items, "nominal")
    assert (found.value, found.low, found.high, found.why) == (None, None, None, why)


def test_answers_that_nobody_can_compare_change_nothing() -> None:
    # The fourth item has one answer, whose value nobody else gave.
    assert krippendorff_alpha([*THREE, {"ann": "maybe"}], "nominal") == krippendorff_alpha(THREE, "nominal")


def test_words_with_an_order_are_ordinal() -> None:
    order = ["low", "mid", "high"]
    near = krippendorff_alpha([{"a": "low", "b": "mid"}, {"a": "high", "b": "high"}], "ordinal", order=order).value
    far = krippendorff_alpha([{"a": "low", "b": "high"}, {"a": "mid", "b": "mid"}], "ordinal", order=order).value
    assert (near or 0) > (far or 0)
    with pytest.raises(ValueError, match=r"'huge'.*not among the ordered values"):
        krippendorff_alpha([{"a": "low", "b": "huge"}], "ordinal", order=order)


def test_the_interval_narrows_with_more_items_and_holds_the_value() -> None:
    few, many = krippendorff_alpha(THREE * 10, "nominal"), krippendorff_alpha(THREE * 1000, "nominal")
    widths = []
    for found in (few, many):
        assert isinstance(found.low, float)
        assert isinstance(found.high, float)
        assert found.low < (found.value or 0) < found.high
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 5  # of 100 times the items, sqrt(100) = 10 times as narrow


def test_one_item_has_a_value_and_no_interval() -> None:
    # Of one item with two values everything observed is disagreement: 1 - 1 / (2 * 1 * 1 / (2 * 1)) = 0.
    found = krippendorff_alpha([{"a": 1, "b": 2}], "nominal")
    assert (found.value, found.low, found.high) == (0, None, None)


ratings = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 5), min_size=2, max_size=4), min_size=2, max_size=12
)


@given(ratings, st.sampled_from(["nominal", "ordinal", "interval", "ratio"]))
def test_the_resampled_formula_is_the_librarys(items: list[dict[str, Any]], level: Level) -> None:
    values = sorted({value for item in items for value in item.values()})
    counts = value_counts(items, values)
    met = _coincidences(counts).sum(axis=0)[None]
    (ours,) = _alphas(met, np.array(values, float), level)
    if len(values) == 1:
        assert np.isnan(ours)
    else:
        theirs = krippendorff.alpha(value_counts=counts, value_domain=np.array(values), level_of_measurement=level)
        assert ours == pytest.approx(theirs, abs=1e-9)


@given(ratings, st.randoms())
def test_neither_the_order_of_items_nor_of_people_matters(items: list[dict[str, Any]], random: Any) -> None:
    other = [dict(random.sample(list(item.items()), len(item))) for item in random.sample(items, len(items))]
    assert krippendorff_alpha(items, "ordinal", resamples=50) == krippendorff_alpha(other, "ordinal", resamples=50)


def test_fleiss_wants_equal_numbers_of_answers() -> None:
    with pytest.raises(ValueError, match="same number of answers"):
        fleiss_kappa([[2, 0], [1, 0]])
    assert fleiss_kappa([[2, 0], [2, 0]]) is None


def test_cohens_kappa_is_told_for_each_two_people_with_common_items() -> None:
    found = cohen_kappas([*THREE, {"cy": "yes"}, {"ann": "yes", "dan": "yes"}])
    # ann yes 2/3, ben yes 1/3: chance 2/9 + 2/9 = 4/9; (2/3 - 4/9) / (5/9) = 0.4
    assert found["ann", "ben"].value == pytest.approx(0.4)
    assert (found["ann", "dan"].value, found["ann", "dan"].why) == (None, "every answer is 'yes'")
    assert set(found) == {("ann", "ben"), ("ann", "dan")}


def test_a_share_has_an_interval_over_items() -> None:
    low, high = share_interval(np.array([1.0] * 80 + [0.0] * 20), np.ones(100))
    # sqrt(0.8 * 0.2 / 100) = 0.04, so about 0.8 plus and minus 0.08
    assert low == pytest.approx(0.72, abs=0.02)
    assert high == pytest.approx(0.88, abs=0.02)
