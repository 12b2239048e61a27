from hypothesis import given
from hypothesis import strategies as st

from pipeline.word_diff import MOST_CHARACTERS, Piece, word_diff


def test_what_went_stands_before_what_came() -> None:
    assert word_diff("The pool opens in June.", "The pool opens in May.") == [
        Piece("same", "The pool opens in "), Piece("gone", "June"), Piece("new", "May"), Piece("same", "."),
    ]  # fmt: skip


def test_equal_and_empty_texts_have_one_piece_or_none() -> None:
    assert word_diff("a b", "a b") == [Piece("same", "a b")]
    assert word_diff("", "") == []
    assert word_diff("", "a") == [Piece("new", "a")]
    assert word_diff("a", "") == [Piece("gone", "a")]


@given(st.text(alphabet="ab .\n", max_size=40), st.text(alphabet="ab .\n", max_size=40))
def test_the_pieces_make_up_both_texts(older: str, newer: str) -> None:
    pieces = word_diff(older, newer)
    assert "".join(piece.text for piece in pieces if piece.kind != "new") == older
    assert "".join(piece.text for piece in pieces if piece.kind != "gone") == newer
    assert all(piece.text for piece in pieces)


def test_a_very_long_text_is_cut_and_says_so() -> None:
    pieces = word_diff("a" * (MOST_CHARACTERS + 1), "b")
    assert pieces[-1] == Piece("same", " (only the first 10,000 characters are compared)")
