import tomllib

import pytest

from pipeline.datasheet import QUESTIONS, read_datasheet, template, write_empty
from schemas import ConfigError

N_QUESTIONS = sum(len(asked) for _, asked in QUESTIONS.values())


def test_an_empty_datasheet_asks_everything_and_answers_nothing(tmp_path):
    path = tmp_path / "datasheet.toml"
    assert write_empty(path)
    sheet = read_datasheet(path)
    assert sheet.answers == {}
    assert len(sheet.blank) == N_QUESTIONS
    told = "\n".join(sheet.told())
    assert told.startswith("Nobody has answered yet:")
    assert "How were they paid" in told


def test_what_is_there_is_never_written_over(tmp_path):
    path = tmp_path / "datasheet.toml"
    path.write_text('[people]\npay = "18 euros an hour"\n')
    assert not write_empty(path)
    assert read_datasheet(path).answers == {"people.pay": "18 euros an hour"}


def test_an_answer_stands_under_its_question_and_is_no_longer_blank(tmp_path):
    path = tmp_path / "datasheet.toml"
    path.write_text(template().replace('pay = ""', 'pay = "18 euros an hour"'))
    sheet = read_datasheet(path)
    assert "people.pay" not in sheet.blank
    assert len(sheet.blank) == N_QUESTIONS - 1
    told = list(sheet.told())
    assert told[0] == "### The people who checked it"
    assert told[2].endswith("minimum wage?** 18 euros an hour")


def test_authors_are_split_at_commas(tmp_path):
    path = tmp_path / "datasheet.toml"
    path.write_text('[contact]\nauthors = "Ann Lee, Ben Poe"\n')
    assert read_datasheet(path).authors == ["Ann Lee", "Ben Poe"]


def test_unknown_questions_and_answers_that_are_no_text_are_told_together(tmp_path):
    path = tmp_path / "datasheet.toml"
    path.write_text("top = 1\n[people]\npayy = 'x'\nwho = 3\n")
    with pytest.raises(ConfigError) as error:
        read_datasheet(path)
    told = str(error.value)
    assert "no question 'top'" in told
    assert "no question 'people.payy'" in told
    assert "did you mean 'people.pay'?" in told
    assert "people.who is no text" in told


def test_the_template_is_toml_with_one_key_a_question():
    assert sum(len(table) for table in tomllib.loads(template()).values()) == N_QUESTIONS
