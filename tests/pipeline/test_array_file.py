import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.array_file import checksum, open_arrays, write_arrays

ARRAYS = {"counts": np.arange(3, dtype=np.int32), "none": np.zeros((2, 0), np.uint8), "flags": np.array([True, False])}


@pytest.fixture
def stem(tmp_path):
    write_arrays(tmp_path / "one", ARRAYS, "me", {"rows": 3})
    return tmp_path / "one"


def test_arrays_come_back_as_they_were_with_their_facts(stem):
    opened = open_arrays(stem, "me")

    assert opened.facts == {"rows": 3}
    for name, array in ARRAYS.items():
        assert opened.arrays[name].dtype == array.dtype
        assert (opened.arrays[name] == array).all()


def test_a_file_made_by_other_code_is_not_used(stem):
    assert open_arrays(stem, "you") == "it was made by other code or settings"


def test_a_file_that_is_not_there_says_so(tmp_path):
    assert open_arrays(tmp_path / "one", "me") == "it is not there"


def test_a_changed_byte_is_noticed_wherever_it_is(stem):
    path = stem.with_suffix(".arrays")
    whole = path.read_bytes()
    for at in (0, 11, 64, 65):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert "is damaged" in open_arrays(stem, "me")


def test_a_file_cut_short_is_noticed(stem):
    path = stem.with_suffix(".arrays")
    path.write_bytes(path.read_bytes()[:-1])

    assert open_arrays(stem, "me") == "it has 65 bytes instead of 66"


def test_a_header_that_is_no_header_is_told(stem):
    stem.with_suffix(".head").write_text("[1")
    assert open_arrays(stem, "me").startswith("its header cannot be read")

    stem.with_suffix(".head").write_text(json.dumps({"format": 1, "made_by": "me"}))
    assert open_arrays(stem, "me").startswith("its header cannot be read")


def test_writing_again_replaces_the_file(stem):
    write_arrays(stem, {"counts": np.zeros(1, np.int8)}, "me", {})

    assert open_arrays(stem, "me").arrays["counts"].tolist() == [0]


@given(st.binary(min_size=1, max_size=200), st.data())
def test_any_changed_byte_changes_the_checksum(data, draw):
    at, bit = draw.draw(st.integers(0, len(data) - 1)), draw.draw(st.integers(0, 7))
    array = np.frombuffer(data, np.uint8)
    other = array.copy()
    other[at] ^= 1 << bit

    assert checksum(array) != checksum(other)
    assert checksum(array) != checksum(np.append(array, np.uint8(0)))
