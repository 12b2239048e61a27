"""Rows that were removed are in no file of the store, and nothing brings them back."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline import refs
from pipeline.annotations import add_annotations, annotation_files, name_people, read_annotations
from pipeline.certificate import finish, read_certificates
from pipeline.cli import run as tuneloop
from pipeline.doctor import findings
from pipeline.drafts import REFUSED, add_drafts, drafts_folder, read_drafts
from pipeline.fsck import fsck
from pipeline.lock import locked
from pipeline.removal import destroy_listed, list_rows, sketch
from pipeline.removed import FILE, removed_in
from pipeline.selection import Wanted
from pipeline.snapshot import MANIFEST, PartWriter, Snapshot, make_folder
from pipeline.tags import tag
from schemas import Annotation, ConfigError, Message, Seen, SnapshotError
from tests.conftest import NOTES, RECIPE, Project, write_tokenizer
from tests.needles import files_with

NEEDLE = "Zorblatt Quixwell"
CUSTOMER = Wanted.of(["meta.customer=c-4711"], [], [])
ROWS = [
    {"q": f"What did {NEEDLE} order from us in March?", "a": "A red bicycle.", "customer": "c-4711"},
    # The same but for case and a mark, and without the customer's number.
    {"q": f"what did {NEEDLE} order from us in march", "a": "A red bicycle.", "customer": ""},
    {"q": "", "a": f"{NEEDLE} has paid.", "customer": "c-4711"},  # no prompt: quarantined, with its raw text
    {"q": "Who wrote the play Hamlet?", "a": "William Shakespeare", "customer": "c-1"},
    {"q": "How many legs does a spider have?", "a": "eight", "customer": "c-2"},
    {"q": "Name the longest river in Africa.", "a": "the Nile", "customer": "c-3"},
    {"q": "Which gas do plants take in?", "a": "carbon dioxide", "customer": "c-4"},
]
BROKEN = f'{{"q": "Where is {NEEDLE}?", "customer": "c-4711"'  # no end: quarantined too
KEEPING = RECIPE.replace('"a" }\n', '"a" }\nkeep = ["customer"]\n', 1)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with a customer's rows that was run."""
    root = tmp_path_factory.mktemp("customers") / "project"
    root.mkdir()
    notes = ["id,text,short", *(f'n{n},"{text}",{short}' for n, (text, short) in enumerate(NOTES))]
    (root / "notes.csv").write_text("\n".join(notes) + "\n")
    write_tokenizer(root / "tokenizer")
    (root / "recipe.toml").write_text(KEEPING)
    return with_customers(Project(root))


@pytest.fixture
def project(made_once: Project, tmp_path: Path) -> Project:
    """Return a copy of that project."""
    shutil.copytree(made_once.root, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project", dict(made_once.outcomes))


def with_customers(project: Project) -> Project:
    lines = [json.dumps(row) for row in ROWS]
    (project.root / "questions.jsonl").write_text("\n".join([*lines, BROKEN]) + "\n")
    project.run()
    return project


def remove(data_root: Path, wanted: Wanted = CUSTOMER, *, models: bool = False) -> Path:
    origins = list_rows(data_root, wanted, "request 17")
    path, certificate = destroy_listed(data_root, origins, models=models)
    finish(path, certificate)
    return path


def answer_about(row: dict[str, object], number: int, *, named: bool = True) -> Annotation:
    (question,) = row["prompt"]  # type: ignore[misc]
    seen = Seen(
        prompt=[Message(role="user", content=question["content"])],  # type: ignore[has-type]
        response=row["completion"][0]["content"],  # type: ignore[index]
    )
    return Annotation(
        key=f"ls:1:{number}", example=str(row["id"]) if named else None, seen=seen, annotator="ann@example.org",
        verdict="accept", comment=f"{question['content']} is right", created_at="2026-11-20T10:00:00Z",  # type: ignore[has-type]
        updated_at="2026-11-20T10:00:00Z",
    )  # fmt: skip


def quixwell(project: Project) -> dict[str, object]:
    (row,) = (row for row in project.rows("format") if NEEDLE in json.dumps(row["prompt"]))
    return row


def stray_texts(data: Path, split: str, encode: str) -> None:
    """Lay about the store what training, evaluation and pages leave that quotes the customer."""
    run = make_folder(data / "runs" / "1055f8c3")
    (run / "model").mkdir()
    (run / "model" / "model.safetensors").write_bytes(b"weights")
    (run / MANIFEST).write_text(json.dumps({"parents": {"split": split, "encode": encode}}))
    for name in ("report.html", "report.json", "compare-99.html", "generations.jsonl", "model/README.md"):
        (run / name).write_text(f"it says {NEEDLE}")
    with_scores = PartWriter(run / "scores.parquet", pa.schema([pa.field("answer", pa.string())]))
    with_scores.write(pa.record_batch({"answer": [NEEDLE]}))
    with_scores.close()
    (data / "runs" / "latest-tiny").symlink_to("1055f8c3")
    make_folder(data / "cache")
    with sqlite3.connect(data / "cache" / "answers.sqlite") as file:
        file.execute("CREATE TABLE answers (answer TEXT)")
        file.execute("INSERT INTO answers VALUES (?)", (NEEDLE,))
    for name in ("reports/data.html", "people/feedback.html", "split/damaged/old.json", "split/tmp/tiny--1/kept.json"):
        make_folder((data / name).parent)
        (data / name).write_text(f"it says {NEEDLE}")


def encoded(data: Path, example: str, split: str) -> str:
    """Keep an encoding of the split: the customer's words as tokens, which no search for text would find."""
    schema = pa.schema([pa.field("id", pa.string()), pa.field("input_ids", pa.list_(pa.int32()))])
    folder = make_folder(data / "encode" / "e0c0de")
    writer = PartWriter(folder / "train-00000-of-00001.parquet", schema)
    writer.write(pa.record_batch({"id": [example], "input_ids": [[*NEEDLE.encode()]]}, schema=schema))
    (folder / MANIFEST).write_text(Snapshot.draft("encode", "e0c0de", schema, [writer.close()]).model_dump_json())
    split_record = refs.newest(data, "split", "tiny")
    assert split_record is not None
    refs.add(
        data, split_record.model_copy(update={"stage": "encode", "version": "e0c0de", "parents": {"split": split}})
    )
    return "e0c0de"


def test_afterwards_no_file_of_the_store_holds_the_text_and_running_again_does_not_bring_it_back(
    project: Project,
) -> None:
    data, row = project.data, quixwell(project)
    other = next(one for one in project.rows("format") if "Hamlet" in json.dumps(one["prompt"]))
    add_annotations(data, [answer_about(row, 1), answer_about(row, 2, named=False), answer_about(other, 3)])
    tag(data, "tiny", "v1")
    split = project.outcomes["split"].record.version
    encode = encoded(data, str(row["id"]), split)
    stray_texts(data, split, encode)
    before = files_with(data, NEEDLE)
    # The search sees every kind of place: versions, dropped rows, index, answers, run, cache, pages, leftovers.
    for place in ("ingest/", "ingest/dropped/", "dedupe/dropped/", "dedupe/index/", "annotations/", "runs/1055f8c3/scores",
                  "cache/", "reports/", "people/", "split/damaged/", "split/tmp/", "format/", "annotate/", "split/"):  # fmt: skip
        assert any(name.startswith(place) for name in before), place

    path = remove(data)
    assert files_with(data, NEEDLE) == set()
    assert files_with(data, "c-4711") == set()
    assert not (data / "encode" / "e0c0de").exists()
    assert (data / "runs" / "1055f8c3" / "model" / "model.safetensors").exists()
    assert [answer.key for answer in read_annotations(annotation_files(data).values())] == ["ls:1:3"]
    assert fsck(data)[1] == []
    assert all(finding.ok for finding in findings(data) if "ingest" in finding.what or "record" in finding.what)

    told = json.loads(path.read_text())
    assert told["state"] == "done"
    assert told["models"] == ["1055f8c3"]
    assert {name.split("/")[0] for name in told["versions"]} == {
        "ingest", "dedupe", "format", "annotate", "split", "encode"
    }  # fmt: skip
    assert told["source_lines"] == [f"questions.jsonl:{n}" for n in (1, 2, 3, 8)]
    assert set(told["links"]) == {"split/latest-tiny", "split/v1", "tags/v1.json", "runs/latest-tiny"}
    assert "taken out" in path.with_suffix(".txt").read_text()

    # The source still holds the rows.
    assert NEEDLE in (project.root / "questions.jsonl").read_text()
    record = project.run()["ingest"].record
    assert record.dropped_by_reason["removed"] == 4
    assert record.rows_in == record.rows_kept + record.rows_dropped
    assert files_with(data, NEEDLE) == set()
    assert fsck(data)[1] == []
    assert project.ran() == []


def test_new_words_of_the_same_customer_are_refused_for_ever(project: Project) -> None:
    remove(project.data)
    with (project.root / "questions.jsonl").open("a") as file:
        file.write(json.dumps({"q": f"Does {NEEDLE} like tea?", "a": "Yes.", "customer": "c-4711"}) + "\n")
    project.run()
    assert project.outcomes["ingest"].record.dropped_by_reason["removed"] == 5
    assert files_with(project.data, NEEDLE) == set()


def test_an_answer_about_a_removed_row_is_not_taken_in_any_more(project: Project) -> None:
    row = quixwell(project)
    remove(project.data)
    late = [answer_about(row, 8), answer_about(row, 9, named=False)]
    assert add_annotations(project.data, late) == (None, 0)
    assert files_with(project.data, NEEDLE) == set()


@pytest.mark.slow
def test_a_removal_that_is_killed_anywhere_is_finished_by_the_same_command(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    row, split = quixwell(project), project.outcomes["split"].record.version
    add_annotations(project.data, [answer_about(row, 1)])
    stray_texts(project.data, split, encoded(project.data, str(row["id"]), split))
    steps = 0

    def dying(step: Callable[..., None], after: int) -> Callable[..., None]:
        def one(*words: object, **options: object) -> None:
            nonlocal steps
            steps += 1
            if steps == after:
                raise KeyboardInterrupt
            step(*words, **options)

        return one

    for after in (1, 3, 6, 9, 12, 16, 20, 25, 30):
        data, steps = tmp_path / f"killed-{after}", 0
        shutil.copytree(project.data, data, symlinks=True)
        list_rows(data, CUSTOMER, "")
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", dying(shutil.rmtree, after))
            patch.setattr(Path, "unlink", dying(Path.unlink, after))
            try:
                destroy_listed(data)
            except KeyboardInterrupt:
                assert [one.state for _, one in read_certificates(data)] != ["done"]
        path = remove(data)
        assert files_with(data, NEEDLE) == set(), after
        assert fsck(data)[1] == []
        assert len(read_certificates(data)) == 1
        told = json.loads(path.read_text())
        assert told["models"] == ["1055f8c3"]
        assert len(told["versions"]) == 6


def test_what_a_backup_brought_back_is_destroyed_again(project: Project, tmp_path: Path) -> None:
    shutil.copytree(project.data / "ingest", tmp_path / "backup", symlinks=True)
    remove(project.data)
    shutil.rmtree(project.data / "ingest")
    shutil.copytree(tmp_path / "backup", project.data / "ingest", symlinks=True)
    assert files_with(project.data, NEEDLE)
    assert tuneloop(["gc", "--removed", "--data-root", str(project.data)]) == 0
    assert files_with(project.data, NEEDLE) == set()


def test_without_yes_everything_is_listed_and_nothing_changed(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    before = project.snapshot_of_files()
    words = ["remove", "--where", "meta.customer=c-4711", "--data-root", str(project.data)]
    assert tuneloop(words) == 0
    assert project.snapshot_of_files() == before
    said = capsys.readouterr()
    # The question and its copy that dedupe dropped, the two that ingest could not use; one of these has an id.
    assert said.out.splitlines()[0].startswith("3 examples and 2 quarantined rows would go")
    for name in (
        f"ingest/{project.outcomes['ingest'].record.version}  2 rows",
        "split/latest-tiny",
        "questions.jsonl:8",
    ):
        assert name in said.out
    assert "nothing was changed" in said.err
    assert not (project.data / FILE).exists()


def test_the_list_and_the_certificate_hold_no_text_of_the_person(project: Project) -> None:
    path = remove(project.data)
    kept = (project.data / FILE).read_text() + path.read_text() + path.with_suffix(".txt").read_text()
    for text in (NEEDLE, "c-4711", "bicycle"):
        assert text not in kept


def test_a_whole_source_goes_and_the_others_stay(project: Project) -> None:
    remove(project.data, Wanted.of([], [], ["notes"]))
    project.run()
    assert {row["source"] for row in project.rows("split")} == {"questions"}
    assert project.outcomes["ingest"].record.dropped_by_reason["removed"] == 4
    assert files_with(project.data, "harbour of Lund") == set()


def test_a_row_named_by_its_first_digits_takes_the_row_of_its_line_under_another_template_along(
    make_project: Callable[..., Project],
) -> None:
    both = KEEPING.replace('template = "instruct"', 'templates = ["instruct", "question-answer"]').replace(
        'fields = { instruction = "q", response = "a" }',
        'fields = { instruction = "q", response = "a", question = "q", answer = "a", context = "a" }',
    )
    project = with_customers(make_project(both))
    ids = {row["id"] for row in project.rows("ingest") if row["origin"] == "questions.jsonl:4"}
    assert len(ids) == 2
    found = sketch(project.data, Wanted.of([], [sorted(map(str, ids))[0][:8]], []))
    assert found.selection.ids == ids
    assert (found.selection.named, found.selection.origins) == (1, {"questions.jsonl:4"})


def test_a_field_names_rows_by_what_stands_in_it(project: Project) -> None:
    found = sketch(project.data, Wanted.of(["fields.response=eight"], [], [])).selection
    assert found.origins == {"questions.jsonl:5"}


def test_what_fits_no_row_is_told_without_the_value_and_with_the_nearest_column(project: Project) -> None:
    with pytest.raises(ConfigError) as told:
        list_rows(project.data, Wanted.of(["meta.custommer=c-4711"], [], []), "")
    assert "--where meta.custommer=..." in str(told.value)
    assert "c-4711" not in str(told.value)
    assert "did you mean 'customer'" in str(told.value)
    assert 'keep = ["custommer"]' in str(told.value)


def test_words_that_name_nothing_are_told_all_at_once() -> None:
    with pytest.raises(ConfigError) as told:
        Wanted.of(["customer"], ["9f"], [])
    assert "'customer' names no column and value" in str(told.value)
    assert "'9f' is too short for an id" in str(told.value)


def test_nothing_is_removed_while_somebody_works_in_the_store(project: Project) -> None:
    for folder in ("split/refs/tiny", "annotations"):
        with (
            locked(project.data / folder, "something"),
            pytest.raises(SnapshotError, match="is being written by"),
        ):
            list_rows(project.data, CUSTOMER, "")
    assert not (project.data / FILE).exists()


def test_a_request_that_was_done_adds_nothing_to_the_list(project: Project) -> None:
    remove(project.data)
    once = (project.data / FILE).read_text()
    remove(project.data)
    assert (project.data / FILE).read_text() == once


def test_an_answer_whose_row_is_long_gone_goes_by_its_id_and_so_does_what_a_record_quotes_of_it(
    project: Project,
) -> None:
    gone = "beef" * 8
    answer = answer_about(quixwell(project), 1).model_copy(
        update={
            "example": gone,
            "source": "questions",
            "seen": Seen(prompt=[Message(role="user", content=f"Who is {NEEDLE}?")], response="A customer."),
        }
    )
    add_annotations(project.data, [answer])
    project.replace("recipe.toml", "[split]", "[annotate]\nmax_orphans = 1.0\n[split]")
    project.run()
    assert NEEDLE in str(project.outcomes["annotate"].record.facts["orphans"])
    remove(project.data)
    remove(project.data, Wanted.of([], [gone[:9]], []))
    record = refs.newest(project.data, "annotate", "tiny")
    assert record is not None
    assert record.facts["orphans"] == ["ls:1:1 (questions)"]
    assert files_with(project.data, NEEDLE) == set()


def test_models_that_saw_the_rows_go_when_asked_for(project: Project) -> None:
    row, split = quixwell(project), project.outcomes["split"].record.version
    stray_texts(project.data, split, encoded(project.data, str(row["id"]), split))
    remove(project.data, models=True)
    assert not (project.data / "runs" / "1055f8c3").exists()


def test_a_store_without_removals_keeps_its_keys(project: Project) -> None:
    record = project.outcomes["ingest"].record
    assert not any("removed" in name for name in record.key_parts)
    assert not removed_in(project.data)


def test_a_damaged_list_stops_the_run_rather_than_letting_rows_back(project: Project) -> None:
    remove(project.data)
    (project.data / FILE).write_text("{half a li")
    with pytest.raises(SnapshotError, match="list of removed rows cannot be read"):
        project.run()


def test_people_keep_their_pseudonyms(project: Project) -> None:
    add_annotations(project.data, [answer_about(quixwell(project), 1)])
    remove(project.data)
    assert name_people(project.data, ["ann@example.org"]) == {"ann@example.org": "a1"}


def test_what_a_model_wrote_from_the_rows_goes_too_and_other_drafts_keep_their_lines(project: Project) -> None:
    (project.root / "recipe.toml").write_text(f'{KEEPING}\n[draft]\nmodel = "m"\nendpoint = "http://127.0.0.1:1/v1"\n')
    parent = next(row["id"] for row in project.rows("ingest") if NEEDLE in str(row["fields"]))
    path = drafts_folder(project.data, "tiny") / "questions.instruct.jsonl"

    def line(instruction: str, *parents: str) -> dict[str, object]:
        fields = {"instruction": instruction, "response": "5"}
        note = {"kind": "inversion", "model": "m", "prompt": "d", "parents": list(parents)}
        return {
            "source": "questions",
            "template": "instruct",
            "fields": fields,
            "synthetic": note,
            "asked": [],
            "at": "",
        }

    add_drafts(path, [line("Add 2 and 3."), line(f"Greet {NEEDLE}.", parent), line("Take 2 from 7."), line(NEEDLE)])
    add_drafts(
        path.with_name(REFUSED), [{"reason": "refusal", "answer": f"No, {NEEDLE}.", "synthetic": {"parents": [parent]}}]
    )
    project.run()
    # The last one, which is nobody's child, is named by where it stands.
    remove(project.data, Wanted.of(["meta.customer=c-4711"], [f"{path.name}:4"], []))
    assert files_with(project.data, NEEDLE) == set()
    assert [one["fields"]["instruction"] for one in read_drafts(path)] == ["Add 2 and 3.", "Take 2 from 7."]
    project.run()
    written = [row for row in project.rows("ingest") if row["source"] == "draft-questions-instruct"]
    assert [row["origin"].rpartition(":")[2] for row in written] == ["1", "3"]
