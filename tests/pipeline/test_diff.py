import pytest

from pipeline.diff import diff, find_version, version_before
from schemas import ConfigError


def versions(project, stage):
    return version_before(project.data, stage, "tiny"), project.outcomes[stage].record.version


def test_a_row_with_new_text_is_one_removed_and_one_added_without_a_key(project):
    project.run()
    project.replace("questions.jsonl", "the Nile", "the river Nile")
    project.run()
    change = diff(*(find_version(project.data, one) for one in versions(project, "format")))
    assert (len(change.added), len(change.removed), change.changed, change.same) == (1, 1, [], 10)


def test_a_row_with_a_key_keeps_its_id_and_is_changed(project):
    project.run()
    project.replace("notes.csv", "Good cherries near Toft.", "Good cherries near Toft this year.")
    project.run()
    change = diff(*(find_version(project.data, one) for one in versions(project, "format")))
    assert (len(change.added), len(change.removed), len(change.changed), change.same) == (0, 0, 1, 10)
    assert {"fields", "completion"} <= set(change.columns)


def test_a_version_is_found_by_its_first_digits_and_by_its_tag(project):
    version = project.run()["split"].record.version
    assert find_version(project.data, version[:8]).manifest.version == version
    assert find_version(project.data, "latest-tiny").manifest.version == version


def test_an_unknown_version_is_answered_with_how_to_list_them(project):
    project.run()
    with pytest.raises(ConfigError) as caught:
        find_version(project.data, "zzz")
    assert caught.value.what == "0 versions begin with 'zzz'"
    assert "tuneloop log" in caught.value.fix


def test_versions_of_two_stages_are_not_compared(project):
    outcomes = project.run()
    one, other = (find_version(project.data, outcomes[stage].record.version) for stage in ("ingest", "split"))
    with pytest.raises(ConfigError, match="versions of ingest and of split cannot be compared"):
        diff(one, other)
