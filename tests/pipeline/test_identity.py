from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity import content_id, keyed_id

TEXTS = st.lists(st.text(st.characters(codec="utf-8")), max_size=4)


def test_an_id_never_changes():
    # Written down once: people's annotations hang on these. blake2b-128 of "7:content2:qa6:"Who?"5:"Ada"".
    assert content_id("qa", ["Who?", "Ada"]) == "72d7c018cfebe9263ec0568fc44d57e5"
    assert keyed_id("qa", "tickets", 7) == "e6a5d30480774a7dc461294ef7f4eab2"


def test_values_cannot_run_into_each_other():
    assert content_id("t", ["ab", "c"]) != content_id("t", ["a", "bc"])
    assert content_id("t", ["a", None]) != content_id("t", [None, "a"])
    assert content_id("t", ['a","b']) != content_id("t", ["a", "b"])


def test_a_number_and_its_text_are_different_values():
    assert content_id("t", [1]) != content_id("t", ["1"])
    assert content_id("t", [None]) != content_id("t", [""])


def test_the_template_and_the_kind_of_id_are_in_it():
    assert content_id("t", ["a"]) != content_id("u", ["a"])
    assert content_id("t", ["s", "a"]) != keyed_id("t", "s", "a")


def test_a_key_names_a_row_within_its_source_alone():
    assert keyed_id("t", "s1", "7") != keyed_id("t", "s2", "7")
    assert keyed_id("t", "s1", "7") != keyed_id("t", "s1", 7)


@given(TEXTS, TEXTS)
def test_ids_are_equal_exactly_when_the_values_are(one, other):
    assert (content_id("t", one) == content_id("t", other)) == (one == other)
