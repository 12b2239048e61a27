"""Rows that a model wrote."""

import numpy as np
import pyarrow as pa

from pipeline.synthetic import is_marked, parents_in


def test_a_mark_is_the_whole_word_and_any_of_several():
    marks = pa.array([["conflict", "synthetic"], [], ["synthetic: no"]], pa.list_(pa.string()))
    assert is_marked(marks, "synthetic").to_pylist() == [True, False, False]


def test_parents_stand_beside_their_rows_and_what_is_no_such_note_names_none():
    texts = ['{"kind":"draft","parents":["a","b"]}', "yes", '"a text"', '{"parents":"a"}', '{"parents":["c"]}']
    row, parents = parents_in(np.array([1, 3, 4, 5, 9]), pa.array(texts))
    assert row.tolist() == [1, 1, 9]
    assert parents.to_pylist() == ["a", "b", "c"]
