from typing import Any

import pytest

from annotation.export import read_tasks
from schemas import Annotation, Message, Seen

DATA = {
    "example_id": "e1",
    "messages": [{"role": "user", "content": "2 + 2?", "speaker": "Nutzer"}],
    "response": "5",
}
SIDES = {"a": {"verdict": "edit", "text": "4"}, "b": {"verdict": "accept", "text": None}}


def choice(name: str, *values: str) -> dict[str, Any]:
    return {"from_name": name, "to_name": "messages", "type": "choices", "value": {"choices": list(values)}}


def text(name: str, value: str) -> dict[str, Any]:
    return {"from_name": name, "to_name": "messages", "type": "textarea", "value": {"text": [value]}}


def read(results: list[dict[str, Any]], **data: Any) -> Annotation | str:
    """Return the one answer, or why there is none."""
    given = {
        "id": 3,
        "completed_by": {"email": "lead@example.org"},
        "result": results,
        "created_at": "2026-03-01T09:00:00Z",
    }
    found = read_tasks([{"id": 7, "project": 1, "data": {**DATA, **data}, "annotations": [given]}])
    return found.answers[0] if found.answers else found.unreadable[0].reason


def outcome(*results: dict[str, Any], **data: Any) -> tuple[Any, ...] | str:
    answer = read([*results], **data)
    return answer if isinstance(answer, str) else (answer.verdict, answer.response, answer.contradiction)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([choice("settled", "a")], ("edit", "4", None)),
        ([choice("settled", "b")], ("accept", None, None)),
        ([choice("settled", "write"), text("response", "four")], ("edit", "four", None)),
        ([choice("settled", "write"), text("response", "5")], ("accept", None, "edit_but_unchanged")),
        ([choice("settled", "write")], ("edit", None, "empty_edit")),
        ([choice("settled", "reject"), text("comment", "No sum.")], ("reject", None, None)),
        ([choice("settled", "reject")], ("reject", None, "reject_without_reason")),
        # The box is not sent with a side; if another tool sends it, a text that nobody showed wins.
        ([choice("settled", "a"), text("response", "5")], ("edit", "4", None)),
        ([choice("settled", "a"), text("response", "4")], ("edit", "4", None)),
        ([choice("settled", "b"), text("response", "four")], ("edit", "four", "accept_but_changed")),
        ([choice("settled", "c")], "no verdict"),
        ([choice("settled", "a", "b")], "no verdict"),
        ([text("comment", "Hm.")], "no verdict"),
    ],
)
def test_a_dispute_is_settled_by_a_side_by_another_text_or_by_none(results: Any, expected: Any) -> None:
    assert outcome(*results, screen="dispute", **SIDES) == expected


def test_who_settles_is_an_adjudicator_and_the_reason_is_kept() -> None:
    answer = read([choice("settled", "a"), text("comment", "Count again.")], screen="dispute", **SIDES)
    assert isinstance(answer, Annotation)
    assert (answer.adjudicated, answer.comment) == (True, "Count again.")
    assert answer.seen == Seen(prompt=[Message(role="user", content="2 + 2?")], response="5")


def test_a_side_without_a_text_settles_that_the_response_is_wrong_and_not_what_is_right() -> None:
    sides = {"a": {"verdict": "edit", "text": None}, "b": {"verdict": "accept", "text": None}}
    assert outcome(choice("settled", "a"), screen="dispute", **sides) == ("edit", None, "empty_edit")


def test_a_written_side_is_written_where_there_was_no_response() -> None:
    sides = {"a": {"verdict": "write", "text": "4"}, "b": {"verdict": "write", "text": "four"}}
    given = {"screen": "dispute", "response": "", **sides}
    assert outcome(choice("settled", "b"), **given) == ("write", "four", None)
    assert outcome(choice("settled", "write"), text("response", "IV"), **given) == ("write", "IV", None)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([choice("response", "5")], ("accept", None, None)),
        ([choice("response", "4")], ("edit", "4", None)),
        ([choice("verdict", "reject"), choice("error_types", "no label fits")], ("reject", None, None)),
        ([choice("verdict", "reject"), choice("response", "4")], ("reject", None, "reject_but_changed")),
        ([choice("verdict", "unsure")], ("unsure", None, None)),
        ([], "no verdict"),
    ],
)
def test_a_label_that_is_the_data_s_accepts_and_another_edits(results: Any, expected: Any) -> None:
    assert outcome(*results, screen="classify") == expected


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([choice("verdict", "write"), text("response", "4")], ("write", "4", None)),
        ([choice("verdict", "write")], ("unsure", None, "nothing_written")),
        ([choice("verdict", "reject"), text("comment", "No sum.")], ("reject", None, None)),
    ],
)
def test_a_response_is_written_or_cannot_be(results: Any, expected: Any) -> None:
    assert outcome(*results, screen="write", response="") == expected


PAIR = {"screen": "preference", "answer_a": "5", "answer_b": "4"}


@pytest.mark.parametrize("word", ["a", "b", "tie", "both_bad"])
def test_a_preference_keeps_both_texts_and_votes_for_nothing(word: Any) -> None:
    answer = read([choice("preferred", word), text("comment", "Hm.")], **PAIR)
    assert isinstance(answer, Annotation)
    assert (answer.verdict, answer.preferred, answer.response, answer.comment) == ("prefer", word, None, "Hm.")
    assert (answer.seen.response, answer.seen.other) == ("5", "4")


@pytest.mark.parametrize(("selected", "word"), [("left", "a"), ("right", "b")])
def test_label_studio_s_own_pairwise_names_itself_as_its_object_and_is_read(selected: Any, word: Any) -> None:
    pairwise = {"from_name": "pref", "to_name": "pref", "type": "pairwise", "value": {"selected": selected}}
    answer = read([pairwise], **PAIR)
    assert isinstance(answer, Annotation)
    assert answer.preferred == word


def test_a_preference_without_a_choice_or_without_texts_is_no_answer() -> None:
    assert outcome(text("comment", "Hm."), **PAIR) == "no verdict"
    assert outcome(choice("preferred", "better"), **PAIR) == "no verdict"
    assert outcome(choice("preferred", "a"), screen="preference") == "no verdict"


def test_records_written_before_there_were_preferences_are_read_as_they_were() -> None:
    old = (
        '{"key":"ls:1:3","example":"e1","source":null,"seen":{"prompt":[],"response":"5"},"annotator":"ann",'
        '"verdict":"accept","created_at":"2026-03-01T09:00:00Z","updated_at":"2026-03-01T09:00:00Z"}'
    )
    answer = Annotation.model_validate_json(old)
    assert (answer.preferred, answer.seen.other) == (None, None)
