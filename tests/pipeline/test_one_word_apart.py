import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import difference
from pipeline.difference import same_meaning
from pipeline.one_word_apart import one_word_apart

CITY = "Name a big city in the north of india, please.".lower()


def test_the_words_that_differ_are_told():
    assert one_word_apart(CITY, CITY.replace("india", "china")) == ("india", "china")
    assert same_meaning(CITY, CITY.replace("india", "inida")) == (True, "differs in 'india' / 'inida'")


@pytest.mark.parametrize(
    ("word", "other"),
    [("india", "in china"), ("india", "42"), ("please", "plaese"), ("india", "Goa"), ("big", "large"), ("in", "on")],
)
def test_of_other_pairs_it_says_nothing(word, other):
    assert one_word_apart(CITY, CITY.replace(word, other, 1)) is None


@pytest.mark.parametrize("text", ["fin den weg nach haus bitte", "do it (now) in the city", "say the word city"])
def test_texts_that_are_no_plain_english_are_left_to_the_full_rules(text):
    last = text.split()[-1]

    assert one_word_apart(text, text.replace(last, last[::-1])) is None


# Listed words, known ones, slips and forms of them, where the full rules have most to say.
WORDS = st.sampled_from(re.findall(r"\S+", """
    the a this of in to and is how what name list lists listed write wrote please could you me kindly big large
    city cities ctiy citty cat cats india china morning monring morrning word words called spell not never no two
    form from planing planning princes princess dollars miles run running runs quickly compare as soon possible
    posible explain explian describe describing teh tha said said, city. india? now! e.g. fun, thank thanks
"""))  # fmt: skip
TEXTS = st.lists(WORDS, min_size=2, max_size=12)


@settings(max_examples=1500, deadline=None)
@given(TEXTS, st.data())
@example(["name", "the", "city", "city", "of"], None)
def test_it_says_what_the_full_rules_say(words, data):
    place, word = (2, "ctiy") if data is None else (data.draw(st.integers(0, len(words) - 1)), data.draw(WORDS))
    for times in (1, 40):  # over 400 characters some words may differ
        left = " ".join(words * times)
        right = " ".join([*words[:place], word, *words[place + 1 :], *words * (times - 1)])
        told = difference._judged(left, right)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(difference, "one_word_apart", lambda _one, _other: None)
            assert told == difference._judged(left, right)
