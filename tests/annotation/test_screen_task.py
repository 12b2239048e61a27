from typing import Any

import pytest

from annotation.dispute import sides, told
from annotation.screen_task import screen_task_of
from annotation.words import words
from schemas import Annotation, AnnotationError, Message, Review, Seen

REVIEW = Review(question="Right?", error_types=["wrong"], guideline="G", labels=["4", "5", "6"])
PROMPT = [{"role": "user", "content": "2 + 2?"}]
ROW = {
    "id": "e1",
    "source": "sums",
    "template": "maths",
    "prompt": PROMPT,
    "completion": [{"role": "assistant", "content": "5"}],
}


def answer(who: str, verdict: str, response: str | None = None, minute: int = 0, **more: Any) -> Annotation:
    at = f"2026-03-01T09:{minute:02}:00Z"
    seen = Seen(prompt=[Message.model_validate(one) for one in PROMPT], response="5")
    fields = {"key": f"{who}{minute}", "example": "e1", "annotator": who, "created_at": at, "updated_at": at}
    return Annotation.model_validate({**fields, "seen": seen, "verdict": verdict, "response": response, **more})


def data(kind: Any, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = screen_task_of(ROW, REVIEW, kind=kind, **more)["data"]
    return made


def test_speakers_are_named_in_the_language_of_the_screen() -> None:
    german = data("review", language="de")
    assert german["messages"] == [{"role": "user", "content": "2 + 2?", "speaker": "Nutzer"}]
    assert (german["screen"], german["language"]) == ("review", "de")


def test_a_model_s_answer_is_shown_to_reviewers_and_to_nobody_who_compares_writes_or_settles() -> None:
    answers = [answer("ann", "accept"), answer("ben", "reject")]
    given = {"second": "4", "answers": answers, "model_answer": "Four!"}
    shown = {kind: data(kind, **given)["model_answer"] for kind in ("review", "chat", "classify", "write", "dispute")}
    assert shown == {"review": "Four!", "chat": "Four!", "classify": "Four!", "write": "", "dispute": ""}
    assert all(data(kind, **given)["response"] == "5" for kind in shown)


def test_labels_to_choose_from_are_in_the_task() -> None:
    assert data("classify")["labels"] == [{"value": "4"}, {"value": "5"}, {"value": "6"}]


def test_the_order_of_two_answers_is_no_matter_of_where_they_come_from() -> None:
    first, other = data("preference", second="4"), data("preference", second="4")
    assert first == other  # the same every time
    pairs = [data("preference", second=str(n)) for n in range(10, 50)]
    ours_first = sum(pair["answer_a"] == "5" for pair in pairs)
    assert 0 < ours_first < 40


def test_two_answers_may_come_from_the_row() -> None:
    row = {**ROW, "fields": [{"name": "rejected", "value": "7"}]}
    task = screen_task_of(row, REVIEW.model_copy(update={"screen": "preference"}))
    assert {task["data"]["answer_a"], task["data"]["answer_b"]} == {"5", "7"}


@pytest.mark.parametrize("second", [None, "", "5"])
def test_nothing_to_compare_is_refused(second: Any) -> None:
    with pytest.raises(AnnotationError, match="no two different answers to compare"):
        data("preference", second=second)


def test_people_who_say_the_same_are_one_side_and_the_largest_two_are_a_and_b() -> None:
    found = sides(
        [
            answer("ann", "accept"),
            answer("ben", "edit", "4"),
            answer("cleo", "edit", "4 "),
            answer("dan", "unsure"),
            answer("eve", "reject", comment="No."),
            answer("fay", "reject"),
        ]
    )
    assert [(side.verdict, len(side.answers)) for side in found[2:]] == [("accept", 1), ("unsure", 1)]
    assert {(side.verdict, len(side.answers)) for side in found[:2]} == {("edit", 2), ("reject", 2)}


def test_only_the_latest_answer_of_a_person_counts() -> None:
    answers = [answer("ann", "reject"), answer("ann", "accept", minute=1), answer("ben", "edit", "4")]
    assert sorted(side.verdict for side in sides(answers)) == ["accept", "edit"]


def test_a_side_is_told_in_words_without_a_name() -> None:
    (side,) = sides([answer("ann", "edit", "4", error_types=["wrong"], comment="It is 4."), answer("ben", "edit", "4")])
    assert told(side, words("en")) == "2 people: edited the response\nwrong with it: wrong\nremark: It is 4."
    assert told(side, words("de")).startswith("2 Personen: Antwort geändert\nstimmt nicht: wrong")
    (empty,) = sides([answer("ann", "edit")])
    assert told(empty, words("en")) == "one person: called it wrong and wrote no other text"


def test_a_dispute_shows_both_texts_with_their_difference_and_what_each_would_make_of_the_example() -> None:
    shown = data("dispute", answers=[answer("ann", "accept"), answer("ben", "edit", "4"), answer("cy", "unsure")])
    accept, edit = ("a", "b") if shown["a"]["verdict"] == "accept" else ("b", "a")
    assert (shown[accept], shown[edit]) == ({"verdict": "accept", "text": None}, {"verdict": "edit", "text": "4"})
    assert shown[f"{accept}_marked"] == '<div class="tl-marked"><mark>5</mark></div>'
    assert shown[f"{edit}_marked"] == '<div class="tl-marked"><mark>4</mark></div>'
    assert shown["further"] == "one person: could not say"
    assert not {"ann", "ben", "cy"} & set(str(shown).replace("'", " ").split())


def test_where_only_the_verdicts_differ_the_screen_says_so() -> None:
    shown = data("dispute", answers=[answer("ann", "accept"), answer("ben", "reject")])
    assert shown["about_texts"] == words("en").same_texts
    assert shown["a_marked"] == shown["b_marked"] == '<div class="tl-marked">5</div>'


def test_one_answer_is_no_dispute() -> None:
    with pytest.raises(AnnotationError, match="no two different answers to settle but 1"):
        data("dispute", answers=[answer("ann", "accept"), answer("ben", "accept")])
