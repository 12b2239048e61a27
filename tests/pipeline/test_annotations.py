import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.annotations import add_annotations, annotation_files, name_people, pseudonyms, read_annotations
from schemas import Annotation, AnnotationError, Seen


def answer(key: str = "ls:1:1", who: str = "ann", updated: str = "2026-01-02T00:00:00Z", **more: Any) -> Annotation:
    return Annotation.model_validate(
        {
            "key": key,
            "example": "e",
            "seen": Seen(prompt=[], response="5"),
            "annotator": who,
            "verdict": "accept",
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": updated,
            **more,
        }
    )


def read(root: Path) -> list[Annotation]:
    return read_annotations(annotation_files(root).values())


def test_answers_come_back_as_they_were_given(tmp_path: Path) -> None:
    text = 'a "quote", \u2028 a separator, \x00, 🦊\nand a line'
    given = answer(verdict="edit", response=text)
    assert add_annotations(tmp_path, [given])[1] == 1
    assert read(tmp_path) == [given]


def test_the_same_answers_again_add_nothing(tmp_path: Path) -> None:
    add_annotations(tmp_path, [answer(), answer("ls:1:2", "ben")])
    before = {name: path.read_bytes() for name, path in annotation_files(tmp_path).items()}
    assert add_annotations(tmp_path, [answer("ls:1:2", "ben"), answer()]) == (None, 0)
    assert {name: path.read_bytes() for name, path in annotation_files(tmp_path).items()} == before


def test_a_changed_answer_is_a_new_record_and_the_old_file_stays(tmp_path: Path) -> None:
    first, _ = add_annotations(tmp_path, [answer()])
    assert first is not None
    before = first.read_bytes()
    add_annotations(tmp_path, [answer(verdict="reject", updated="2026-01-03T00:00:00Z")])
    assert [one.verdict for one in read(tmp_path)] == ["reject"]
    assert first.read_bytes() == before


def test_an_older_export_imported_later_does_not_overwrite(tmp_path: Path) -> None:
    add_annotations(tmp_path, [answer(verdict="reject", updated="2026-01-03T00:00:00.5Z")])
    add_annotations(tmp_path, [answer(verdict="accept", updated="2026-01-03T00:00:00Z")])  # half a second older
    assert [one.verdict for one in read(tmp_path)] == ["reject"]


def test_times_are_compared_as_times_whatever_their_zone(tmp_path: Path) -> None:
    add_annotations(
        tmp_path, [answer(verdict="reject", updated="2026-01-03T01:00:00+02:00")]
    )  # 23:00 UTC the day before
    add_annotations(tmp_path, [answer(verdict="accept", updated="2026-01-03T00:00:00Z")])
    assert [one.verdict for one in read(tmp_path)] == ["accept"]


def test_an_id_given_anew_by_a_fresh_server_is_another_answer(tmp_path: Path) -> None:
    add_annotations(tmp_path, [answer(), answer(created_at="2026-05-01T00:00:00Z")])
    assert len(read(tmp_path)) == 2


def test_an_adjudicator_stays_one_when_the_export_is_imported_without_the_flag(tmp_path: Path) -> None:
    add_annotations(tmp_path, [answer(adjudicated=True)])
    assert add_annotations(tmp_path, [answer()])[1] == 1
    assert [one.adjudicated for one in read(tmp_path)] == [True]


def test_pseudonyms_are_given_in_order_and_never_change(tmp_path: Path) -> None:
    add_annotations(tmp_path, [answer(who="zoe")])
    add_annotations(tmp_path, [answer("ls:1:2", "ann"), answer("ls:1:3", "zoe")])
    assert pseudonyms(annotation_files(tmp_path).values()) == {"zoe": "a1", "ann": "a2"}


def test_importing_again_mends_a_lost_list_of_people(tmp_path: Path) -> None:
    add_annotations(tmp_path, [answer()])
    (tmp_path / "annotations" / "people.json").unlink()
    assert add_annotations(tmp_path, [answer()]) == (None, 0)
    assert pseudonyms(annotation_files(tmp_path).values()) == {"ann": "a1"}


def test_all_damaged_lines_are_told_at_once(tmp_path: Path) -> None:
    path, _ = add_annotations(tmp_path, [answer()])
    assert path is not None
    path.write_text(path.read_text() + "{}\nnot json\n")
    with pytest.raises(AnnotationError) as caught:
        read(tmp_path)
    text = str(caught.value)
    assert f"{path}:2" in text
    assert f"{path}:3" in text
    assert "restore the file from a backup" in text


def test_a_damaged_list_of_people_is_told(tmp_path: Path) -> None:
    add_annotations(tmp_path, [answer()])
    people = tmp_path / "annotations" / "people.json"
    people.write_text("{")
    with pytest.raises(AnnotationError) as caught:
        pseudonyms([people])
    assert caught.value.where == str(people)
    assert "backup" in caught.value.fix


def test_a_moment_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="Invalid isoformat"):
        answer(updated="yesterday")


def test_nothing_there_is_no_answer(tmp_path: Path) -> None:
    assert read(tmp_path) == []
    assert pseudonyms([]) == {}
    assert add_annotations(tmp_path, []) == (None, 0)


def test_files_are_json_lines_with_names_in_order(tmp_path: Path) -> None:
    add_annotations(tmp_path, [answer()])
    add_annotations(tmp_path, [answer("ls:1:2")])
    names = [name[:7] for name in annotation_files(tmp_path) if name.endswith("l")]
    assert names == ["000001-", "000002-"]
    assert all(json.loads(line) for path in (tmp_path / "annotations").glob("*.jsonl") for line in path.open())


def test_people_can_be_named_before_they_answer(tmp_path: Path) -> None:
    assert name_people(tmp_path, ["ann@example.org", "ben@example.org"]) == {
        "ann@example.org": "a1", "ben@example.org": "a2",
    }  # fmt: skip
    assert name_people(tmp_path, ["cy@example.org", "ann@example.org"])["cy@example.org"] == "a3"
    assert pseudonyms(annotation_files(tmp_path).values())["ann@example.org"] == "a1"
