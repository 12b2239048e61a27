import json

import pytest

from pipeline import cli
from tests.train.two_runs import RECIPE, Store, sums
from train.plan import RUNS

A, B, C = "a" * 32, "b" * 32, "c" * 32


@pytest.fixture
def store(make_project):
    return Store(make_project(RECIPE))


def call(store, *words):
    place = ("--recipe", str(store.project.root / "recipe.toml"), "--data-root", str(store.project.data))
    return cli.run(["compare", *words, *place])


def test_the_two_newest_runs_on_different_data_are_compared_and_page_and_json_lie_by_the_second(store, capsys):
    old, new = store.split(sums(60)), store.split(sums(61))
    store.run(A, old, lambda _: 0.25, started="2026-01-01T00:00:00+00:00")
    store.run(C, old, lambda _: 0.25, started="2026-01-02T00:00:00+00:00", settings={"seed": 9})
    store.run(B, new, lambda _: 0.5, started="2026-01-03T00:00:00+00:00", settings={"seed": 9})
    assert call(store) == 0
    said = capsys.readouterr()
    page = store.project.data / RUNS / B / f"compare-{C}.html"
    assert said.out == f"{page}\n"
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert json.loads(page.with_suffix(".json").read_text("utf-8"))["a"]["run"] == C
    assert "all              score 0.250 to 0.500: +0.250 (+0.250 to +0.250)  better" in said.err
    assert "B is better than A on score" in said.err
    assert "compared   " in said.err


def test_two_runs_are_named_by_the_beginning_of_their_keys(store, capsys):
    store.run(A, store.split(sums(60)), lambda _: 0.25)
    store.run(B, store.split(sums(61)), lambda _: 0.5)
    assert call(store, "bb", "aa") == 0
    assert f"compare-{B}.html" in capsys.readouterr().out


def test_what_evaluate_judged_is_no_run_before(store, capsys):
    old = store.split(sums(60))
    store.run(A, old, lambda _: 0.25, started="2026-01-01T00:00:00+00:00")
    store.run(C, old, lambda _: 0.25, started="2026-01-02T00:00:00+00:00")
    manifest = store.project.data / RUNS / C / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text("utf-8")) | {"external": "answers in answers.jsonl"}))
    store.run(B, store.split(sums(61)), lambda _: 0.5, started="2026-01-03T00:00:00+00:00")
    assert call(store) == 0
    assert f"compare-{A}.html" in capsys.readouterr().out


def test_a_single_data_version_is_told_what_is_missing(store, capsys):
    store.run(A, store.split(sums(60)), lambda _: 0.25)
    assert call(store) == 2
    assert "has no finished run on other data than" in capsys.readouterr().err


def test_a_recipe_without_a_run_and_a_run_that_is_not_there_are_told(store, capsys):
    store.split(sums(60))
    assert call(store) == 2
    assert "recipe 'sums' has no finished training run" in capsys.readouterr().err
    assert call(store, "ffff") == 2


def test_other_settings_are_refused_with_exit_code_2_and_nothing_is_written(store, capsys):
    store.run(A, store.split(sums(60)), lambda _: 0.25, settings={"learning_rate": 0.5})
    store.run(B, store.split(sums(61)), lambda _: 0.25)
    assert call(store) == 2
    assert "[train] learning_rate: 0.5 against None" in capsys.readouterr().err
    assert not list((store.project.data / RUNS / B).glob("compare-*"))
