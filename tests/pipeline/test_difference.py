import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.difference import FEW_WORDS, OTHER, SAME, likeness_of, same_meaning
from pipeline.numerals import digits
from pipeline.vocabulary import languages, word_files

# A text of 95 words and over 400 characters that holds no number and no negation.
LONG = "The harbour of the old town lies under a steep hill and the boats come home with fresh fish. " * 5


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("explain how self-driving cars work.", "explain how a self-driving car works."),
        ("What is the capital of France?", "what is the capital of FRANCE"),
        ("name  a fruit", "Name a fruit!"),
        ("I can't see the moon", "I cant see the moon."),
        ("write an e-mail to the boss", "Write an email to the boss"),
        ("how do I open the the door", "how do I open the door"),  # a word said twice
        ("Describe this enviroment to me", "Describe this environment to me"),  # a listed misspelling
        ("How would you deilver this?", "How would you deliver this?"),  # two letters swapped
        ("is the accomodation good", "is the accommodation good"),  # one letter doubled
        ("What is the child's name in this?", "what is the childs name in this"),
        ("these parties are in the city", "This party is in the city"),
        ("how do you stop it", "how do you stopping it"),
        ("Wie ist das Auto, und wo?", "Wie ist ein Auto und wo"),
        ("Das ist die Straße, und gut", "das ist die STRASSE und gut"),
        ("Les villes sont grandes dans ce pays", "La ville est grande dans ce pays"),
        ("你好，世界", "你好世界！"),
        ("- the first\n- the last", "the first, the last"),
        ("It came in 1998 - late", "It came in 1998, late"),
        ("a text (with brackets)", "a text with brackets"),
        ("", " "),
        ("?!", " ?! "),
    ],
)
def test_texts_that_differ_in_nothing_that_matters_mean_the_same(left, right):
    assert same_meaning(left, right)[0]
    assert same_meaning(right, left)[0]


@pytest.mark.parametrize(
    ("left", "right", "why"),
    [
        ("calculate the sum of 2+2", "calculate the sum of 8+5", "'2' against '8'"),
        (
            "name two causes of the American Revolutionary War",
            "state the cause of the American Revolutionary War",
            "another word: 'name two causes' against 'state the cause'",
        ),
        ("sort the list in ascending order", "sort the list in descending order", "'ascending' against 'descending'"),
        (
            "find the most common noun in this passage. It rained.",
            "describe the style of writing in this passage. It rained.",
            "'find' against 'describe'",
        ),
        ("this is 3.5 metres", "this is 35 metres", "'3.5' against '35'"),
        ("this is .5 metres", "this is 5 metres", "'.5' against '5'"),
        ("it is -5 degrees", "it is 5 degrees", "'-5' against '5'"),
        ("what is 5-3", "what is 5 3", "'-' against 'nothing'"),
        ("what is x-2 for this", "what is x2 for this", "'-' against 'nothing'"),
        ("what is (2+3)*4", "what is 2+(3*4)", "'(' against 'nothing'"),
        ("what is x² here", "what is x2 here", "number or sign"),
        ("how do I write C", "how do I write C++", "against '+ +'"),
        ("if x = y", "if x == y", "number or sign"),
        ("if !x return y = 1", "if x return y = 1", "'!' against 'nothing'"),
        ("how much is 5 €", "how much is 5 $", "'€' against '$'"),
        ("this is 5 km long", "this is 5 miles long", "'km' against 'miles'"),
        ("the shop is open", "the shop is not open", "'nothing' against 'not'"),
        ("I can see you", "I can't see you", "'can' against 'cant'"),
        ("that is a possible answer", "that is an impossible answer", "impossible'"),
        ("who is Anna to you", "who is Anne to you", "'anna' against 'anne'"),
        ("what is this new item", "what is this news item", "'new' against 'news'"),
        ("see the princes here", "see the princess here", "'princes' against 'princess'"),
        ("is the desert good for you", "is the dessert good for you", "'desert' against 'dessert'"),
        ("is it casual to you", "is it causal to you", "'casual' against 'causal'"),
        ("is vitamin A good for you", "is vitamin good for you", "'a' against 'nothing'"),
        ("when was part I of it", "when was part II of it", "'i' against 'ii'"),
        ("the dog bit the man", "the man bit the dog", "another word"),
        ("😀", "😢", "'😀' against '😢'"),
        ("I like it :)", "I like it :(", "':)' against ':('"),
        ("?", "!", "another word"),
        ("你好，世界", "你好，視界", "'世' against '視'"),
        ("fill in the _ here", "fill in the here", "'_'"),
        ("Das ist die Arbeit und gut", "Das ist die Arbeiter und gut", "'arbeit' against 'arbeiter'"),
        ("Il ne vient pas dans la ville", "Il vient dans la ville", "'ne'"),
    ],
)
def test_texts_that_differ_in_content_do_not_and_the_sentence_says_in_what(left, right, why):
    same, sentence = same_meaning(left, right)

    assert not same
    assert why in sentence
    assert not same_meaning(right, left)[0]


def test_without_a_list_for_the_language_only_case_punctuation_and_spacing_may_differ():
    assert same_meaning("Kuinka auto toimii?", "kuinka auto  toimii")[0]
    assert not same_meaning("Kuinka autot toimivat", "Kuinka auto toimivat")[0]  # no plural is known
    assert not same_meaning("Sort numbers", "Sort number")[0]  # no common word tells that this is English


def test_what_differs_is_named():
    assert same_meaning("how do cars work", "how does a car work") == (True, "differs in 'car' for 'cars'")
    assert same_meaning("name the fruit", "name fruit")[1] == "differs only in articles, forms or a word said twice"
    assert same_meaning("A b", "a B.")[1] == "differs only in case, punctuation or spacing"


def test_one_word_of_a_long_text_may_differ_where_the_other_side_agrees():
    other = LONG.replace("fresh", "good", 1)

    assert same_meaning(LONG, other, other_side_agrees=True) == (True, "differs in 1 of some 95 words")
    assert not same_meaning(LONG, other)[0]
    assert likeness_of(LONG, other) == FEW_WORDS


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("with fresh", "without fresh"), "'without'"),
        (("the old", "the 2 old"), "number or sign"),
        (("steep hill", "three hills"), "'three'"),
    ],
)
def test_numbers_and_negations_of_a_long_text_may_not_differ_even_then(change, reason):
    same, sentence = same_meaning(LONG, LONG.replace(*change, 1), other_side_agrees=True)

    assert not same
    assert reason in sentence


def test_an_antonym_in_a_long_text_is_named():
    assert same_meaning(LONG + "left", LONG + "right", other_side_agrees=True) == (
        False,
        "the texts differ in 'left/right'",
    )


def test_more_than_one_word_in_fifty_is_too_many():
    other = LONG.replace("fresh", "good")  # 5 of 95 words

    assert likeness_of(LONG, other) == OTHER
    assert same_meaning(LONG, other, other_side_agrees=True) == (False, "differs in 5 of some 95 words")


def test_very_long_texts_are_judged_by_what_lies_between_their_common_ends():
    much = LONG * 100  # 46,500 characters

    assert likeness_of(much + "The end.", much + "the END") == SAME
    assert likeness_of(much + "of cars. " + much, much + "of a car " + much) == SAME
    assert likeness_of(much + "of 2 cars. " + much, much + "of 3 cars. " + much) == OTHER
    assert likeness_of(much + "is in. " + much, much + "is not in. " + much) == OTHER


def test_digits_are_those_of_all_scripts_with_single_gaps():
    assert digits(pa.array(["a 1 b 23!", "none", "٣ and 4", ""])).to_pylist() == ["1 23", "", "٣ 4", ""]


@pytest.mark.parametrize("path", word_files().values(), ids=lambda path: path.stem)
def test_a_word_list_holds_words_alone_and_each_once_in_a_group(path):
    lists = yaml.safe_load(path.read_text("utf-8").casefold())
    single = [word for key in ("common", "articles", "lettered", "numbers", "negations") for word in lists[key]]
    grouped = [word for key in ("antonyms", "forms", "unrelated") for group in lists[key] for word in group]

    assert all(isinstance(word, str) and word.isalpha() for word in single + grouped)
    for key in ("antonyms", "forms", "unrelated"):
        assert all(len(set(group)) == len(group) > 1 for group in lists[key])
    assert len({word for group in lists["forms"] for word in group}) == sum(map(len, lists["forms"]))


def test_there_are_lists_for_english_german_and_french():
    assert list(word_files()) == ["words/de.yaml", "words/en.yaml", "words/fr.yaml"]
    assert len(languages()) == 3


TEXTS = st.text(st.sampled_from("ab 1-+.你é!'_\0") | st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_every_text_means_what_its_upper_case_twin_means(text):
    twin = f" {text}  "

    assert likeness_of(text, twin) == SAME


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS)
def test_the_judgement_is_the_same_both_ways_and_never_overlooks_digits(left, right):
    assert likeness_of(left, right) == likeness_of(right, left)
    if likeness_of(left, right) == SAME:
        numbers = digits(pa.array([left, right])).to_pylist()
        assert numbers[0] == numbers[1]
