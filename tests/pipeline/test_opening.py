import gzip
import os
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline import opening
from pipeline.opening import lines, open_bytes, open_text
from schemas import SourceError


def _file(folder: Path, data: bytes, name: str = "a.jsonl") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_lines_know_their_number_and_byte(tmp_path):
    path = _file(tmp_path, "é\n\nb\r\nlast".encode())
    assert [(n, offset, text) for n, offset, text, _ in lines(path, "a", "utf-8")] == [
        (1, 0, "é\n"),
        (2, 3, "\n"),  # é is two bytes
        (3, 4, "b\r\n"),
        (4, 7, "last"),
    ]


def test_only_a_line_feed_ends_a_line(tmp_path):
    text = "a\u2028b\x0bc\x85d\re\n"
    assert [line.text for line in lines(_file(tmp_path, text.encode()), "a", "utf-8")] == [text]


def test_a_byte_order_mark_is_taken_off_the_file_and_nowhere_else(tmp_path):
    path = _file(tmp_path, b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n")
    assert [(line.offset, line.text) for line in lines(path, "a", "utf-8")] == [(3, "a\n"), (5, "\ufeffb\n")]


def test_a_line_that_does_not_decode_keeps_its_bytes_as_escapes(tmp_path):
    path = _file(tmp_path, b"good \xc3\xa9\ncaf\xe9 au lait\n")
    bad = list(lines(path, "a", "utf-8"))[1]
    assert bad.text == "caf\\xe9 au lait\n"
    assert bad.problem == "byte 0xe9 at byte 3 of the line is not utf-8; it may be cp1252"


def test_a_cp1252_file_is_refused_with_the_likely_encoding(tmp_path):
    path = _file(tmp_path, b"plain\ncaf\xe9\ngar\xe7on\n\x93quoted\x94\n")
    with pytest.raises(SourceError) as refusal:
        list(lines(path, "raw/menu.jsonl", "utf-8"))
    assert refusal.value.where == "raw/menu.jsonl:2"
    assert "byte 0xe9 at byte 3 of the line is not utf-8" in refusal.value.what
    assert 'encoding = "cp1252"' in refusal.value.fix


@pytest.mark.parametrize(
    ("text", "encoding", "likely"),
    [
        ("a,b\n1,2\n", "utf-16", "utf-16"),  # with its byte order mark
        ("some,columns\n1,2\n", "utf-16-le", "utf-16-le"),  # every other byte is zero: UTF-8 would take it
        ("some,columns\n1,2\n", "utf-16-be", "utf-16-be"),
        ("a,b\n", "utf-32", "utf-32"),
    ],
)
def test_wide_encodings_are_told_by_the_first_bytes(tmp_path, text, encoding, likely):
    with pytest.raises(SourceError) as refusal:
        list(lines(_file(tmp_path, text.encode(encoding)), "a.csv", "utf-8"))
    assert f'encoding = "{likely}"' in refusal.value.fix


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16", "utf-16-le", "gb18030", "shift_jis"])
def test_text_in_its_own_encoding_is_read_as_it_was_written(tmp_path, encoding):
    text = "déjà\nvu\n" if encoding in ("utf-8", "cp1252", "utf-16", "utf-16-le") else "日本\n本\n"
    path = _file(tmp_path, text.encode(encoding))
    assert "".join(line.text for line in lines(path, "a", encoding)) == text
    with open_text(path, "a", encoding) as file:
        assert file.read() == text


def test_a_wide_file_that_breaks_off_is_refused(tmp_path):
    path = _file(tmp_path, "ab\n".encode("utf-16") + b"\x00")
    with pytest.raises(SourceError, match="not utf-16"):
        list(lines(path, "a", "utf-16"))


def test_an_overlong_line_is_cut_and_the_next_one_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "MAX_LINE_BYTES", 100)
    path = _file(tmp_path, b"x" * 250 + b"\nnext\n")
    first, second = lines(path, "a", "utf-8")
    assert first.problem.startswith("longer than")
    assert (second.n, second.offset, second.text) == (2, 251, "next\n")


def test_a_compressed_file_reads_like_the_plain_one(tmp_path):
    path = _file(tmp_path, gzip.compress(b"a\nb\n"), "a.jsonl.gz")
    assert [(line.offset, line.text) for line in lines(path, "a", "utf-8")] == [(0, "a\n"), (2, "b\n")]


@given(pieces=st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_zst_files_of_any_number_of_frames_read_like_the_plain_bytes(tmp_path_factory, pieces):
    path = tmp_path_factory.mktemp("zst") / "a.jsonl.zst"
    path.write_bytes(b"".join(map(zstandard.compress, pieces)))
    with open_bytes(path) as file:
        assert file.read() == b"".join(pieces)


def test_a_zst_file_that_grows_beyond_the_limit_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "FREE_BYTES", 1 << 20)
    path = _file(tmp_path, zstandard.compress(bytes(64 << 20)), "bomb.jsonl.zst")  # 64 MiB in 2 KiB
    with pytest.raises(SourceError, match="inflates to more than 1 MiB, 200 times its size"), open_bytes(path) as file:
        file.read()


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-5], lambda data: data[:500] + bytes([data[500] ^ 1]) + data[501:]]
)
def test_a_damaged_zst_file_is_refused(tmp_path, damage):
    noise = os.urandom(1000)
    compressor = zstandard.ZstdCompressor(write_checksum=True)
    path = _file(tmp_path, damage(compressor.compress(noise)), "a.jsonl.zst")
    with pytest.raises(SourceError) as refusal, open_bytes(path) as file:
        file.read()
    assert "damaged or cut short" in refusal.value.what
    assert "zstd -t" in refusal.value.fix


def test_a_compressed_file_that_grows_beyond_the_limit_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "FREE_BYTES", 1 << 20)
    path = _file(tmp_path, gzip.compress(b"0" * (4 << 20)), "bomb.jsonl.gz")  # 4 MiB in 4 KiB, a ratio of 1,000
    with open_bytes(path) as file, pytest.raises(SourceError) as refusal:
        file.read()
    assert "200 times its size" in refusal.value.what
    assert "decompress it yourself" in refusal.value.fix


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[:20] + b"\0\0\0" + data[23:]])
def test_a_damaged_compressed_file_is_refused(tmp_path, damage):
    noise = bytes(os.urandom(4000))
    path = _file(tmp_path, damage(gzip.compress(noise)), "a.jsonl.gz")
    with open_bytes(path) as file, pytest.raises(SourceError, match="damaged or cut short"):
        file.read()


@given(data=st.binary(max_size=60))
def test_any_bytes_give_lines_or_a_source_error(tmp_path_factory, data):
    path = _file(tmp_path_factory.mktemp("any"), data)
    try:
        found = list(lines(path, "a", "utf-8"))
    except SourceError:
        return
    assert [line.n for line in found] == list(range(1, len(found) + 1))
    assert len(found) == data.count(b"\n") + (not data.endswith(b"\n") and bool(data))


@pytest.mark.shared
def test_the_utf8_tests_are_judged_as_they_say(shared_data, tmp_path):
    cases = []
    for line in (shared_data / "utf8tests" / "utf8tests.txt").read_text("ascii").splitlines():
        _, _, rest = line.partition(":")
        kind, _, payload = rest.partition(":")
        if kind.endswith(" hex") and not line.startswith("#"):
            cases.append(("invalid" not in kind, bytes.fromhex(payload.partition(":")[0])))
    assert len(cases) > 200
    # Good lines first, or the file would rightly be refused as a whole.
    good = "é\n".encode() * len(cases)
    path = _file(tmp_path, good + b"".join(data.replace(b"\n", b"") + b"\n" for _, data in cases))
    judged = [not line.problem for line in lines(path, "a", "utf-8")][len(cases) :]
    assert judged == [valid for valid, _ in cases]
