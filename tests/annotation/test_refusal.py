"""What becomes of each published Label Studio export: read, or refused with a reason and a cure."""

from pathlib import Path

import pytest

from annotation.export import Imported, Unreadable, read_export
from annotation.foreign import foreign_seen
from annotation.refusal import refusal
from annotation.results import Names
from schemas import AnnotationError

NO_TEXT = ("no prompt among the task's data", "give `--prompt KEY`; pictures and sound")


# File to what is said of it when it is imported with nothing but its name.
REFUSED = {
    "chat_data": NO_TEXT,
    "csv_test": ("controls answered: label", "`--response label`"),
    "csv_test2": NO_TEXT,
    "csv_test_colliding_keys": ("controls answered: text", "`--response text`"),
    "csv_test_colliding_keys_mixed": ("controls answered: text", "`--response text`"),
    "csv_test_history": ("controls answered: sentiment", "`--response sentiment`"),
    "data": NO_TEXT,
    "data_repeater": NO_TEXT,
    "humor_dataset_2_annotations": ("controls answered: sentiment", "`--response sentiment`"),
    "label_config_repeater": ("not a list of tasks but an object", "choose Export, then JSON"),
    "previous_export": NO_TEXT,
    "tasks_annotations_predictions": ("controls answered: text_class", "`--response text_class`"),
    "test_bbox": NO_TEXT,
    "test_old_format": ("the old export format, with completions", "import it into a Label Studio of version 1"),
}
# With the cure: file to the names given, answers, unanswered tasks.
READ = {
    "csv_test2": (Names(prompt_keys=("title",), response=("uri_selection",)), 1, 0),
    "csv_test_colliding_keys": (Names(response=("text",)), 1, 0),
    "csv_test_colliding_keys_mixed": (Names(response=("text",)), 1, 1),
    "csv_test_history": (Names(response=("sentiment",)), 1, 0),
    "humor_dataset_2_annotations": (Names(response=("sentiment",)), 2, 0),
    "tasks_annotations_predictions": (Names(response=("text_class",)), 4, 3),
}


@pytest.mark.shared
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_as_it_is_is_refused_with_a_cure(shared_data: Path, name: str) -> None:
    path = shared_data / "label-studio-export-samples" / f"{name}.json"
    try:
        problem = refusal(read_export(path), path, Names())
    except AnnotationError as error:
        problem = error
    reason, cure = REFUSED[name]
    assert reason in str(problem)
    assert cure in str(problem)


@pytest.mark.shared
@pytest.mark.parametrize("name", READ)
def test_with_the_cure_every_answer_about_a_text_is_read(shared_data: Path, name: str) -> None:
    names, n_answers, n_unanswered = READ[name]
    path = shared_data / "label-studio-export-samples" / f"{name}.json"
    found = read_export(path, names)
    assert refusal(found, path, names) is None
    assert (len(found.answers), found.unanswered, found.unreadable) == (n_answers, n_unanswered, [])
    # There was no response: what people chose is what they wrote.
    assert {answer.verdict for answer in found.answers} == {"write"}


@pytest.mark.shared
def test_every_published_export_is_named_here(shared_data: Path) -> None:
    assert {path.stem for path in (shared_data / "label-studio-export-samples").glob("*.json")} == set(REFUSED)


@pytest.mark.shared
def test_boxes_in_a_picture_stay_refused_and_the_cure_is_not_said_twice(shared_data: Path) -> None:
    path, names = shared_data / "label-studio-export-samples" / "csv_test.json", Names(response=("label",))
    problem = refusal(read_export(path, names), path, names)
    assert problem is not None
    assert "neither a choice nor a text, such as a box in a picture" in problem.fix


def test_an_export_with_something_usable_or_without_answers_is_not_refused() -> None:
    assert refusal(Imported(tasks=2, unanswered=2), Path("x"), Names()) is None


def test_an_empty_answer_has_a_cure_of_its_own() -> None:
    found = Imported(tasks=1, unreadable=[Unreadable("task 0", "no verdict", "controls answered: none")])
    problem = refusal(found, Path("x.json"), Names())
    assert problem is not None
    assert problem.where == "x.json, task 0"
    assert "nothing was answered on that screen" in problem.fix


def test_keys_that_were_named_come_before_the_usual_ones() -> None:
    data = {"text": "a", "title": "b", "output": "c", "draft": "d"}
    seen = foreign_seen(data, ["title"], ["draft"])
    assert not isinstance(seen, str)
    assert (seen.prompt[0].content, seen.response) == ("b", "d")
    assert "looked for nothing, prompt, " in str(foreign_seen({}, ["nothing"]))
