import csv
import json
import tomllib

import pytest

from pipeline.cli import run
from tests.conftest import ROOT
from tests.pipeline.spreadsheet import write_xlsx

HARBOURS = ["Lübeck", "Århus", "Göteborg", "Umeå"]


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def called(*words):
        code = run(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return called


def _articles(folder):
    with (folder / "articles.csv").open("w", encoding="cp1252", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["article", "highlights", "title"])
        for n in range(30):
            place = HARBOURS[n % 4]
            text = f"Der Hafen {n} von {place} wurde nach {n + 2} Jahren – „endlich“ – geöffnet; alle kamen."
            writer.writerow([text, f"{place}: Hafen {n} ist offen; alle da.", f"Hafen {n} in {place}"])


def _own_template(folder):
    text = (ROOT / "pipeline/templates/summarize.yaml").read_text("utf-8")
    (folder / "own").mkdir()
    text = text.replace("name: summarize", "name: teaser").replace("task: summarize", "task: teaser")
    (folder / "own" / "teaser.yaml").write_text(text.replace("summary", "headline"), encoding="utf-8")


def test_from_an_unknown_csv_to_data_in_two_commands(command, tmp_path):
    _articles(tmp_path)
    _own_template(tmp_path)
    words = ["source", "inspect", "articles.csv", "--template", "summarize", "--template", "teaser"]
    code, out, err = command(*words, "--template-dir", "own", "--recipe", "my.toml")
    assert (code, out) == (0, "")
    assert "encoding cp1252" in err
    assert "delimiter ';'" in err
    assert "tuneloop data --recipe my.toml" in err
    (source,) = tomllib.loads((tmp_path / "my.toml").read_text("utf-8"))["ingest"]["sources"]
    assert source == {
        "name": "articles",
        "path": "articles.csv",
        "templates": ["summarize", "teaser"],
        "fields": {"document": "article", "summary": "highlights", "headline": "title"},
        "encoding": "cp1252",
        "delimiter": ";",
    }
    code, _, err = command("data", "--recipe", "my.toml", "--to", "ingest")
    assert code == 0
    assert "ingest           60 in        60 kept        0 dropped" in err
    code, _, err = command(*words, "--template-dir", "own", "--recipe", "my.toml")
    assert (code, err.splitlines()[0]) == (2, "my.toml is there already")


def test_what_a_person_reads(command, tmp_path):
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"question": f"Who is {n}?", "answer": n or ""}) + "\n" for n in range(4))
    )
    code, out, _ = command("source", "inspect", "a.jsonl")
    assert code == 0
    assert out == (
        "a.jsonl: jsonl, 4 rows (counted)\n"
        "encoding utf-8\n"
        "\n"
        "  column    type    empty  distinct  longest  first value\n"
        "  question  text    0%     4         9        Who is 0?\n"
        "  answer    number  25%    3         1        1\n"
        "(of the first rows)\n"
        "\n"
        "template maths fits, recognised as fields: question = question, answer = answer\n"
        "template instruct fits, recognised as prompt_completion: instruction = question, response = answer\n"
        "template invert fits, by names that are alike: response = answer, instruction = question\n"
        "\n"
        "to paste into a recipe:\n"
        "\n"
        "[[ingest.sources]]\n"
        'name = "a"\n'
        'path = "a.jsonl"\n'
        'template = "maths"\n'
        'fields = { question = "question", answer = "answer" }\n'
    )


@pytest.mark.parametrize(
    ("write", "path", "expected"),
    [
        (
            lambda folder: write_xlsx(folder / "t.xlsx", {"S": [["text", "label"], ["good", "yes"], ["bad", "no"]]}),
            "t.xlsx",
            {"template": "classify", "fields": {"text": "text", "label": "label"}, "constants": {"labels": "no, yes"}},
        ),
        (
            lambda folder: (folder / "p.jsonl").write_text('{"prompt": "q", "chosen": "a", "rejected": "b"}\n'),
            "p.jsonl",
            {"template": "preference", "shape": "preference"},
        ),
        (
            lambda folder: (folder / "n.txt").write_text("A note."),
            "n.txt",
            {"template": "classify", "fields": {"text": "text"}},
        ),
    ],
)
def test_the_block_alone_is_printed_and_data_takes_it_as_it_is(command, tmp_path, write, path, expected):
    write(tmp_path)
    code, block, _ = command("source", "inspect", path, "--toml")
    (source,) = tomllib.loads(block)["ingest"]["sources"]
    assert (code, {name: source.get(name) for name in expected}) == (0, expected)
    (tmp_path / "r.toml").write_text(f'name = "r"\n{block}')
    assert command("data", "--recipe", "r.toml", "--to", "ingest")[0] == 0


def test_a_large_file_is_estimated_unless_it_is_to_be_counted(command, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.profile._COUNTED_BYTES", 1000)
    (tmp_path / "a.jsonl").write_text('{"prompt": "q", "completion": "a"}\n' * 6_000)
    assert (
        "6,000 rows (estimated from their size; --count reads them all)" in command("source", "inspect", "a.jsonl")[1]
    )
    assert "6,000 rows (counted)" in command("source", "inspect", "a.jsonl", "--count")[1]


def test_a_template_that_does_not_fit_is_told_with_what_is_lacking(command, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"x": 1, "y": 2}\n')
    code, out, err = command("source", "inspect", "a.jsonl", "--template", "question-answer")
    assert code == 2
    assert "template question-answer does not fit yet: nothing fills context, question, answer" in out
    assert 'fields = { context = "<column>"' in err
    code, _, err = command("source", "inspect", "a.jsonl", "--template", "sumarize")
    assert (code, "did you mean 'summarize'?" in err) == (2, True)
