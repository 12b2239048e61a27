import pytest

from pipeline.fsck import fsck, repair
from pipeline.snapshot import Snapshot
from pipeline.tags import tag
from schemas import SnapshotError


def test_a_whole_store_has_no_damage(project):
    project.run()
    n_files, damages = fsck(project.data)
    assert damages == []
    # Six versions (five stages and the ledger) of at least one file each, and the dropped parts.
    assert n_files >= 8


DAMAGES = {
    "a byte changed in a part": lambda path: path.write_bytes(
        path.read_bytes()[:60] + b"\xff" + path.read_bytes()[61:]
    ),
    "a part cut short": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "a part gone": lambda path: path.unlink(),
    "a part emptied": lambda path: path.write_bytes(b""),
}


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("stage", ["ingest", "dedupe", "format", "annotate", "split", "ledger"])
def test_damage_is_found_set_aside_and_made_again(project, kind, stage):
    project.run()
    before = {name: outcome.record.version for name, outcome in project.outcomes.items()}
    path = next(one for one in sorted((project.data / stage).glob("*/*.parquet")) if one.parent.name != "dropped")
    DAMAGES[kind](path)
    _, damages = fsck(project.data)
    assert [damage.path for damage in damages] == [path.parent]
    moved = repair(project.data, damages)
    assert moved == [project.data / stage / "damaged" / path.parent.name]
    if stage == "ledger":
        return  # decisions cannot be made again: the next test says what happens
    project.run()
    assert {name: outcome.record.version for name, outcome in project.outcomes.items()} == before
    assert fsck(project.data)[1] == []


def test_parts_that_were_swapped_are_found(project):
    project.run()
    parts = sorted((project.data / "ingest").glob("*/part-*.parquet"))
    one, two = parts[0].read_bytes(), parts[1].read_bytes()
    parts[0].write_bytes(two)
    parts[1].write_bytes(one)
    assert len(fsck(project.data)[1]) == 1


def test_a_damaged_record_is_found_and_the_run_before_it_counts(project):
    project.run()
    path = max((project.data / "dedupe" / "refs" / "tiny").glob("*.json"))
    path.write_text(path.read_text()[:-20])
    _, damages = fsck(project.data)
    assert [damage.path for damage in damages] == [path]
    repair(project.data, damages)
    assert project.ran() == ["dedupe"]


def test_dropped_rows_that_changed_are_found(project):
    project.run()
    path = next((project.data / "dedupe" / "dropped").glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-9] + b"\x00" * 9)
    assert [damage.path for damage in fsck(project.data)[1]] == [path]


def test_an_edited_manifest_is_found(project):
    project.run()
    path = next((project.data / "format").glob("*/manifest.json"))
    path.write_text(path.read_text().replace('"rows": 11', '"rows": 12'))
    assert fsck(project.data)[1]


def test_a_version_without_its_manifest_is_found(project):
    project.run()
    path = next(one for one in (project.data / "split").glob("*/manifest.json") if not one.parent.is_symlink())
    path.unlink()
    assert path.parent in [damage.path for damage in fsck(project.data)[1]]


def test_a_word_changed_in_a_record_is_found(project):
    project.run()
    path = max((project.data / "dedupe" / "refs" / "tiny").glob("*.json"))
    path.write_text(path.read_text().replace('"seconds": ', '"seconds": 1', 1))
    (damage,) = fsck(project.data)[1]
    assert damage.path == path
    assert "changed after it was written" in damage.what


def test_a_record_in_the_place_of_another_is_found(project):
    project.run()
    path = max((project.data / "dedupe" / "refs" / "tiny").glob("*.json"))
    path.with_name("000002.json").write_bytes(path.read_bytes())
    assert [damage.what for damage in fsck(project.data)[1]] == [
        "holds record 1 of stage dedupe and recipe tiny, not its own"
    ]


def test_a_changed_paper_beside_the_rows_is_found(project):
    project.run()
    path = next(one for one in (project.data / "split").glob("*/README.md") if not one.parent.is_symlink())
    path.write_text(path.read_text() + "!")
    assert [damage.what for damage in fsck(project.data)[1]] == ["bytes changed: README.md"]


def test_a_changed_tag_is_found_and_can_be_set_anew(project):
    project.run()
    tag(project.data, "tiny", "v1")
    path = project.data / "tags" / "v1.json"
    path.write_text(path.read_text().replace("tiny", "tidy"))
    _, damages = fsck(project.data)
    assert [damage.path for damage in damages] == [path]
    repair(project.data, damages)
    assert tag(project.data, "tiny", "v1").name == "v1"
    assert fsck(project.data)[1] == []


def test_a_bit_of_the_footer_that_renames_a_column_stops_the_reader(project):
    project.run()
    path = next(one for one in (project.data / "format").glob("*/part-00000.parquet"))
    raw = path.read_bytes()
    place = raw.rindex(b"completion")
    path.write_bytes(raw[:place] + b"c" + bytes([raw[place + 1] ^ 1]) + raw[place + 2 :])
    with pytest.raises(SnapshotError, match="its footer has changed"):
        list(Snapshot.read_part(path))
