import pytest

from pipeline.difference import same_meaning
from pipeline.imperative import addressee, as_imperative, without_elision
from pipeline.vocabulary import languages

BY_CODE = {words.language: words for words in languages()}


def turned(text, start, code="de"):
    tokens = text.split()
    return as_imperative(tokens, [False] * len(tokens), set(), start, BY_CODE[code])[0][start:]


def test_after_a_polite_opening_the_last_verb_comes_first():
    assert turned("kannst du den text zusammenfassen", 2) == ["zusammenfassen", "den", "text"]
    assert turned("deine aufgabe ist es die idee zu erklären", 4) == ["erklären", "die", "idee"]
    assert turned("kun je de tekst samenvatten", 2, "nl") == ["samenvatten", "de", "tekst"]


def test_a_verb_gets_its_prefix_back():
    assert turned("fasse den text zusammen", 0)[0].startswith("zusammenfasse")
    assert turned("geh den weg nach hause", 0) == ["geh", "den", "weg", "nach", "hause"]


def test_quoted_words_and_other_languages_stay_in_order():
    tokens = ["kannst", "du", "text", "lesen"]

    assert as_imperative(tokens, [False, False, True, True], set(), 2, BY_CODE["de"])[0] == tokens
    assert turned("can you the text read", 2, "en") == ["the", "text", "read"]


def test_an_elided_article_or_pronoun_goes_where_the_rest_is_a_word():
    tokens = ["lhistoire", "mexpliquer", "lune", "mot"]

    assert without_elision(tokens, [False] * 4, BY_CODE["fr"]) == ["histoire", "expliquer", "lune", "mot"]
    assert without_elision(tokens, [True] * 4, BY_CODE["fr"]) == tokens
    assert without_elision(tokens, [False] * 4, BY_CODE["en"]) == tokens


@pytest.mark.parametrize(
    ("text", "size"),
    [("me a list", 1), ("to me how", 2), ("us the rule", 1), ("me to others", 0), ("me", 0), ("him a list", 0)],
)
def test_who_an_imperative_is_for_is_one_word_or_two(text, size):
    tokens = ["explain", *text.split()]

    assert addressee(tokens, 1, len(tokens), BY_CODE["en"]) == size


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Kannst du sagen, dass der Hund den Mann beißt", "Sage, dass den Hund der Mann beißt"),
        ("Kannst du das Haus nicht kaufen", "Kaufe das Haus"),
        ("Schreib mir einen Brief an den Chef", "Schreib ihm einen Brief an den Chef"),
        ("Fasse den Text zusammen und sag warum", "Schreibe den Text ab und sag warum"),
        ("Explique-moi la règle dans la ville", "Explique-lui la règle dans la ville"),
        ("Give me the book for the man", "Give him the book for the man"),
    ],
)
def test_another_person_verb_or_negation_is_another_task(left, right):
    assert not same_meaning(left, right)[0]
    assert not same_meaning(right, left)[0]
