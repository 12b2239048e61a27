import shutil

import pytest

from schemas import ConfigError
from train.base_text import HELD_EVERY, Tiny, documents, tiny_key


def write(path, n):
    path.write_text("\n\n".join(f"document {i}" for i in range(n)), encoding="utf-8")
    return path


def test_one_document_in_twenty_is_held_and_none_of_these_is_learnt(tmp_path):
    learn, held = documents(write(tmp_path / "base.txt", 45))
    assert held == ["document 0", "document 20", "document 40"]
    assert len(learn) == 42
    assert set(learn) & set(held) == set()
    assert sorted(learn + held) == sorted(f"document {i}" for i in range(45))


def test_documents_are_parted_by_blank_lines_of_any_number_and_system(tmp_path):
    path = tmp_path / "base.txt"
    path.write_bytes(b"\r\n\r\n\r\n".join(f"line {i}\r\nmore".encode() for i in range(60)) + b"\n\n\n\n")
    learn, held = documents(path)
    assert len(learn) + len(held) == 60
    assert held[0] == "line 0\nmore"


def refused(path):
    with pytest.raises(ConfigError) as caught:
        documents(path)
    assert caught.value.where == f"[train] base_text = {str(path)!r}"
    return caught.value


def test_too_few_documents_are_refused(tmp_path):
    assert len(documents(write(tmp_path / "enough.txt", 2 * HELD_EVERY))[1]) == 2
    error = refused(write(tmp_path / "few.txt", 2 * HELD_EVERY - 1))
    assert error.what == "39 documents are too few to learn from and hold one in 20 back"
    assert error.fix == "give at least 40 documents with a blank line between"


def test_a_text_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "latin.txt").write_bytes("Öl\n\n".encode("latin-1") * 50)
    for name in ("latin.txt", "nothing.txt"):
        error = refused(tmp_path / name)
        assert error.what.startswith("cannot be read: ")
        assert error.fix == "name a text file in UTF-8"


def test_the_key_is_that_of_what_the_files_say_not_of_where_they_lie(train_settings, base_text, base_folder, tmp_path):
    text = shutil.copy(base_text, tmp_path / "copy.txt")
    folder = shutil.copytree(base_folder, tmp_path / "tokenizer")
    moved = train_settings(base_text=str(text), base_tokenizer=str(folder))
    assert tiny_key(moved, Tiny()) == tiny_key(train_settings(), Tiny())
    # Nothing that trains on tiny changes tiny.
    assert tiny_key(train_settings(method="full", seed=9, epochs=1.0), Tiny()) == tiny_key(train_settings(), Tiny())


@pytest.mark.parametrize("name", Tiny.model_fields)
def test_every_field_of_tiny_is_in_its_key(train_settings, name):
    changed = Tiny(**{name: getattr(Tiny(), name) * 2})
    assert tiny_key(train_settings(), changed) != tiny_key(train_settings(), Tiny())


@pytest.mark.parametrize("file", ["base.txt", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"])
def test_a_change_in_any_file_changes_the_key(train_settings, base_text, base_folder, tmp_path, file):
    shutil.copytree(base_folder, tmp_path, dirs_exist_ok=True)
    shutil.copy(base_text, tmp_path / "base.txt")
    settings = train_settings(base_text=str(tmp_path / "base.txt"), base_tokenizer=str(tmp_path))
    before = tiny_key(settings, Tiny())
    with (tmp_path / file).open("a") as changed:
        changed.write("\n")
    assert tiny_key(settings, Tiny()) != before


def test_a_folder_without_tokenizer_is_refused(train_settings, tmp_path):
    with pytest.raises(ConfigError) as caught:
        tiny_key(train_settings(base_tokenizer=str(tmp_path)), Tiny())
    assert caught.value.what == f"there is no tokenizer.json in {tmp_path}"
    assert caught.value.where == "[train] base_tokenizer"
    assert "tokenizer.json and tokenizer_config.json" in caught.value.fix
