from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.leaving import Leaving
from pipeline.mixing import Mix
from pipeline.stage import Place

PLACE = Place("r", Path(), Path(), {}, ("news", "tickets"), ("chat", "classify"), Path(), {})


def name(n: int) -> str:
    return f"{(n * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128:032x}"


def table(numbers, source="a", template="t") -> pa.Table:
    ids = [name(n) for n in numbers]
    return pa.table({"id": ids, "origin": ids, "source": [source] * len(ids), "template": [template] * len(ids)})


def kept(mix: Mix, plain: pa.Table, sides=None, leaving: Leaving | None = None) -> set[str]:
    leaving = leaving or Leaving(plain.num_rows)
    sides = np.zeros(plain.num_rows, np.int8) if sides is None else sides
    mix.thin_out(leaving, plain, sides, "salt")
    return set(plain["id"].filter(pa.array(~leaving.gone)).to_pylist())


def test_a_weight_keeps_that_share_of_a_source():
    # Standard error of 0.25 over 20,000 is 0.003; five of them.
    assert len(kept(Mix(weights={"a": 0.25}), table(range(20_000)))) / 20_000 == pytest.approx(0.25, abs=0.016)


def test_a_row_kept_by_a_weight_stays_kept_whatever_is_added():
    few, many = (kept(Mix(weights={"a": 0.5}), table(range(n))) for n in (1000, 1500))
    assert few == many & {name(n) for n in range(1000)}


def test_a_greater_weight_keeps_what_a_lesser_one_kept():
    low, high = (kept(Mix(weights={"a": weight}), table(range(1000))) for weight in (0.3, 0.4))
    assert low < high


def test_a_cap_is_met_exactly_and_moves_few_when_rows_are_added():
    before, after = (kept(Mix(caps={"a": 500}), table(range(n))) for n in (1000, 1010))
    assert len(before) == len(after) == 500
    # Of ten new rows about five come under the cap, and as many old ones make way.
    assert len(before - after) <= 10


def test_one_and_one_point_nought_mean_the_same_a_cap_of_rows_and_a_weight_of_everything():
    assert Mix(weights={"a": 1}, caps={"a": 1}) == Mix(weights={"a": 1.0}, caps={"a": 1.0})
    assert Mix(weights={"a": 1}).model_dump_json() == Mix(weights={"a": 1.0}).model_dump_json()
    assert len(kept(Mix(weights={"a": 1}), table(range(100)))) == 100
    assert len(kept(Mix(caps={"a": 1}), table(range(100)))) == 1


def test_weights_come_before_caps_and_caps_of_sources_before_those_of_templates():
    plain = table(range(1000))
    weighted = kept(Mix(weights={"a": 0.5}), plain)
    assert kept(Mix(weights={"a": 0.5}, caps={"a": 300}), plain) < weighted
    assert len(kept(Mix(weights={"a": 0.5}, caps={"a": 300}), plain)) == 300
    assert len(kept(Mix(caps={"a": 300}, template_caps={"t": 200}), plain)) == 200
    assert len(kept(Mix(default_cap=7), plain)) == 7
    assert len(kept(Mix(default_cap=7, caps={"a": 9}), plain)) == 9


def test_rows_that_left_before_count_for_no_cap():
    plain, leaving = table(range(100)), Leaving(100)
    leaving.mark(np.arange(60), "leak", ["out"])
    assert len(kept(Mix(caps={"a": 30}), plain, leaving=leaving)) == 30
    assert len(leaving.rows("leak")) == 60
    assert len(leaving.rows("capped")) == 10


@given(st.lists(st.integers(0, 2), min_size=1, max_size=50), st.integers(1, 5), st.floats(0.01, 1))
def test_validation_and_test_lose_nothing(sides, cap, weight):
    plain, given = table(range(len(sides))), np.array(sides, np.int8)
    leaving = Leaving(len(sides))
    Mix(default_cap=cap, weights={"a": weight}, template_caps={"t": cap}).thin_out(leaving, plain, given, "salt")
    assert (given[leaving.gone] == 0).all()


def test_the_order_of_rows_changes_nothing():
    numbers = list(range(300))
    mix = Mix(weights={"a": 0.5}, caps={"a": 50})
    assert kept(mix, table(numbers)) == kept(mix, table(numbers[::-1]))


def test_a_weight_over_one_is_refused_with_the_same_mix_without_copies():
    with pytest.raises(ValueError, match=r"repeating rows belongs to training\.") as refused:
        Mix(weights={"news": 2, "tickets": 0.5})
    assert "weights = { news = 1, tickets = 0.25 }, and 0.5 for every source not named" in str(refused.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"weights": {"a": 0}},
        {"weights": {"a": -1}},
        {"weights": {"a": True}},
        {"weights": {"a": float("nan")}},
        {"caps": {"a": 0}},
        {"caps": {"a": -3}},
        {"caps": {"a": 1.5}},
        {"caps": {"a": True}},
        {"default_cap": 0},
        {"template_caps": {"t": 0}},
    ],
)
def test_weights_and_caps_that_mean_nothing_are_refused(settings):
    with pytest.raises(ValueError, match="1 validation error"):
        Mix(**settings)


def test_unknown_sources_and_templates_are_answered_all_at_once():
    mix = Mix(weights={"newz": 0.5}, caps={"ticket": 3}, template_caps={"chatt": 3})
    told = "\n".join(map(str, mix.problems(PLACE)))
    assert (
        "no source 'newz' in this recipe\n  where: recipe r, split.mix.weights\n  fix:   did you mean 'news'?" in told
    )
    assert "split.mix.caps\n  fix:   did you mean 'tickets'?" in told
    assert "split.mix.template_caps\n  fix:   did you mean 'chat'?" in told
