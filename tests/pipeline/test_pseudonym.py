import stat

import pytest

from pipeline.pseudonym import VARIABLE, public_names, read_salt
from schemas import ConfigError


@pytest.fixture(autouse=True)
def no_salt_from_outside(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def test_the_salt_is_made_once_for_its_owner_alone(tmp_path):
    first = read_salt(tmp_path)
    assert len(first) == 64
    assert read_salt(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "publish" / "salt").stat().st_mode) == 0o600


def test_the_environment_wins_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "sixteen-signs-ok")
    assert read_salt(tmp_path) == b"sixteen-signs-ok"
    assert not (tmp_path / "publish").exists()


def test_a_short_salt_is_refused_without_showing_it(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "hunter2")
    with pytest.raises(ConfigError) as error:
        read_salt(tmp_path)
    assert "7 signs" in str(error.value)
    assert "hunter2" not in str(error.value)


def test_one_person_has_one_name_and_another_salt_another():
    names = public_names(b"salt", ["ann@example.org", "ben@example.org"])
    assert len(set(names.values())) == 2
    assert public_names(b"salt", ["ann@example.org"])["ann@example.org"] == names["ann@example.org"]
    assert public_names(b"pepper", ["ann@example.org"])["ann@example.org"] != names["ann@example.org"]
    assert not any("ann" in name for name in names.values())
