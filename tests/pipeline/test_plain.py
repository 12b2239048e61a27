import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.plain import normal, told_apart, unicode_normal
from pipeline.text_tokens import plain_text


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


def told(*texts):
    array = pa.array(texts, pa.large_string())
    return told_apart(array, normal(array)).to_pylist()


@pytest.mark.parametrize("code", [r"Split at \W+", "Use os.Path", "A [b]", "F(x)", "Is SGVsbG8h", "`Make` it", "A;"])
def test_texts_with_code_are_told_apart_as_they_stand(code):
    assert told(f" {code} ", "Say  'Yes' (A), at 3.5 KM; or \"No\".") == [code, "say 'yes' (a), at 3.5 km; or \"no\"."]


CODE = st.lists(st.sampled_from([*"aB1.;(`_ \n\\=é'\"&", "os.Path", "SGV8h", "\n  ", " x"]), max_size=8).map("".join)


@given(CODE, CODE)
def test_texts_that_are_one_mean_the_same(one, other):
    for twin in (other, one.swapcase(), one.replace("  ", " ")):
        if len(set(told(one, twin))) == 1:
            assert plain_text(one) == plain_text(twin)
