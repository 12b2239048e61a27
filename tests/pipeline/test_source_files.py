import io
import os

import pytest

from pipeline.cli import run
from pipeline.source_files import find_files, keep_stdin
from schemas import SourceError

RECIPE = """
name = "piped"
[[ingest.sources]]
name = "piped"
path = "-"
format = "csv"
template = "instruct"
"""


@pytest.fixture
def data(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.toml").write_text(RECIPE)

    def piped(text):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        keep_stdin.cache_clear()  # as in a process of its own
        return run(["data", "--recipe", "r.toml", "--to", "ingest"]), capsys.readouterr().err

    return piped


def test_standard_input_is_copied_by_its_bytes_so_that_the_same_bytes_run_once(data, tmp_path):
    code, err = data("instruction,output\nAdd,5\n")
    assert (code, "1 kept" in err) == (0, True)
    assert "skipped" in data("instruction,output\nAdd,5\n")[1]
    (kept,) = (tmp_path / "data" / "stdin").iterdir()
    assert (len(kept.stem), kept.suffix, kept.read_text()) == (32, ".csv", "instruction,output\nAdd,5\n")
    code, err = data("")
    assert (code, err.splitlines()[0]) == (3, "standard input is empty")


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz"])
def test_an_archive_is_refused_with_the_cure(tmp_path, name):
    # So nothing in it is ever written, be it called ../../etc/passwd.
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(SourceError) as refusal:
        find_files(name, tmp_path, "source s")
    assert refusal.value.what == f"{name!r} is packed in a way that is not read"
    assert "unpack it into a folder" in refusal.value.fix


def test_a_glob_through_a_link_to_a_folder_above_gives_each_file_once(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.jsonl").write_text("{}\n")
    (tmp_path / "raw" / "self").symlink_to(".")  # a glob alone finds 41 names for the file
    assert list(find_files("raw/**/*.jsonl", tmp_path, "source s")) == ["raw/a.jsonl"]
    assert list(find_files("raw", tmp_path, "source s")) == ["raw/a.jsonl"]


@pytest.mark.parametrize("path", ["x" * 5000 + ".jsonl", "~nobody-is-called-so/a.jsonl"])
def test_a_path_that_cannot_be_looked_at_is_told_in_a_sentence(tmp_path, path):
    with pytest.raises(SourceError, match="cannot be looked at"):
        find_files(path, tmp_path, "source s")


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to(path), lambda path: path.symlink_to("/dev/zero")]
)
def test_pipes_devices_and_links_in_circles_are_no_files(tmp_path, make):
    make(tmp_path / "a.jsonl")
    with pytest.raises(SourceError, match=r"no file at 'a\.jsonl'"):
        find_files("a.jsonl", tmp_path, "source s")
