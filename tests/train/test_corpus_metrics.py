import json
import warnings

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, classification_report, f1_score, matthews_corrcoef

from train.corpus_metrics import by_class, corpus_metrics, label_values
from train.metrics import METRICS, macro_f1

GIVEN = ["The cat sat on the mat.", "It rains.", "", "Nobody knows what the river wants of us"]
WANTED = ["A cat sat on the mat.", "It is raining here.", "One more.", "Nobody knows what the river wants."]
LABELS = st.sampled_from(["refund", "return", "Access", "no label"])


def values(names, answers, references, train=()):
    """Return value by metric of one arm."""
    found = corpus_metrics("t", names, references, {"tuned": answers}, list(train) or list(references))
    return {one.metric: one.value for one in found.metrics}, found


def test_bleu_and_chrf_are_those_of_sacrebleu_with_its_signature():
    said, found = values(["chrf", "bleu"], GIVEN, WANTED)
    assert said["bleu"] == pytest.approx(sacrebleu.corpus_bleu(GIVEN, [WANTED]).score, abs=1e-9)
    assert said["chrf"] == pytest.approx(sacrebleu.corpus_chrf(GIVEN, [WANTED]).score, abs=1e-9)
    assert said["chrf++"] == pytest.approx(sacrebleu.corpus_chrf(GIVEN, [WANTED], word_order=2).score, abs=1e-9)
    assert 5 < said["bleu"] < 95
    signed = {one.metric: one.signature for one in found.metrics}
    assert "tok:13a" in signed["bleu"]
    assert f"version:{sacrebleu.__version__}" in signed["bleu"]
    assert ("nw:0" in signed["chrf"], "nw:2" in signed["chrf++"]) == (True, True)


def test_bleu_of_a_script_without_blanks_is_counted_by_characters():
    given, wanted = ["今天下雨了我们回家", "你好世界再见"], ["今天下雨了我们在家", "你好世界再会"]
    said, found = values(["bleu"], given, wanted)
    assert said["bleu"] == pytest.approx(sacrebleu.corpus_bleu(given, [wanted], tokenize="char").score, abs=1e-9)
    assert "tok:char" in found.metrics[0].signature
    assert found.warnings == []


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=30))
def test_figures_of_labels_are_those_of_scikit_learn(pairs):
    said, right = [one for one, _ in pairs], [other for _, other in pairs]
    known = set(right)
    as_sklearn = [one if one in known else "-" for one in said]
    found = label_values(said, right)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found["accuracy"] == pytest.approx(accuracy_score(right, said), abs=1e-9)
        assert found["macro_f1"] == pytest.approx(
            f1_score(right, said, labels=sorted(known), average="macro", zero_division=0), abs=1e-9
        )
        assert found["mcc"] == pytest.approx(matthews_corrcoef(right, as_sklearn), abs=1e-9)
        table = classification_report(right, said, labels=sorted(known), output_dict=True, zero_division=0)
    assert found["macro_f1"] == pytest.approx(macro_f1(said, right))
    for row in by_class("t", "tuned", said, right):
        expected = table[row.label]
        assert (row.precision, row.recall, row.f1) == pytest.approx(
            (expected["precision"], expected["recall"], expected["f1-score"]), abs=1e-9
        )
        assert (row.n, row.n_given) == (expected["support"], said.count(row.label))


def test_labels_by_hand():
    # refund: 1 right of 2 wanted, given 1: P 1, R 1/2, F1 2/3. return: 1 of 1, given 2: P 1/2, R 1, F1 2/3.
    said, right = ["Refund ", "return", "return"], ["refund", "refund", "return"]
    found = label_values(said, right)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["macro_f1"] == pytest.approx(2 / 3)
    assert found["mcc"] == pytest.approx(0.5)  # (1*1 - 1*0) / sqrt(1 * 2 * 2 * 1) of a table of two classes
    assert [(row.label, row.n, row.n_given) for row in by_class("t", "tuned", said, right)] == [
        ("refund", 2, 1),
        ("return", 1, 2),
    ]


def test_all_metrics_of_a_template_are_there_and_means_are_means():
    names = ["rouge_l", "rouge_2", "exact_match", "token_f1", "number_match"]
    said, _ = values(names, GIVEN, WANTED)
    for name in names:
        assert said[name] == pytest.approx(
            sum(METRICS[name](one, other) for one, other in zip(GIVEN, WANTED, strict=True)) / 4, abs=1e-9
        )
    assert list(said) == [*names, "same_text"]


def test_extraction_has_its_share_of_valid_json():
    said, _ = values(["json_field_f1", "json_match"], ['{"a": 1, "b": 2}', "{"], ['{"a": 1, "b": 3}', '{"a": 2}'])
    assert said == {"json_field_f1": 0.25, "json_match": 0, "json_valid": 0.5, "same_text": 0}


def test_the_same_text_is_counted_but_for_blanks_around_it():
    assert values(["rouge_l"], [" Lyon\n", "lyon"], ["Lyon", "Lyon"])[0]["same_text"] == 0.5


def test_rows_without_a_reference_are_left_out_and_counted():
    said, found = values(["token_f1"], ["a", "b", "c"], ["a", " ", None], ["a"])
    assert (said["token_f1"], found.metrics[0].n, found.n_without_reference) == (1, 1, 2)
    said, found = values(["accuracy", "bleu"], ["a"], [None], ["a"])
    assert (said, found.n_without_reference, found.warnings) == ({}, 1, [])
    assert values(["bleu"], [], [])[0] == {}


def test_an_arm_is_judged_by_what_it_answered():
    said, found = values(["token_f1"], ["a", None], ["a", "b"])
    assert (said["token_f1"], found.metrics[0].n) == (1, 1)
    assert values(["token_f1"], [None, None], ["a", "b"])[0] == {}


def test_free_text_gets_no_table_by_class_and_a_warning():
    texts = [f"answer number {n}" for n in range(40)]
    said, found = values(["accuracy"], texts, texts, ["something else"])
    assert found.classes == []
    assert said["accuracy"] == 1
    (warning,) = found.warnings
    assert "t: accuracy and F1 by class are for labels, but most references here are no train answer" in warning
    assert values(["accuracy"], texts, texts, texts)[1].warnings == []


@pytest.mark.parametrize(
    ("name", "references", "warning"),
    [
        ("bleu", ["Lyon", "Paris is", "The river is long and deep"], "2 of 3 references have fewer than 4 words"),
        ("bleu", ["今天下雨了", "The river is long"], "1 of 2 references are in a script without blanks"),
        ("json_match", ['{"a": 1}', "none"], "1 of 2 references are no JSON"),
        ("number_match", ["it is 4", "none"], "1 of 2 references hold no number"),
    ],
)
def test_a_metric_that_does_not_fit_is_said_and_nothing_fails(name, references, warning):
    said, found = values([name], references, references)
    assert [one for one in found.warnings if warning in one]
    assert said["same_text"] == 1


@pytest.mark.parametrize("names", [[name] for name in METRICS])
@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=4))
def test_any_text_has_finite_figures(names, pairs):
    _, found = values(names, [one for one, _ in pairs], [other for _, other in pairs])
    json.dumps([one.model_dump() for one in (*found.metrics, *found.classes)], allow_nan=False)
