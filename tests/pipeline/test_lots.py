import numpy as np
import pyarrow as pa
import pytest

from pipeline.lots import keys, lots


def name(n: int) -> str:
    """Return an id as ingest makes them: 32 hex digits, here of a number spread over the range."""
    return f"{(n * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128:032x}"


IDS = pa.array([name(n) for n in range(20_000)])


def test_a_key_is_the_first_sixteen_digits():
    ids = pa.chunked_array([["0" * 15 + "1" + "f" * 16], [], ["f" * 32]])
    assert keys(ids).tolist() == [1, 2**64 - 1]


def test_a_slice_has_the_keys_of_its_own_rows():
    assert keys(IDS[7:9]).tolist() == keys(IDS)[7:9].tolist()
    assert keys(IDS[:0]).tolist() == []


@pytest.mark.parametrize("wrong", ["abc", "G" * 32, "A" * 32])
def test_what_is_no_digest_is_refused(wrong):
    with pytest.raises(ValueError, match="an id"):
        keys(pa.array([wrong]))


def test_lots_are_even_and_another_salt_draws_others():
    one, other = lots(IDS, "a"), lots(IDS, "b")
    # Standard error of a tenth over 20,000 is 0.0021; five of them.
    assert np.histogram(one, bins=10, range=(0, 1))[0] / 20_000 == pytest.approx([0.1] * 10, abs=0.011)
    # Lots of one id under two salts have nothing to do with each other: standard error 1 / sqrt(20,000).
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.036
