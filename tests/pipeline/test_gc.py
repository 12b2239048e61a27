import pytest

from pipeline.gc import collect, find_garbage
from pipeline.lock import locked
from pipeline.refs import refs_folder
from pipeline.tags import tag
from schemas import ConfigError, SnapshotError


def change(project, answer: str) -> None:
    project.replace("questions.jsonl", '"a": "the Nile"', f'"a": "{answer}"')
    project.run()
    project.replace("questions.jsonl", f'"a": "{answer}"', '"a": "the Nile"')


def test_nothing_goes_while_every_run_is_kept(project):
    project.run()
    change(project, "the river Nile")
    assert find_garbage(project.data, keep=5).paths == []


def test_old_versions_and_their_dropped_parts_go_and_the_newest_stays(project):
    project.run()
    old = project.outcomes["split"].record.version
    change(project, "the river Nile")
    new = project.outcomes["split"].record.version
    listed = find_garbage(project.data, keep=1)
    assert project.data / "split" / old in listed.paths
    assert listed.bytes > 0
    assert collect(project.data, keep=1) == listed
    assert not (project.data / "split" / old).exists()
    assert (project.data / "split" / new / "manifest.json").exists()
    assert project.data.joinpath("split", "latest-tiny").resolve().name == new
    assert find_garbage(project.data, keep=1).paths == []


def test_a_collected_version_is_made_again_when_it_is_needed(project):
    first = project.run()["split"].record.version
    change(project, "the river Nile")
    collect(project.data, keep=1)
    assert project.run()["split"].record.version == first


def test_a_tag_keeps_everything_it_came_from(project):
    versions = {stage: outcome.record.version for stage, outcome in project.run().items()}
    link = tag(project.data, "tiny", "v1")
    change(project, "the river Nile")
    collect(project.data, keep=1)
    assert all((project.data / stage / version).is_dir() for stage, version in versions.items())
    assert link.resolve().name == versions["split"]


def test_a_tag_never_moves(project):
    project.run()
    tag(project.data, "tiny", "v1")
    assert tag(project.data, "tiny", "v1").name == "v1"  # the same version again is no move
    change(project, "the river Nile")
    with pytest.raises(ConfigError) as caught:
        tag(project.data, "tiny", "v1")
    assert caught.value.what == "tag v1 names another version"
    assert "another name" in caught.value.fix


def test_a_training_run_keeps_the_split_it_was_trained_on(project):
    version = project.run()["split"].record.version
    run = project.data / "runs" / "abc"
    run.mkdir(parents=True)
    (run / "manifest.json").write_text(f'{{"parents": {{"split": "{version}"}}}}')
    change(project, "the river Nile")
    collect(project.data, keep=1)
    assert (project.data / "split" / version).is_dir()


def test_segments_of_parts_that_no_version_has_go_and_the_others_stay(project):
    project.run()
    change(project, "the river Nile")
    segments = project.data / "dedupe" / "index" / "segments"
    before = set(segments.iterdir())
    collect(project.data, keep=1)

    assert len(before) == 6  # the notes, and the questions as they were and as they are: arrays and header each
    assert len(set(segments.iterdir())) == 4
    assert project.ran() == ["ingest", "dedupe", "format", "annotate", "split"]


def test_what_a_stopped_run_left_behind_goes(project):
    project.run()
    left = project.data / "dedupe" / "tmp" / "tiny--99999"
    left.mkdir(parents=True)
    (left / "kept-00000.parquet").write_bytes(b"half")
    assert find_garbage(project.data, keep=3).paths == [left]


def test_gc_does_not_run_beside_a_run(project):
    project.run()
    with locked(refs_folder(project.data, "format", "tiny"), "stage format of recipe tiny"):
        with pytest.raises(SnapshotError, match="stage format of recipe tiny is being written by"):
            collect(project.data, keep=1)


def test_people_s_answers_are_never_garbage(project):
    project.run()
    answers = project.data / "annotations" / "000001-abc.jsonl"
    answers.parent.mkdir()
    answers.write_text("")
    collect(project.data, keep=1)
    assert answers.exists()


def test_what_a_killed_run_left_beside_records_links_and_tags_goes(project):
    project.run()
    tag(project.data, "tiny", "v1")
    left = [
        project.data / "dedupe" / "refs" / "tiny" / ".draft-ab12",
        project.data / "tags" / ".v1.json.99999",
        project.data / "split" / ".latest-tiny.99999",
    ]
    for path in left[:2]:
        path.write_text("{")
    left[2].symlink_to("nowhere")
    (project.data / "dedupe" / "refs" / "tiny" / ".holder.json").write_text("")  # killed before it was written
    assert sorted(find_garbage(project.data, keep=3).paths) == sorted(left)
    collect(project.data, keep=3)
    assert not [path for path in left if path.is_symlink() or path.exists()]


def test_a_damaged_tag_stops_gc_before_anything_goes(project):
    project.run()
    tag(project.data, "tiny", "v1")
    change(project, "the river Nile")
    path = project.data / "tags" / "v1.json"
    path.write_text(path.read_text()[:-9])
    with pytest.raises(SnapshotError, match="a tag cannot be read"):
        collect(project.data, keep=1)
    assert len([one for one in (project.data / "split").glob("*/manifest.json") if not one.parent.is_symlink()]) == 2


def test_a_disk_that_refuses_is_a_sentence(project, monkeypatch):
    project.run()
    change(project, "the river Nile")

    def refuse(path: object, *_: object) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr("pathlib.Path.rename", refuse)
    with pytest.raises(SnapshotError, match="the store could not be written: Read-only file system"):
        collect(project.data, keep=1)
