from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from pipeline.holdout import HoldOut, column_problems
from pipeline.split_rows import MetaColumn
from pipeline.stage import Place

INGEST = SimpleNamespace(settings={"sources": [{"keep": ["author", "page"], "key": None}, {"keep": [], "key": "id"}]})
PLACE = Place("r", Path(), Path(), {}, ("news", "tickets"), ("chat", "classify"), Path(), {"ingest": INGEST})
PLAIN = pa.table(
    {"template": ["chat", "classify", "classify", "chat"], "source": ["news", "news", "tickets", "tickets"]}
)
META = {"author": MetaColumn(np.array([1, 3, 3]), pa.array(["ann", "bob", "ann"]))}


def sides(**settings):
    return HoldOut(**settings).sides_of(PLAIN, META).tolist()


def problems(**settings) -> str:
    return "\n".join(map(str, HoldOut(**settings).problems(PLACE)))


def test_nothing_is_held_out_by_default():
    assert sides() == [-1, -1, -1, -1]
    assert not HoldOut().asks


def test_templates_sources_and_authors_are_held_out_together():
    assert sides(templates=["chat"]) == [2, -1, -1, 2]
    assert sides(sources=["news"], side="validation") == [1, 1, -1, -1]
    assert sides(authors=["ann"]) == [-1, 2, -1, 2]  # row 3 has two authors
    assert sides(templates=["chat"], authors=["ann"]) == [2, 2, -1, 2]


def test_an_unknown_name_is_answered_with_the_nearest():
    assert problems(sources=["newz"]) == (
        "no source 'newz' in this recipe\n  where: recipe r, split.hold_out.sources\n  fix:   did you mean 'news'?"
    )
    assert "no template 'chatt' in this recipe" in problems(templates=["chatt"])
    assert problems(templates=["chat"], sources=["news"]) == ""


def test_holding_out_everything_is_refused():
    told = problems(templates=["chat", "classify"], sources=["tickets", "news"])
    assert "every template is held out: no row is left to train on" in told
    assert "every source is held out" in told
    assert "leave out at least one of news, tickets" in told


def test_a_column_that_no_source_keeps_is_refused_when_it_is_needed():
    assert problems(author_column="writer") == ""
    told = problems(authors=["ann"], author_column="auther")
    assert "no source keeps a column 'auther'" in told
    assert "add it to the source: keep = ['auther']; did you mean 'author'?" in told


def test_a_key_counts_as_kept_under_the_name_key():
    assert column_problems("key", PLACE, "here") == []


def test_before_ingest_has_run_a_column_is_not_judged():
    bare = Place("r", Path(), Path(), {}, (), (), Path(), {})
    assert column_problems("anything", bare, "here") == []


def test_names_that_no_row_has_are_said():
    hold_out = HoldOut(authors=["ann", "bobb"], templates=["extract"], sources=["news"])
    assert hold_out.absent(PLAIN, META) == ["no row of template extract", "no row by bobb: did you mean 'bob'?"]


def test_train_is_no_side_to_hold_out_for():
    with pytest.raises(ValueError, match="'validation' or 'test'"):
        HoldOut(side="train")
