import numpy as np
import pandas as pd
import pytest

from train.slices import MOST_SLICES, reviewed_of, slices_of


def scores(templates, tuned, base, sources=None):
    """Return the score table of one row for each template named, each a group of its own."""
    sources = sources or ["web"] * len(templates)
    rows = [
        {"example": f"e{n:03}", "group": f"g{n:03}", "template": template, "source": source, "arm": arm, "metric": "exact_match",
         "score": float(values[n]), "nll": 1.0 - values[n] / 2}
        for arm, values in (("base", base), ("tuned", tuned))
        for n, (template, source) in enumerate(zip(templates, sources, strict=True))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def facts(**columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=pd.Index([f"e{place:03}" for place in range(n)], name="example"))


def named(found, kind):
    return {one.value: one.n for one in found.slices if one.by == kind}


def test_lengths_are_thirds_of_the_rows_named_by_their_bounds_from_short_to_long():
    found = slices_of(scores(["t"] * 6, [1] * 6, [0] * 6), facts(n_prompt_tokens=[50, 3, 1200, 4, 60, 1100]))
    assert list(named(found, "length").items()) == [
        ("short, 3 to 4 tokens", 2), ("medium, 5 to 60 tokens", 2), ("long, 61 to 1,200 tokens", 2)
    ]  # fmt: skip


def test_prompts_of_one_length_are_no_slices_and_of_two_lengths_are_two():
    table = scores(["t"] * 4, [1] * 4, [0] * 4)
    assert named(slices_of(table, facts(n_prompt_tokens=[7] * 4)), "length") == {}
    two = named(slices_of(table, facts(n_prompt_tokens=[7, 7, 9, 9])), "length")
    assert two == {"short, 7 to 7 tokens": 2, "long, 8 to 9 tokens": 2}


def test_a_row_counts_for_each_of_its_annotators_and_for_nobody_where_there_is_none():
    who = facts(annotators=[["a1"], np.array(["a1", "a2"]), [], None])
    assert named(slices_of(scores(["t"] * 4, [1] * 4, [0] * 4), who), "annotator") == {"a1": 2, "a2": 1, "nobody": 2}


def test_language_guideline_and_status_are_slices_where_rows_differ_in_them():
    told = facts(language=["de", None, "en"], guideline=["5d01" * 8, None, None], status=["edited"] * 3)
    found = slices_of(scores(["t"] * 3, [1] * 3, [0] * 3), told)
    assert named(found, "language") == {"de": 1, "en": 1, "not stated": 1}
    assert named(found, "guideline") == {"5d015d015d01": 1, "none": 2}
    assert named(found, "status") == {}  # all the same: the whole side over again


def test_a_column_in_which_nothing_is_said_is_no_slice():
    empty = facts(language=[None] * 3, guideline=[None] * 3, annotators=[[]] * 3, n_prompt_tokens=[1, 1, 1])
    found = slices_of(scores(["t"] * 3, [1] * 3, [0] * 3), empty)
    assert {one.by for one in found.slices} == {"template", "source"}


def test_the_largest_slices_are_shown_and_the_smaller_ones_counted():
    # t00 once, t01 twice, ... t14 fifteen times.
    templates = [f"t{n:02}" for n in range(15) for _ in range(n + 1)]
    found = slices_of(scores(templates, [1] * len(templates), [0] * len(templates)))
    assert list(named(found, "template")) == [f"t{n:02}" for n in range(3, 15)]
    assert len(named(found, "template")) == MOST_SLICES
    assert found.left == {"template": 3}


def test_what_was_never_trained_on_is_marked():
    found = slices_of(scores(["a", "b"], [1, 1], [0, 0], ["x", "y"]), trained=({"a"}, {"x", "y"}))
    assert [(one.value, one.held_out) for one in found.slices] == [
        ("a", False),
        ("b", True),
        ("x", False),
        ("y", False),
    ]


def test_p_values_allow_for_all_slices_of_the_report():
    # a: 8 of 8 better; b: no difference; source web holds both.
    found = slices_of(scores(["a"] * 8 + ["b"] * 8, [1] * 8 + [0] * 8, [0] * 16)).slices
    alone = [one.against_base.p for one in found]
    assert [one.value for one in found] == ["a", "b", "web"]
    assert 2 / 2**8 <= alone[0] < 0.02
    assert alone[1] == 1
    smaller, larger = sorted([alone[0], alone[2]])
    raised = {smaller: smaller * 3, larger: max(smaller * 3, larger * 2), 1.0: 1.0}
    assert [one.against_base.adjusted_p for one in found] == pytest.approx([raised[p] for p in alone])


def test_an_interval_beside_zero_is_not_enough_among_many_slices():
    # 6 of 6 better: p 2 / 2 ** 6 = 0.031 holds alone, times 3 slices it does not.
    one = slices_of(scores(["a"] * 6 + ["b"] * 6, [1] * 6 + [0] * 6, [0] * 12)).slices[0].against_base
    assert (one.reading, one.adjusted_reading) == ("better", "unclear")


def test_without_the_base_there_are_means_alone():
    table = scores(["a"], [1], [0])
    found = slices_of(table[table["arm"] == "tuned"]).slices
    assert [one.against_base for one in found] == [None, None]
    assert [mean.arm for mean in found[0].means] == ["tuned"]


def test_one_row_is_a_slice_that_claims_nothing_and_no_row_is_none():
    one = slices_of(scores(["a"], [1], [0])).slices[0].against_base
    assert (one.p, one.adjusted_p, one.low, one.high, one.detectable) == (1, 1, -1, 1, None)
    assert slices_of(scores([], [], []).reindex(columns=scores(["a"], [1], [0]).columns)).slices == []


def test_checked_rows_have_their_figures_beside_those_of_all():
    found = reviewed_of(scores(["a"] * 4, [1, 0, 0, 0], [0] * 4), {"e000", "e001"}, ["base"])
    assert found.n == 2
    assert {mean.arm: mean.score for mean in found.means} == {"base": 0, "tuned": 0.5}
    assert [(one.measure, one.n) for one in found.comparisons] == [("score", 2), ("nll", 2)]


@pytest.mark.parametrize("reviewed", [set(), {"e000", "e001"}, {"gone"}])
def test_where_none_or_all_are_checked_there_is_nothing_to_set_beside(reviewed):
    assert reviewed_of(scores(["a"] * 2, [1, 0], [0] * 2), reviewed, ["base"]) is None
