import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.plain import normal, unicode_normal


def test_texts_are_written_in_one_way():
    texts = pa.array(
        [" Café\u00a0AU\n\tlait ", "Name three  primary COLOURS.\n", None, " \u3000\n", "a\0b", "\x1cA\x1f"]
    )

    assert normal(texts).to_pylist() == ["café au lait", "name three primary colours.", "", "", "a\0b", "a"]


def test_chunks_and_slices_are_fine():
    texts = pa.chunked_array([pa.array(["A", "B"]), pa.array(["C", "D"]).slice(1)])

    assert normal(texts).to_pylist() == ["a", "b", "d"]


@given(st.lists(st.text(st.characters(max_codepoint=0x17F), max_size=12), max_size=8))
def test_the_kernel_does_what_arrow_does(texts):
    array = pa.array(texts, pa.large_string())

    assert normal(array).equals(unicode_normal(array))
