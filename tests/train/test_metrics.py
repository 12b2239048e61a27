from fractions import Fraction
from pathlib import Path

import pytest
import sacrebleu
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenize import tokenize

from schemas import ConfigError
from train.metrics import METRICS, answer_words, last_number, macro_f1, primary, words

TEMPLATES = Path(__file__).parents[2] / "pipeline" / "templates"
CAT, MAT = "The cat sat on the mat.", "On the mat the cat lay."
SOME_WORDS = ["the", "cat", "sat", "on", "The", "dog's", "3-4", "mat,", "12.5%", "_x_", "don't", "!"]
SENTENCES = st.lists(st.sampled_from(SOME_WORDS), max_size=12)


@pytest.mark.parametrize("name", METRICS)
@given(text=st.text())
def test_the_reference_itself_scores_1(name, text):
    assert METRICS[name](text, text) == 1


@pytest.mark.parametrize("name", METRICS)
@given(answer=st.text(), reference=st.text())
def test_every_score_lies_between_0_and_1(name, answer, reference):
    assert 0 <= METRICS[name](answer, reference) <= 1


@pytest.mark.parametrize("name", METRICS)
def test_an_empty_answer_scores_0_unless_the_reference_is_empty_too(name):
    assert METRICS[name]("", "Lyon") == METRICS[name](" \n", "7") == METRICS[name]("Lyon", "") == 0
    assert METRICS[name](" ", "\n") == 1


def test_every_metric_that_a_template_names_is_there():
    named = {
        metric for path in TEMPLATES.glob("*.yaml") for metric in yaml.safe_load(path.read_text("utf-8"))["metrics"]
    }
    assert len(named) > 5
    assert named <= set(METRICS)


@given(st.text(st.characters(max_codepoint=127)))
def test_words_of_ascii_text_are_those_of_rouge_score(text):
    assert words(text) == tokenize(text, None)


@pytest.mark.parametrize(("ours", "theirs"), [("rouge_1", "rouge1"), ("rouge_2", "rouge2"), ("rouge_l", "rougeL")])
@given(SENTENCES, SENTENCES)
def test_rouge_is_that_of_rouge_score(ours, theirs, answer, reference):
    answer, reference = " ".join(answer), " ".join(reference)
    expected = RougeScorer([theirs]).score(reference, answer)[theirs].fmeasure
    if words(answer) != words(reference):  # of equal texts rouge_score says 0 where there is no n-gram
        assert METRICS[ours](answer, reference) == pytest.approx(expected)


def test_rouge_by_hand():
    # 6 words each; all but sat/lay are shared: 5 / 6.
    assert METRICS["rouge_1"](CAT, MAT) == pytest.approx(5 / 6)
    # Pairs: the-cat cat-sat sat-on on-the the-mat | on-the the-mat mat-the the-cat cat-lay: 3 of 5.
    assert METRICS["rouge_2"](CAT, MAT) == pytest.approx(3 / 5)
    # Longest common subsequence: on the mat, 3 of 6.
    assert METRICS["rouge_l"](CAT, MAT) == pytest.approx(3 / 6)


def test_rouge_reads_other_scripts():
    assert METRICS["rouge_l"]("Die Straße ist naß.", "DIE STRASSE IST LANG") == pytest.approx(3 / 4)
    assert METRICS["rouge_l"]("Привет мир", "привет, друг") == pytest.approx(1 / 2)
    assert METRICS["rouge_1"]("我爱猫", "我爱狗") == pytest.approx(2 / 3)  # by character
    assert METRICS["rouge_1"]("हिन्दी भाषा", "हिन्दी किताब") == pytest.approx(1 / 2)  # vowel signs do not cut a word


def test_a_text_of_signs_alone_has_no_words_to_score():
    assert METRICS["rouge_1"]("!", "?") == METRICS["exact_match"]("!", "?") == METRICS["token_f1"]("!", "?") == 0


@given(SENTENCES, SENTENCES)
def test_chrf_and_bleu_are_those_of_sacrebleu(answer, reference):
    answer, reference = " ".join(answer), " ".join(reference)
    if answer and reference and answer != reference:
        chrf = sacrebleu.sentence_chrf(answer, [reference], word_order=2).score / 100
        bleu = sacrebleu.sentence_bleu(answer, [reference], use_effective_order=True).score / 100
        assert METRICS["chrf"](answer, reference) == pytest.approx(chrf)
        assert METRICS["bleu"](answer, reference) == pytest.approx(min(1, bleu))


def test_bleu_goes_by_characters_where_the_script_has_no_blanks():
    answer, reference = "我爱你和猫", "我爱你和狗"  # one word to the tokenizer 13a
    expected = sacrebleu.sentence_bleu(answer, [reference], tokenize="char", use_effective_order=True).score / 100
    assert METRICS["bleu"](answer, reference) == pytest.approx(expected)
    assert expected > 0.6


def test_token_f1_and_exact_match_look_past_case_punctuation_and_blanks():
    assert METRICS["exact_match"]("  “Paris”.", "paris") == 1
    assert METRICS["exact_match"]("ＰＡＲＩＳ", "paris") == 1  # full width
    assert METRICS["exact_match"]("Cafe\u0301", "café") == 1
    assert METRICS["exact_match"]("in Lyon", "Lyon") == 0
    assert METRICS["token_f1"]("in Lyon", "Lyon") == pytest.approx(2 / 3)  # 1 shared, 2 + 1 words
    assert METRICS["token_f1"]("Lyon Lyon", "Lyon") == pytest.approx(2 / 3)  # a word counts once a mention
    assert METRICS["exact_match"]("the Seine", "Seine") == 0  # articles count


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ("Damage,delivery", "delivery, damage", 1),  # any order, case and blanks
        ("delivery", "delivery, damage", 2 / 3),  # 1 shared, 1 + 2 items
        ("late delivery, damage", "delivery, damage", 1 / 2),  # an item counts whole
        ("damage, damage", "damage", 1),  # once each
        ("swifts; sleep\nflight", "swifts, sleep, flight", 1),
        ("睡眠、飞行", "飞行，睡眠", 1),
        ("نوم، طيران", "طيران, نوم", 1),
        (", ;", "damage", 0),
        ("none", "damage", 0),
    ],
)
def test_list_f1_compares_items_in_any_order(answer, reference, score):
    assert METRICS["list_f1"](answer, reference) == pytest.approx(score)


def test_signs_that_mean_something_are_kept():
    assert (
        METRICS["exact_match"]("-3", "3")
        == METRICS["exact_match"]("C++", "C")
        == METRICS["exact_match"]("1.5", "15")
        == 0
    )
    assert answer_words("COVID-19: −3 at 12:30, 5 €") == ["covid", "19", "-3", "at", "12:30", "5", "€"]


def test_accuracy_forgives_case_and_blanks_only():
    assert METRICS["accuracy"](" Billing\n", "billing") == METRICS["macro_f1"](" Billing\n", "billing") == 1
    assert METRICS["accuracy"]("billing.", "billing") == METRICS["macro_f1"]("delivery", "billing") == 0


def test_macro_f1_counts_each_label_alike():
    # a: 2 right, 3 given, 2 wanted: 2 * 2 / 5. b: 1 right, 1 given, 2 wanted: 2 / 3. c: none right. z is no label.
    answers, references = ["a", "A ", "a", "b", "z"], ["a", "a", "b", "b", "c"]
    assert macro_f1(answers, references) == pytest.approx((4 / 5 + 2 / 3 + 0) / 3)
    assert macro_f1(["a"], ["a"]) == 1
    assert macro_f1([], []) == 0
    with pytest.raises(ValueError, match="longer"):
        macro_f1(["a"], ["a", "b"])


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ('{"b": [1, 2], "a": null}', '{"a":null,"b":[1.0,2]}', 1),  # order of keys; 1 is 1.0
        ('{"a": true}', '{"a": 1}', 0),
        ('{"a": "1"}', '{"a": 1}', 0),
        ("[1, 2]", "[2, 1]", 0),
        ('{"a": {}}', '{"a": []}', 0),
        ('{"a": {}}', '{"a": null}', 0),
        ('{"a": 1, "a": 1}', '{"a": 1}', 0),  # readers differ about equal keys
        ('```json\n{"a": 1}\n```', '{"a": 1}', 0),  # a program could not read it
        ('{"a": 1', '{"a": 1}', 0),
        ("Lyon.", "lyon", 1),  # the reference is no JSON: exact match
    ],
)
def test_json_match(answer, reference, score):
    assert METRICS["json_match"](answer, reference) == score


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ('{"a": 1, "b": {"c": "x"}}', '{"a": 1.0, "b": {"c": "y"}}', 1 / 2),  # one of two fields
        ('{"a": 1}', '{"a": 1, "b": 2, "c": 3}', 2 * 1 / 4),  # 1 shared, 1 + 3 fields
        ('{"tags": ["x", "y"]}', '{"tags": ["y", "x", "x"]}', 2 * 2 / 5),  # items in any order, as often as they occur
        ('{"b": 1}', '{"a": 1}', 0),  # the value at another key
        ("a is 1", '{"a": 1}', 0),
        ("Lyon.", "lyon", 1),
    ],
)
def test_json_field_f1(answer, reference, score):
    assert METRICS["json_field_f1"](answer, reference) == pytest.approx(score)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3 + 4 = 7\n#### 7", 7),
        ("1,234,567.50 EUR", Fraction(123456750, 100)),
        ("1 000", 1000),
        ("1.000,5", Fraction(10005, 10)),
        ("1.000", 1),  # one point is a decimal one
        ("0,125", Fraction(1, 8)),  # no thousands begin with 0
        ("3,5 m", Fraction(7, 2)),
        ("in 2024 100 came", 100),
        ("= −3.", -3),
        ("covid-19", 19),
        ("8-3", 3),
        ("1/2", Fraction(1, 2)),
        (".5", Fraction(1, 2)),
        ("2e3", 2000),
        ("1/0", "1/0"),
        ("at 12:30", "12:30"),
        ("9" * 5000, "9" * 5000),  # more digits than Python reads
        ("none", None),
    ],
)
def test_the_last_number_is_read_as_people_write_it(text, number):
    assert last_number(text) == number


def test_number_match():
    match = METRICS["number_match"]
    assert match("4 * 250 = 1,000", "so 1000.0") == 1
    assert match("1000 or 999", "1000") == 0  # the last one counts
    assert match("a thousand", "1000") == 0
    assert match("None!", "none") == 1  # no number wanted: exact match


def test_the_first_metric_is_the_score():
    assert primary(["chrf", "bleu"], "translate.yaml") == "chrf"


def test_unknown_metrics_are_named_together_with_the_nearest_name():
    with pytest.raises(ConfigError) as caught:
        primary(["rouge_k", "bleu", "qqq"], "templates/gloss.yaml")
    assert "unknown metric 'rouge_k'\n  where: templates/gloss.yaml\n  fix:   did you mean 'rouge_" in str(caught.value)
    assert "unknown metric 'qqq'" in str(caught.value)
    assert "known names: accuracy, bleu" in str(caught.value)


def test_a_template_without_metrics_is_refused():
    with pytest.raises(ConfigError, match="no metric is named") as caught:
        primary([], "gloss.yaml")
    assert caught.value.where == "gloss.yaml"
    assert caught.value.fix.startswith("name one under `metrics`: accuracy, bleu")
