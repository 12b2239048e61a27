"""People come in by a link, are shut out and let in again, on a real server; their answers stay."""

import json
import re
from pathlib import Path

import pytest
import requests

from annotation.connection import TOKEN, URL, Connection
from annotation.people import add_person, people_file, read_people, set_active
from annotation.projects import find_projects
from annotation.pull import pull
from pipeline.annotations import annotation_files, pseudonyms, read_annotations
from pipeline.cli import run
from schemas import AnnotationError, ConfigError, ServiceError
from tests.annotation.conftest import LabelStudio
from tests.annotation.sums import sum_task
from tests.annotation.test_push import send

PASSWORD = "only-for-tests-9"
NOBODY = "http://127.0.0.1:1"


def posted(session: requests.Session, page: str, fields: dict[str, str]) -> requests.Response:
    """Fill in the form of a page, as a browser would."""
    form = session.get(page, timeout=60)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
    assert token, f"no form at {page}: {form.status_code}"
    return session.post(page, data={"csrfmiddlewaretoken": token[1], **fields}, timeout=60, allow_redirects=False)


def sign_up(link: str, email: str) -> requests.Session:
    """Return the session of somebody who has just signed up by a link."""
    session = requests.Session()
    done = posted(session, link, {"email": email, "password": PASSWORD, "allow_newsletters": "false"})
    assert done.status_code == 302, done.text[:500]
    return session


def may_log_in(url: str, email: str) -> bool:
    """Return whether a new session gets past the log-in form, and by it to the API."""
    session = requests.Session()
    posted(session, f"{url}/user/login/", {"email": email, "password": PASSWORD})
    return session.get(f"{url}/api/current-user/whoami", timeout=60).ok


@pytest.mark.slow
def test_who_is_added_signs_up_by_the_link_and_stands_in_a_private_file(
    label_studio: LabelStudio, recipe_name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(URL, label_studio.url)
    monkeypatch.setenv(TOKEN, label_studio.running.token)
    root, email = label_studio.data_root, f"ann-{recipe_name}@example.org"
    words = ["annotate", "people", "add", email.upper(), "--languages", "en, DE", "--data-root", str(root)]
    assert run(words) == 0
    link = capsys.readouterr().out.strip()
    session = sign_up(link, email)
    assert session.get(f"{label_studio.url}/api/current-user/whoami", timeout=60).json()["email"] == email
    assert may_log_in(label_studio.url, email)

    person = read_people(root)[email]
    assert (person.languages, person.active) == (["de", "en"], True)
    assert people_file(root).stat().st_mode & 0o777 == 0o600
    assert people_file(root).parent.stat().st_mode & 0o777 == 0o700
    # A pseudonym before the first answer.
    pseudonym = pseudonyms(annotation_files(root).values())[email]
    assert run(["annotate", "people", "list", "--data-root", str(root)]) == 0
    assert f"{pseudonym}\t{email}\tde,en\n" in capsys.readouterr().out
    # Nobody gets in without the link.
    form = {"email": f"zoe-{recipe_name}@example.org", "password": PASSWORD, "allow_newsletters": "false"}
    assert posted(requests.Session(), f"{label_studio.url}/user/signup/", form).status_code == 403


@pytest.mark.slow
def test_who_is_disabled_is_shut_out_at_once_keeps_every_answer_and_may_come_back(
    label_studio: LabelStudio, recipe_name: str, tmp_path: Path
) -> None:
    connection, root, email = label_studio.connection, label_studio.data_root, f"ben-{recipe_name}@example.org"
    session = sign_up(add_person(connection, root, email, ["en"]), email)
    send(connection, recipe_name, [sum_task(1)])
    (project,) = find_projects(connection, recipe_name).values()
    (task,) = connection.tasks(project.id, [])
    result = [{"from_name": "verdict", "to_name": "messages", "type": "choices", "value": {"choices": ["accept"]}}]
    address = f"{label_studio.url}/api/tasks/{task['id']}/annotations/"
    assert session.post(address, json={"result": result}, timeout=60).status_code == 201

    assert set_active(connection, root, email, active=False) == 1
    assert not read_people(root)[email].active
    assert not may_log_in(label_studio.url, email)
    # The window that is still open is no way in either.
    assert not session.get(f"{label_studio.url}/api/current-user/whoami", timeout=60).ok
    pull(connection, tmp_path, recipe_name)
    (answer,) = read_annotations(annotation_files(tmp_path).values())
    assert (answer.annotator, answer.verdict) == (email, "accept")

    assert set_active(connection, root, email, active=True) == 1
    assert read_people(root)[email].active
    assert may_log_in(label_studio.url, email)


@pytest.mark.slow
def test_disabling_who_never_signed_up_says_that_there_was_no_account(
    label_studio: LabelStudio, recipe_name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(URL, label_studio.url)
    monkeypatch.setenv(TOKEN, label_studio.running.token)
    root, email = label_studio.data_root, f"cy-{recipe_name}@example.org"
    add_person(label_studio.connection, root, email, ["en"])
    assert run(["annotate", "people", "disable", email, "--data-root", str(root)]) == 0
    assert "there was no account yet; all answers stay" in capsys.readouterr().err


def test_a_bad_address_and_bad_languages_are_told_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        add_person(Connection(NOBODY, "t"), tmp_path, "ann at example", ["en", "english language", "1"])
    told = str(caught.value)
    assert "'ann at example' is no e-mail address" in told
    assert "'english language' is no code of a language" in told
    assert "'1' is no code of a language" in told
    assert "such as: tuneloop annotate people add ann@example.org --languages de,en" in told
    with pytest.raises(ConfigError, match="no language is given"):
        add_person(Connection(NOBODY, "t"), tmp_path, "ann@example.org", [])
    assert not people_file(tmp_path).exists()


def test_who_is_unknown_is_named_with_the_command_that_lists_people(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nobody is called 'zoe@example\.org'") as caught:
        set_active(Connection(NOBODY, "t"), tmp_path, "Zoe@example.org ", active=False)
    assert caught.value.fix == "`tuneloop annotate people list`"


def test_on_a_team_s_server_its_administrator_is_told_where_to_do_it(tmp_path: Path) -> None:
    people_file(tmp_path).parent.mkdir()
    people_file(tmp_path).write_text('{"ann@example.org": {"languages": ["en"]}}')
    with pytest.raises(ServiceError, match="who may log in to a team's server is settled there") as caught:
        set_active(Connection(NOBODY, "t"), tmp_path, "ann@example.org", active=False)
    assert f"Active for ann@example.org under {NOBODY}/admin/users/user/" in caught.value.fix
    assert read_people(tmp_path)["ann@example.org"].active


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"ann@example.org": {"languages": "en"}})])
def test_a_damaged_list_of_people_is_told_and_kept(tmp_path: Path, text: str) -> None:
    people_file(tmp_path).parent.mkdir()
    people_file(tmp_path).write_text(text)
    with pytest.raises(AnnotationError, match="the list of people cannot be read"):
        read_people(tmp_path)
    assert people_file(tmp_path).read_text() == text
