import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.source import Source
from pipeline.source_files import find_files
from pipeline.sources import survey
from pipeline.stage import Place
from schemas import ConfigError, Review, SourceError, Template, TemplateField, WorkedExample


def _template(name, chat=False, **fields):
    shown = WorkedExample()
    return Template(
        name=name,
        task=name,
        about="a",
        license="CC0-1.0",
        chat=chat,
        fields={field: TemplateField(side=side, about="a") for field, side in fields.items()},
        prompts={} if chat else {"plain": "x"},
        response="" if chat else "y",
        metrics=["exact_match"],
        review=Review(question="Right?", error_types=["wrong"], guideline="Look."),
        examples=[shown, shown],
    )


TEMPLATES = [
    _template("qa", question="prompt", answer="response"),
    _template("title", question="prompt", title="response"),
    _template("chat", chat=True),
]
ROW = '{"question": "Who?", "answer": "Ada", "lang": "en", "instances": [{"input": "x"}]}\n'


@pytest.fixture
def place(tmp_path):
    return Place(
        "tiny", tmp_path, tmp_path / "data", {t.name: (t, Path(t.name)) for t in TEMPLATES}, (), (), tmp_path, {}
    )


def _survey(place, **settings):
    return survey(Source(**({"name": "s", "path": "a.jsonl", "template": "qa"} | settings)), place)


def _write(place, **files):
    for name, text in files.items():
        path = place.root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"template": None}, "source 's' must give either `template` or `templates`"),
        ({"templates": ["title"]}, "source 's' must give either"),
        ({"template": None, "templates": ["qa", "qa"]}, "names a template twice"),
        ({"fields": {"a": "x"}, "constants": {"a": "y"}}, "source 's' fills a by `fields` and by `constants`"),
        ({"encoding": "klingon"}, "encoding is not one of text files"),
        ({"encoding": "base64"}, "encoding is not one of text files"),
        ({"encoding": "idna"}, "encoding is not one of text files"),
        ({"delimiter": ";;"}, "at most 1 character"),
        ({"limit": 0}, "greater than or equal to 1"),
        ({"name": "S p"}, "should match pattern"),
        ({"key": "id", "keep": ["key"]}, "the name under which meta holds its key"),
        ({"feilds": {}}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_contradict_are_refused(settings, sentence):
    with pytest.raises(ValidationError, match=sentence):
        Source(**({"name": "s", "path": "a", "template": "qa"} | settings))


def test_an_encoding_has_one_name():
    assert Source(name="s", path="a", template="qa", encoding="UTF8").encoding == "utf-8"


def test_a_folder_means_every_known_file_in_it_in_order(place):
    _write(
        place,
        **{
            "raw__b.jsonl": ROW,
            "raw__a.csv": "q\n",
            "raw__deep__c.json": "[]",
            "raw__README.md": "x",
            "raw__.hidden__d.jsonl": ROW,
            "raw__.e.json": "[]",
        },
    )
    assert list(find_files("raw", place.root, "s")) == ["raw/a.csv", "raw/b.jsonl", "raw/deep/c.json"]
    assert list(find_files("raw/*.jsonl", place.root, "s")) == ["raw/b.jsonl"]
    assert list(find_files("raw/**/*.json", place.root, "s")) == ["raw/deep/c.json"]


def test_a_file_outside_the_folder_of_the_run_keeps_its_whole_path(place, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere") / "a.jsonl"
    other.write_text(ROW)
    assert list(find_files(str(other), place.root, "s")) == [str(other)]
    assert list(find_files(f"../{other.parent.name}/a.jsonl", place.root, "s")) == [str(other)]


def test_the_home_folder_is_known(place, monkeypatch):
    monkeypatch.setenv("HOME", str(place.root))
    _write(place, **{"a.jsonl": ROW})
    assert list(find_files("~/a.jsonl", place.root, "s")) == ["a.jsonl"]


def test_a_name_that_looks_like_a_glob_is_a_file_first(place):
    _write(place, **{"a[1].jsonl": ROW})
    assert list(find_files("a[1].jsonl", place.root, "s")) == ["a[1].jsonl"]


@pytest.mark.parametrize(
    ("path", "what", "fix"),
    [
        ("raw/alpca.jsonl", "no file at 'raw/alpca.jsonl'", "did you mean 'alpaca.jsonl'?"),
        ("row/alpaca.jsonl", "no file at 'row/alpaca.jsonl'", "there is no folder"),
        ("raw/*.parquet", "no file at 'raw/*.parquet'", "mend `path`"),
        ("raw/notes.docx", "'notes.docx' is no file that can be read", ".parquet"),
        ("empty", "no file at 'empty'", "a folder is searched for .jsonl"),
    ],
)
def test_a_path_without_files_is_refused_with_what_is_there(place, path, what, fix):
    _write(place, **{"raw__alpaca.jsonl": ROW, "raw__notes.docx": "x"})
    (place.root / "empty").mkdir()
    with pytest.raises(SourceError) as refusal:
        find_files(path, place.root, "source s")
    assert what in refusal.value.what
    assert str(place.root) in refusal.value.where
    assert fix in refusal.value.fix


def test_a_survey_tells_files_and_readings(place):
    _write(place, **{"a.jsonl": ROW})
    found = _survey(place)
    assert (list(found.files), found.readings[0].shape) == (["a.jsonl"], "fields")


def test_columns_of_lists_are_told_from_texts_by_most_of_the_first_rows(place):
    rows = [{"question": ["a"], "answer": text} for text in ("x", "y", ["z"])]
    _write(place, **{"a.jsonl": "".join(json.dumps(row) + "\n" for row in rows)})
    assert _survey(place).readings[0].nested == ["question"]


def test_several_templates_are_each_filled_from_the_same_row(place):
    _write(place, **{"a.jsonl": ROW})
    fields = {"question": "question", "answer": "answer", "title": "lang"}
    found = _survey(place, template=None, templates=["qa", "title"], fields=fields)
    assert [reading.columns for reading in found.readings] == [
        {"question": "question", "answer": "answer"},
        {"question": "question", "title": "lang"},
    ]


@pytest.mark.parametrize(
    ("settings", "what", "fix"),
    [
        ({"template": "tittle"}, "no template 'tittle'", "did you mean 'title'?"),
        ({"fields": {"qestion": "question"}}, "template 'qa' has no field 'qestion'", "did you mean 'question'?"),
        ({"constants": {"language": "de"}}, "template 'qa' has no field 'language'", "known names: answer, question"),
        ({"keep": ["lange"]}, "no column 'lange' in the first rows", "did you mean 'lang'?"),
        ({"where": {"split": "train"}}, "no column 'split'", "known names: answer"),
        ({"key": "ident"}, "no column 'ident'", "known names"),
        ({"fields": {"question": "instances.1.input"}}, "no column 'instances.1.input'", "instances"),
        ({"template": "chat"}, "no conversation column", "turns ="),
    ],
)
def test_what_a_source_names_must_be_there(place, settings, what, fix):
    _write(place, **{"a.jsonl": ROW})
    with pytest.raises(ConfigError) as refusal:
        _survey(place, **settings)
    assert what in refusal.value.what
    assert "recipe tiny, source s" in refusal.value.where
    assert fix in refusal.value.fix


def test_columns_that_only_later_rows_have_are_known(place):
    _write(place, **{"a.jsonl": ROW + '{"question": "a", "answer": "b", "tag": 1, "instances": []}\n'})
    assert _survey(place, keep=["tag"], fields={"question": "instances.0.input", "answer": "answer"}).readings


@pytest.mark.parametrize("text", ["", "\n\n", "[]"])
def test_a_source_without_rows_is_refused_with_its_place(place, text):
    name = "a.json" if text == "[]" else "a.jsonl"
    _write(place, **{name: text})
    with pytest.raises(SourceError) as refusal:
        _survey(place, path=name)
    assert (refusal.value.what, str(place.root / name) in refusal.value.where) == ("no rows", True)


def test_a_source_whose_first_rows_are_all_bad_names_the_first(place):
    _write(place, **{"a.jsonl": "{'question': 1}\n[1]\n"})
    with pytest.raises(SourceError) as refusal:
        _survey(place)
    assert "Expecting property name" in refusal.value.what
    assert refusal.value.where.endswith("a.jsonl:1")


def test_a_survey_reads_the_first_rows_only(place):
    _write(place, **{"a.jsonl": ROW * 1000 + "not read\n" * 3})
    assert _survey(place).readings
    _write(place, **{"a.json": json.dumps([json.loads(ROW)] * 1000) + "broken behind"})
    assert _survey(place, path="a.json").readings
