import numpy as np
import pytest

from schemas import SourceError
from schemas.training import Encode
from tests.train.chat_templates import message
from tests.train.small_split import split_row
from train.row_weights import row_weights


def test_a_row_counts_as_its_status_its_column_and_its_message_say():
    rows = [
        split_row("a", "b", status="accepted", meta={"trust": 0.5}),
        split_row("a", "b", status="unreviewed", meta={"trust": "2"}),  # a CSV has text
        split_row("a", "b", status="rejected", meta={"trust": 1}),
        split_row("a", "b", status="edited", meta={"trust": 1}, completion=[message("assistant", "b", weight=0.25)]),
    ]
    settings = Encode(status_weights={"unreviewed": 0.3, "rejected": 0}, row_weight="trust")
    assert row_weights(rows, settings).tolist() == [0.5, 0.6, 0.0, 0.25]
    # Where every turn is learnt, messages are weighed one by one elsewhere.
    turns = Encode(status_weights={"unreviewed": 0.3, "rejected": 0}, row_weight="trust", learn="all-turns")
    assert row_weights(rows, turns).tolist() == [0.5, 0.6, 0.0, 1.0]


def test_without_settings_every_row_counts_1():
    rows = [split_row("a", "b"), split_row("c", "d", status="disputed")]
    assert np.array_equal(row_weights(rows, Encode()), [1.0, 1.0])
    assert row_weights([], Encode()).tolist() == []


@pytest.mark.parametrize(
    ("meta", "what", "fix"),
    [
        ({}, "the row has no weight: there is no 'trust' in its meta", "keep = ['trust']"),
        ({"trust": None}, "the row has no weight: there is no 'trust' in its meta", "or leave [encode] row_weight out"),
        ({"trust": -1}, "the weight trust = '-1' is not one number of 0 or more", "mend it in the source"),
        ({"trust": "much"}, "the weight trust = 'much' is not one number of 0 or more", "mend it in the source"),
        ({"trust": "nan"}, "the weight trust = 'nan' is not one number of 0 or more", "mend it in the source"),
        ({"trust": [1, 2]}, "the weight trust = '2' is not one number of 0 or more", "mend it in the source"),
    ],
)
def test_a_row_without_a_usable_weight_is_named(meta, what, fix):
    rows = [split_row("a", "b", meta={"trust": 1}), split_row("c", "d", id="7", meta=meta)]
    with pytest.raises(SourceError) as caught:
        row_weights(rows, Encode(row_weight="trust"))
    assert caught.value.what == what
    assert caught.value.where == "s.jsonl:7"
    assert fix in caught.value.fix
    assert not caught.value.also
