"""Personal data are blanked whole, wherever the cut falls."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.pii import find_one
from pipeline.safe_text import around_finding, blanked, from_difference
from pipeline.side_by_side import side

WORDS = st.sampled_from(["we", "sell", "ann@example.org", "lamps", "192.168.4.20", "+33 2 97 31 08 59", "call", "12"])


def test_a_finding_is_replaced_by_its_kind_with_the_digits_that_follow_it():
    assert blanked("Write to ann@example.org now", 100) == "Write to [EMAIL] now"
    assert blanked("Call me on 202-555-0147 59.", 100) == "Call me on [PHONE]."


def test_an_address_that_the_cut_would_halve_is_not_seen_in_part():
    assert blanked("Write to ann@example.org now", 14) == "Write to [EMAI…"


def test_the_surroundings_of_a_finding_are_shown_and_blanked():
    assert around_finding(
        "a long way, then ann@example.org or bob@example.org, ends", 6
    ) == "… then [EMAIL] or b…".replace(" or b…", " or [EMAIL]…")
    assert around_finding("nobody here", 6) is None


@given(st.lists(WORDS, max_size=60).map(" ".join), st.integers(10, 120))
def test_nothing_that_is_found_stands_in_a_blanked_text(text, most):
    assert find_one(blanked(text, most)) == []
    near = around_finding(text, most)
    assert near is None or "example.org" not in near


def test_long_texts_begin_shortly_before_they_differ():
    lead = "the same words again " * 30
    left, right = from_difference(lead + "one end", lead + "other end")
    assert left.startswith("…")
    assert left.endswith("one end")
    assert len(left) < 140
    assert (left[:100], right[-9:]) == (right[:100], "other end")


def test_texts_with_little_in_common_are_not_marked_word_by_word():
    assert side("prompt", "Sort the list.", "Paris").pieces == []
    assert [piece.kind for piece in side("prompt", "Sort the list.", "Sort a list.").pieces] == [
        "same",
        "gone",
        "new",
        "same",
    ]
    assert side("prompt", "Paris", "Paris").same
