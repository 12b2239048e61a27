import pyarrow as pa
import pytest

from annotation.answer_language import is_other_language, leaves_word
from annotation.checked_texts import Kinds, Texts

KINDS = Kinds(json=[], translation=["translate"])
ENGLISH = "What is the capital of France and why is it there on the river?"
GERMAN = "Die Hauptstadt von Frankreich ist Paris, weil sie an der Seine liegt und das gut ist."


def texts(prompt: str, answer: str, template: str = "instruct") -> Texts:
    return Texts(*(pa.array([text], pa.string()) for text in (answer, prompt, template)))


@pytest.mark.parametrize(
    ("prompt", "answer", "is_other"),
    [
        (ENGLISH, GERMAN, True),
        (GERMAN, ENGLISH, True),
        (ENGLISH, "The capital of France is Paris, as it is on the river and in the middle of the land.", False),
        (ENGLISH, "Paris.", False),  # too short to tell
        ("Say it in German: " + ENGLISH, GERMAN, False),
        (ENGLISH, "首都は巴里です。", True),
        ("「巴里」 is what? " + ENGLISH, "首都は巴里です。", False),
    ],
)
def test_an_answer_is_in_the_language_of_its_prompt(prompt, answer, is_other):
    assert is_other_language(texts(prompt, answer), KINDS).to_pylist() == [is_other]


def test_translations_are_free_to_be_in_another_language():
    assert is_other_language(texts(ENGLISH, GERMAN, "translate"), KINDS).to_pylist() == [False]


@pytest.mark.parametrize(
    ("answer", "leaves"),
    [
        ("Der egret und der Vogel sind an dem See und in dem Wald.", True),
        ("Der Reiher und der Vogel sind an dem See und in dem Wald.", False),
        ("Der Egret und der Vogel sind an dem See und in dem Wald.", False),  # a name, as far as can be told
        ("egret", False),  # which language?
    ],
)
def test_a_word_of_the_original_is_no_word_of_the_translation(answer, leaves):
    prompt = "English: The egret and the bird are at the lake and in the wood.\nGerman:"
    assert leaves_word(texts(prompt, answer, "translate"), KINDS).to_pylist() == [leaves]
    assert leaves_word(texts(prompt, answer), KINDS).to_pylist() == [False]


def test_rows_without_a_text_break_nothing():
    nothing = Texts(*(pa.array([None, None], pa.string()) for _ in range(2)), pa.array(["translate", "instruct"]))
    for rule in (is_other_language, leaves_word):
        assert not any(rule(nothing, KINDS).to_pylist())


def test_a_row_is_judged_by_itself_whatever_stands_beside_it():
    rows = [
        (
            "Der egret und der Vogel sind an dem See und in dem Wald.",
            "The egret and the bird are at the lake: what is it?",
        ),
        (
            "Le chien est dans la maison et il y a un chat sur le lit.",
            "The dog is in the house and there is a cat on it.",
        ),
        ("Yes.", "Oui."),
    ]
    together = Texts(*(pa.array(list(one)) for one in zip(*rows, strict=True)), pa.array(["translate"] * 3))
    alone = [leaves_word(texts(prompt, answer, "translate"), KINDS).to_pylist()[0] for answer, prompt in rows]
    assert leaves_word(together, KINDS).to_pylist() == alone == [True, False, False]
