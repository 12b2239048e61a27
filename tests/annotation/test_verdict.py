import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.verdict import same_text, settle


@pytest.mark.parametrize(
    ("shown", "verdict", "text", "expected"),
    [
        ("5", "accept", "5", ("accept", None, None)),
        ("5", "accept", "4", ("edit", "4", "accept_but_changed")),
        ("5", "accept", None, ("accept", None, None)),  # a screen without a box, or one that was emptied
        ("5", "edit", "4", ("edit", "4", None)),
        ("5", "edit", "5 \r\n", ("accept", None, "edit_but_unchanged")),
        ("5", "edit", None, ("edit", None, "empty_edit")),
        ("5", "edit", "  ", ("edit", None, "empty_edit")),
        ("5", "reject", "5", ("reject", None, None)),
        ("5", "reject", "4", ("reject", None, "reject_but_changed")),
        ("5", "unsure", "4", ("unsure", None, None)),
        ("5", None, "4", ("edit", "4", None)),
        ("5", None, "5", ("accept", None, None)),
        ("5", None, None, None),
        ("", "accept", "new", ("write", "new", None)),
        ("", "edit", "new", ("write", "new", None)),
        ("", None, "new", ("write", "new", None)),
        ("", "accept", None, ("unsure", None, "nothing_written")),
        ("", "edit", " ", ("unsure", None, "nothing_written")),
        ("", "reject", "half", ("reject", None, None)),
    ],
)
def test_verdict_and_text_are_made_to_agree(
    shown: str, verdict: str | None, text: str | None, expected: tuple[str, str | None, str | None] | None
) -> None:
    assert settle(verdict, text, shown, to_write=not shown, has_reason=True) == expected  # type: ignore[arg-type]


def test_a_rejection_without_any_reason_is_counted() -> None:
    settled = settle("reject", "5", "5", to_write=False, has_reason=False)
    assert settled == ("reject", None, "reject_without_reason")


def test_an_unchanged_empty_text_beside_a_tool_call_is_accepted() -> None:
    assert settle("accept", None, "", to_write=False, has_reason=False) == ("accept", None, None)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("a\r\nb", "a\nb", True),
        ("a  \nb\n\n", "a\nb", True),
        ("  a", "a", False),  # indentation is content
        ("a b", "a  b", False),
        ("a\u2028b", "a\nb", False),
    ],
)
def test_line_ends_and_trailing_white_space_are_no_change(left: str, right: str, same: bool) -> None:
    assert same_text(left, right) is same


@given(
    st.sampled_from(["accept", "edit", "reject", "unsure", None]), st.none() | st.text(max_size=3),
    st.text(max_size=3), st.booleans(),
)  # fmt: skip
def test_only_edit_and_write_carry_a_text_and_it_is_verbatim(
    verdict: str | None, text: str | None, shown: str, has_reason: bool
) -> None:
    settled = settle(verdict, text, shown, to_write=not shown.strip(), has_reason=has_reason)  # type: ignore[arg-type]
    if settled is not None and settled.response is not None:
        assert settled.verdict in ("edit", "write")
        assert settled.response == text
    if settled is not None and settled.verdict == "write":
        assert settled.response
