import json
import os
from pathlib import Path
from typing import Any

import pytest

from annotation.export import Imported, read_export, read_tasks, reasons
from annotation.foreign import foreign_seen
from annotation.results import Names
from annotation.task import task_of
from schemas import Annotation, AnnotationError, Review, Seen

SHARED = Path(os.environ.get("TUNELOOP_SHARED") or Path(__file__).parents[3] / "shared" / "data")
SAMPLES = SHARED / "label-studio-export-samples"
REVIEW = Review(question="Right?", error_types=["wrong fact"], guideline="Be right.")


def choices(name: str, *values: str) -> dict[str, Any]:
    return {"from_name": name, "to_name": "messages", "type": "choices", "value": {"choices": list(values)}}


def box(text: str, name: str = "response") -> dict[str, Any]:
    return {"from_name": name, "to_name": "messages", "type": "textarea", "value": {"text": [text]}}


def stars(n: int) -> dict[str, Any]:
    return {"from_name": "rating", "to_name": "messages", "type": "rating", "value": {"rating": n}}


def given(*results: Any, id_: int = 12, who: Any = "ann@example.org", **more: Any) -> dict[str, Any]:
    return {
        "id": id_, "completed_by": who, "result": list(results), "was_cancelled": False, "ground_truth": False,
        "created_at": "2026-01-01T10:00:00.5Z", "updated_at": "2026-01-01T11:00:00+01:00", "lead_time": 7.5,
    } | more  # fmt: skip


def ours(*annotations: Any, response: str | None = "5") -> dict[str, Any]:
    message = {"role": "user", "content": "2 + 2?"}
    completion = [] if response is None else [{"role": "assistant", "content": response}]
    row = {"id": "e1", "source": "sums", "template": "maths", "prompt": [message], "completion": completion}
    return {
        "id": 7,
        "project": 3,
        **task_of(row, REVIEW),
        "annotations": list(annotations),
        "predictions": [],
    }


def foreign(data: dict[str, Any], *annotations: Any) -> dict[str, Any]:
    return {"id": 8, "project": 4, "data": data, "annotations": list(annotations)}


def only(found: Imported) -> Annotation:
    (answer,) = found.answers
    assert not found.unreadable
    return answer


def test_an_answer_to_our_task_is_read_whole() -> None:
    results = [
        choices("verdict", "edit"),
        box("4"),
        choices("error_types", "wrong fact"),
        stars(2),
        box("hm", "comment"),
    ]
    task = ours(given(*results))
    data = task["data"]
    assert only(read_tasks([task])) == Annotation(
        key="ls:3:12",
        example="e1",
        source="sums",
        seen=Seen.model_validate({"prompt": [{"role": "user", "content": "2 + 2?"}], "response": "5"}),
        annotator="ann@example.org",
        verdict="edit",
        response="4",
        error_types=["wrong fact"],
        rating=2,
        comment="hm",
        guideline=data["guideline"],
        round="1",
        created_at="2026-01-01T10:00:00.500000Z",
        updated_at="2026-01-01T10:00:00.000000Z",
        lead_time_seconds=7.5,
    )


def test_every_annotator_is_heard_and_skips_are_counted_only() -> None:
    found = read_tasks(
        [
            ours(
                given(choices("verdict", "accept"), id_=1),
                given(choices("verdict", "reject"), id_=2, who="ben@example.org"),
                given(id_=3, who="cy@example.org", was_cancelled=True),
            ),
            ours(),
        ]
    )
    assert [(one.annotator, one.verdict) for one in found.answers] == [
        ("ann@example.org", "accept"),
        ("ben@example.org", "reject"),
    ]
    assert (found.tasks, found.unanswered, found.skipped) == (2, 1, 1)
    assert found.contradictions == {"reject_without_reason": 1}


def test_an_answer_knows_why_it_was_asked() -> None:
    task = ours(given(choices("verdict", "accept")))
    assert only(read_tasks([task])).purpose is None
    task["data"]["purpose"] = "practice"
    assert only(read_tasks([task])).purpose == "practice"


def test_ground_truth_is_an_answer_like_any_other() -> None:
    assert only(read_tasks([ours(given(choices("verdict", "accept"), ground_truth=True))])).verdict == "accept"


def test_drafts_and_predictions_are_no_answers() -> None:
    task = ours() | {
        "drafts": [{"result": [choices("verdict", "accept")]}],
        "predictions": [{"result": [box("9")]}],
    }
    assert read_tasks([task]).answers == []


@pytest.mark.parametrize(
    ("who", "name"),
    [
        ({"id": 5, "email": "Ann@Example.org"}, "ann@example.org"),
        ({"id": 5}, "user 5"),
        (5, "user 5"),
        (" Ann@example.org ", "ann@example.org"),
        (None, "unknown"),
    ],
)
def test_annotators_are_named_in_every_form_of_export(who: Any, name: str) -> None:
    assert only(read_tasks([ours(given(choices("verdict", "accept"), who=who))])).annotator == name


@pytest.mark.parametrize("lead", ["5", "user 5", "USER 5"])
def test_an_adjudicator_can_be_named_by_number(lead: str) -> None:
    task = ours(given(choices("verdict", "accept"), who=5), given(choices("verdict", "accept"), id_=13, who=6))
    assert [one.adjudicated for one in read_tasks([task], adjudicators=[lead]).answers] == [True, False]


def test_a_text_for_an_empty_box_was_written() -> None:
    answer = only(read_tasks([ours(given(choices("verdict", "edit"), box("four")), response=None)]))
    assert (answer.verdict, answer.response, answer.seen.response) == ("write", "four", "")


def test_accepting_a_changed_text_is_an_edit_and_counted() -> None:
    found = read_tasks([ours(given(choices("verdict", "accept"), box("4")))])
    assert (only(found).verdict, only(found).response) == ("edit", "4")
    assert found.contradictions == {"accept_but_changed": 1}


@pytest.mark.parametrize(
    ("data", "prompt", "response"),
    [
        ({"prompt": "p", "completion": "c"}, ["p"], "c"),
        ({"instruction": "Add.", "input": "1 and 2", "output": "3"}, ["Add.\n\n1 and 2"], "3"),
        ({"instruction": "Add.", "input": "", "output": "3"}, ["Add."], "3"),
        ({"text": "t"}, ["t"], ""),
        ({"question": "q", "answer": "a"}, ["q"], "a"),
        (
            {"messages": [{"role": "user", "content": "u", "x": 1}, {"role": "assistant", "content": "a"}]},
            ["u"],
            "a",
        ),
        ({"messages": [{"role": "user", "content": "u"}], "response": "r"}, ["u"], "r"),
    ],
)
def test_foreign_tasks_are_read_by_their_usual_names(data: dict[str, Any], prompt: list[str], response: str) -> None:
    seen = foreign_seen(data)
    assert isinstance(seen, Seen)
    assert ([message.content for message in seen.prompt], seen.response) == (prompt, response)


def test_a_foreign_source_column_is_not_taken_for_ours() -> None:
    data = {"prompt": "p", "response": "r", "source": "wikipedia", "round": "9"}
    answer = only(read_tasks([foreign(data, given(choices("Quality", "Good")))]))
    assert (answer.verdict, answer.example, answer.source, answer.round) == ("accept", None, None, None)


def test_controls_and_words_of_another_screen_can_be_named() -> None:
    task = foreign({"text": "t", "output": "o"}, given(choices("sentiment", "Fine"), box("o2", "fixed")))
    names = Names(verdict=("sentiment",), response=("fixed",), meanings={"fine": "edit"})
    answer = only(read_tasks([task], names))
    assert (answer.verdict, answer.response) == ("edit", "o2")


def test_choices_can_be_the_response() -> None:
    task = foreign({"text": "lovely"}, given(choices("sentiment", "Positive")))
    answer = only(read_tasks([task], Names(response=("sentiment",))))
    assert (answer.verdict, answer.response) == ("write", "Positive")


def test_a_rating_beyond_five_is_left_out() -> None:
    assert only(read_tasks([ours(given(choices("verdict", "accept"), stars(9)))])).rating is None


@pytest.mark.parametrize(
    ("task", "reason", "detail"),
    [
        ("text", "not a task", "no list of annotations"),
        ({"id": 7, "annotations": 3}, "not a task", "no list of annotations"),
        ({"id": 7, "annotations": [3]}, "not an annotation", "a int"),
        (foreign({"image": "x.png"}, given()), "no prompt", "found: image"),
        ({"id": 7, "annotations": [given()]}, "no prompt", "no data"),
        (ours(given()), "no verdict", "controls answered: none"),
        (ours(given({"x": 1})), "no verdict", "controls answered: none"),
        (ours(given(result=None)), "bad result", "got NoneType"),
        (ours(given(choices("verdict", "Positive"))), "unknown verdict", "--means 'WORD=accept'"),
        (ours(given(choices("verdict", "accept", "reject"))), "several verdicts", "accept, reject"),
        (ours(given(choices("verdict", "accept"), created_at="long ago")), "bad value", "created_at"),
        (ours(given(choices("verdict", "edit"), box("\ud800"))), "bad value", "no Unicode"),
        (
            foreign({"messages": [{"role": "god", "content": "x"}]}, given()),
            "no prompt",
            "messages cannot be read",
        ),
    ],
)
def test_what_cannot_be_read_is_listed_and_the_rest_is_imported(task: Any, reason: str, detail: str) -> None:
    found = read_tasks([ours(given(choices("verdict", "accept"), id_=99)), task])
    assert [one.key for one in found.answers] == ["ls:3:99"]
    (bad,) = found.unreadable
    assert bad.reason == reason
    assert detail in bad.detail
    assert bad.place.startswith("task 1")
    assert list(reasons(found.unreadable)) == [(reason, 1, bad)]


def test_an_answer_without_an_id_keeps_one_key() -> None:
    one = given(choices("verdict", "accept"))
    del one["id"]
    first, again = (only(read_tasks([ours(one)])).key for _ in range(2))
    other = only(read_tasks([ours({**one, "completed_by": "ben@example.org"})])).key
    assert first == again != other


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("id,verdict\n1,accept\n", "not JSON: Expecting value: line 1", "choose Export, then JSON"),
        ('{"labels": 1}', "not a list of tasks but an object with the keys labels", "choose Export"),
        ("3", "not a list of tasks but a int", "choose Export"),
        ("[1, 2]", "a list without a single task", "choose Export"),
        ('[{"id": 1, "completions": []}]', "the old export format, with completions", "version 1 or later"),
        ('[{"id": 1, "annotator": 1, "annotation_id": 2, "verdict": "accept"}]', "JSON_MIN", "not JSON-MIN"),
        ('[{"data": {"text": "t"}}]', "tasks without answers; their keys: data", "choose Export"),
        ("[" * 100_000, "not JSON", "choose Export"),
    ],
)
def test_a_file_that_is_no_export_is_refused(tmp_path: Path, text: str, what: str, fix: str) -> None:
    path = tmp_path / "export.json"
    path.write_text(text)
    with pytest.raises(AnnotationError) as caught:
        read_export(path)
    assert what in caught.value.what
    assert caught.value.where == str(path)
    assert fix in caught.value.fix


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="cannot be read: No such file"):
        read_export(tmp_path / "none.json")


def test_an_export_of_an_empty_project_and_a_single_task_are_read(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text("[]")
    assert read_export(path).answers == []
    path.write_text("\ufeff" + json.dumps(ours(given(choices("verdict", "accept")))), encoding="utf-8")
    assert len(read_export(path).answers) == 1


@pytest.mark.shared
@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no shared data at {SAMPLES}")
def test_real_exports_give_annotations_or_say_why_not() -> None:
    answers = {}
    for path in sorted(SAMPLES.glob("*.json")):
        try:
            found = read_export(
                path, Names(verdict=("sentiment",), meanings={"Not Humor": "reject", "Positive": "accept"})
            )
        except AnnotationError as error:
            answers[path.stem] = error.what.split(",")[0]
            continue
        answers[path.stem] = len(found.answers)
        assert all(one.reason and one.detail for one in found.unreadable)
        read = len(found.answers) + len(found.unreadable) + found.skipped + found.unanswered
        assert read >= found.tasks  # nothing goes missing in silence
    assert answers["test_old_format"] == "the old export format"
    assert str(answers["label_config_repeater"]).startswith("not a list of tasks")
    assert answers["humor_dataset_2_annotations"] == 2
    assert answers["csv_test_history"] == 1
