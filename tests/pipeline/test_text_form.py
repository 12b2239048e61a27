import pytest

from pipeline.text_form import text_form_of

UMLAUTS = "Artikel;Titel\nDas Märchen – „schön“;Märchen\nEin Haus;Haus\n"


@pytest.mark.parametrize(
    ("data", "encoding", "delimiter", "skip"),
    [
        (UMLAUTS.encode("cp1252"), "cp1252", ";", 0),
        (UMLAUTS.encode(), "utf-8", ";", 0),
        (UMLAUTS.encode("utf-16"), "utf-16", ";", 0),
        (b"a,b\n1,2\n3,4\n", "utf-8", None, 0),
        (b'a|b\n"x|y"|2,3\nz,3|4\n', "utf-8", "|", 0),
        (b"Export of May\n\na,b\n1,2\n3,4\n", "utf-8", None, 2),
        (b"", "utf-8", None, 0),
    ],
)
def test_encoding_delimiter_and_header_are_guessed(tmp_path, data, encoding, delimiter, skip):
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    form = text_form_of(path, is_table=True)
    assert (form.encoding, form.delimiter, form.skip) == (encoding, delimiter, skip)


def test_odd_bytes_far_behind_the_head_are_found(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": "x"}\n' * 300_000 + '{"a": "Märchen"}\n'.encode("cp1252") * 5_000)
    assert text_form_of(path, is_table=False).encoding == "cp1252"


def test_what_is_given_is_not_guessed(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(UMLAUTS.encode("cp1252"))
    form = text_form_of(path, is_table=True, encoding="iso8859-1", delimiter="|")
    assert (form.encoding, form.delimiter) == ("iso8859-1", "|")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("q,n\nx,1\nq,n\ny,2\n", "the header stands a second time below; such rows are dropped as header_again"),
        ("q,n\ntext,count\nx,1\ny,2\nz,3\n", "line 2 looks like a second header (text, count)"),
    ],
)
def test_a_second_header_is_told(tmp_path, text, note):
    path = tmp_path / "a.csv"
    path.write_text(text)
    (found,) = text_form_of(path, is_table=True).notes
    assert found.startswith(note)
