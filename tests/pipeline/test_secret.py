import os
import subprocess
import sys

import pytest

from annotation.connection import TOKEN, URL, connect, is_named
from pipeline.hub import hub_place
from pipeline.pseudonym import VARIABLE, read_salt
from pipeline.secret import is_given, read_secret
from schemas import ConfigError
from tests.annotation.answering_server import AnsweringServer
from tests.conftest import ROOT
from tests.train.chat_server import chat_server, said
from train.answer_cache import AnswerCache
from train.endpoint import Endpoint

NAME = "TUNELOOP_TEST_KEY"


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Return a function that puts bytes into a file and names it in the environment, as of a secret."""

    def keep(held=b"open sesame\n", name=NAME, mode=0o600):
        path = tmp_path / "secret"
        path.write_bytes(held)
        path.chmod(mode)
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(f"{name}_FILE", str(path))
        return path

    return keep


def test_a_secret_comes_from_the_variable_or_from_the_file_or_there_is_none(kept, monkeypatch):
    assert (is_given(NAME), read_secret(NAME)) == (False, "")
    kept()
    assert (is_given(NAME), read_secret(NAME)) == (True, "open sesame")
    monkeypatch.delenv(f"{NAME}_FILE")
    monkeypatch.setenv(NAME, " open sesame ")
    assert (is_given(NAME), read_secret(NAME)) == (True, "open sesame")


def test_a_file_that_is_changed_is_read_anew_since_schedulers_renew_secrets(kept):
    kept(b"old")
    assert read_secret(NAME) == "old"
    kept(b"new")
    assert read_secret(NAME) == "new"


def test_both_at_once_are_refused(kept, monkeypatch):
    kept()
    monkeypatch.setenv(NAME, "hunter2")
    with pytest.raises(ConfigError, match=f"{NAME} and {NAME}_FILE are both set") as caught:
        read_secret(NAME)
    assert "hunter2" not in str(caught.value)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("held", "what"), [(b"", "is empty"), (b" \n\t", "is empty"), (b"sesame \xff\xfe", "is no text")]
)
def test_a_file_without_a_secret_is_refused_without_showing_it(kept, held, what):
    path = kept(held)
    with pytest.raises(ConfigError) as caught:
        read_secret(NAME)
    assert caught.value.what == f"the file of {NAME} {what}"
    assert caught.value.where == f"{NAME}_FILE = {path}"
    assert "sesame" not in str(caught.value)


def test_a_file_that_is_not_there_or_a_folder_is_refused(kept, tmp_path, monkeypatch):
    kept().unlink()
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        read_secret(NAME)
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path))
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_secret(NAME)


def test_a_file_that_everybody_can_read_is_used_and_said_so_once(kept, capsys):
    path = kept(mode=0o644)
    assert [read_secret(NAME), read_secret(NAME)] == ["open sesame"] * 2
    warned = capsys.readouterr().err
    assert warned == f"warning: everybody on this machine can read {path}, the file of {NAME}: chmod 600 {path}\n"


def test_an_endpoint_is_asked_with_the_key_of_the_file_that_the_recipe_s_variable_names(kept, tmp_path):
    kept(name="DRAFTING_KEY")
    with chat_server(lambda _asked, _n: (200, said("x"))) as (url, seen):
        end = Endpoint(url, "m", 16, key_name="DRAFTING_KEY")
        end.answers(
            [[{"role": "user", "content": "?", "name": None}]], AnswerCache.of(tmp_path, print), lambda *_: None
        )
    assert seen[0][1]["authorization"] == "Bearer open sesame"


def test_label_studio_is_asked_with_the_token_of_the_file(kept, tmp_path, monkeypatch):
    monkeypatch.delenv(URL, raising=False)
    kept(b"abc\n", TOKEN)
    assert is_named()
    with AnsweringServer({"/api/version": (200, {"release": "1.23.2"})}) as server:
        monkeypatch.setenv(URL, server.url)
        assert connect(tmp_path).get("/api/version") == {"release": "1.23.2"}


def test_the_salt_and_the_key_of_the_hub_may_be_files_too(kept, tmp_path):
    kept(b"sixteen-signs-ok\n", VARIABLE)
    assert read_salt(tmp_path / "data") == b"sixteen-signs-ok"
    assert not (tmp_path / "data").exists()
    kept(b"hf_abc\n", "HF_TOKEN")
    assert hub_place("hf://team/tickets").fs.token == "hf_abc"


def test_the_library_of_the_hub_finds_the_file_by_itself(kept):
    path = kept(b"hf_abc\n", "HF_TOKEN")
    code = (
        "import sys; from pipeline.cli import main\n"
        "try: main(['--version'])\n"
        "except SystemExit: from huggingface_hub import get_token; sys.stderr.write(get_token())"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_TOKEN_FILE": str(path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == "hf_abc"
