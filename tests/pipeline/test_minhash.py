import random

import numpy as np
import pyarrow as pa
import pytest

from pipeline.minhash import EMPTY, band_keys, sign, signatures


def test_signatures_of_short_texts_have_no_empty_values_and_those_of_empty_texts_nothing_else():
    values = signatures(pa.array(["a", "", "ab", "abc"], pa.large_string()))

    assert (values[[0, 2, 3]] != EMPTY).all()
    assert (values[1] == EMPTY).all()
    assert band_keys(values).shape == (4, 32)


def test_a_signature_depends_on_its_text_alone():
    alone = signatures(pa.array(["the quick brown fox"], pa.large_string()))
    among = signatures(pa.array(["x" * 5000, "the quick brown fox", ""], pa.large_string()))

    assert (alone[0] == among[1]).all()


def test_the_share_of_equal_values_estimates_the_shared_shingles():
    draw = random.Random(4)
    text = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz ", k=3000))
    # Of the 2,998 shingles of the first the second has half; together they have 1.5 times as many.
    half = text[:1500] + "".join(draw.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=1500))
    values = signatures(pa.array([text, half], pa.large_string()))

    # The standard deviation of an estimate of 1/3 from 128 bins is 0.042.
    assert (values[0] == values[1]).mean() == pytest.approx(1 / 3, abs=0.15)


def test_keys_lie_band_by_band_and_marks_are_the_low_bytes_of_the_values():
    texts = pa.array(["one text", "another text", "one text"], pa.large_string())
    signed = sign(texts, 3)

    assert signed.keys.shape == (32, 3)
    assert (signed.keys[:, 0] == signed.keys[:, 2]).all()
    assert (signed.keys[:, 0] != signed.keys[:, 1]).any()
    assert (signed.marks == (signatures(texts, 3) & np.uint32(255))).all()
