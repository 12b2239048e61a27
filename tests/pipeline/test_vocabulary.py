import pytest
import yaml

from pipeline.slips import is_form, is_typo
from pipeline.vocabulary import languages, never_overlooked, share_meaning, split_words, spread, word_files

LISTS = {name: path for name, path in word_files().items() if path.suffix == ".yaml"}
CODES = [path.stem for path in LISTS.values()]
ENGLISH = languages()[CODES.index("en")]


def read(path):
    return yaml.safe_load(path.read_text("utf-8").casefold())


@pytest.mark.parametrize("path", LISTS.values(), ids=lambda path: path.stem)
def test_a_word_list_holds_words_alone_and_each_once_in_a_group(path):
    lists = read(path)
    single = [
        word for key in ("common", "articles", "lettered", "numbers", "negations", "units") for word in lists[key]
    ]
    grouped = [word for key in ("antonyms", "forms", "unrelated") for group in lists[key] for word in group]

    assert all(isinstance(word, str) and word.isalpha() for word in single + grouped)
    for key in ("antonyms", "forms", "unrelated"):
        assert all(len(set(group)) == len(group) > 1 for group in lists[key])
    for key in ("synonyms", "commands"):
        assert all(len(set(spread(group))) > 1 and len(set(group)) == len(group) for group in lists[key])
    assert len({word for group in lists["forms"] for word in group}) == sum(map(len, lists["forms"]))


@pytest.mark.parametrize("path", LISTS.values(), ids=lambda path: path.stem)
def test_a_phrase_is_of_words_with_single_blanks(path):
    lists = read(path)
    keys = ("polite", "polite_start", "polite_end", "fillers", "phrase_starts")
    phrases = [phrase for key in keys for phrase in spread(lists[key])]
    phrases += [phrase for key in ("synonyms", "commands") for group in lists[key] for phrase in spread(group)]

    assert all(isinstance(phrase, str) and all(part.isalpha() for part in phrase.split(" ")) for phrase in phrases)


@pytest.mark.parametrize("path", LISTS.values(), ids=lambda path: path.stem)
def test_synonyms_are_no_antonyms_numbers_negations_or_units(path):
    lists = read(path)
    antonyms = [set(pair) for pair in lists["antonyms"]]
    fixed = {*lists["numbers"], *lists["negations"], *lists["units"]}

    for group in [*lists["synonyms"], *lists["commands"]]:
        assert not fixed & set(spread(group))
        assert not any(pair <= set(spread(group)) for pair in antonyms)


@pytest.mark.parametrize("path", LISTS.values(), ids=lambda path: path.stem)
def test_no_group_of_synonyms_lies_in_another(path):
    groups = [frozenset(group) for group in read(path)["synonyms"]]

    assert not [sorted(one) for one in groups for other in groups if one < other]
    assert len(set(groups)) == len(groups)


def test_there_are_lists_for_eight_languages_and_known_words_for_those_that_have_blanks():
    assert CODES == ["de", "en", "es", "fr", "it", "nl", "pt", "zh"]
    assert [code for code, words in zip(CODES, languages(), strict=True) if not words.known] == ["zh"]
    assert set(word_files()) == {f"words/{code}.yaml" for code in CODES}


def test_a_phrase_is_split_at_blanks_and_between_han_characters():
    assert split_words("would you mind") == ("would", "you", "mind")
    assert split_words("好吗") == ("好", "吗")


def test_a_pattern_stands_for_every_choice_of_its_parts():
    assert spread(["please", "(thanks|thank you) (|so much)"]) == [
        "please",
        "thanks",
        "thanks so much",
        "thank you",
        "thank you so much",
    ]


def test_a_word_of_two_meanings_shares_each_but_they_do_not_chain():
    names = {word: ENGLISH.same[word][1][word,] for word in ("topic", "subject", "present", "gift", "sad")}

    assert share_meaning(names["topic"], names["subject"])
    assert share_meaning(names["present"], names["gift"])
    assert not share_meaning(names["gift"], names["sad"])
    assert not share_meaning("gift", "gift")  # words that are in no list


def test_units_numbers_and_negations_are_never_overlooked():
    single, antonyms = never_overlooked()

    assert {"not", "seven", "kilometre", "nicht", "没"} <= single
    assert frozenset(("ascending", "descending")) in antonyms


@pytest.mark.parametrize(
    ("one", "other"), [("party", "parties"), ("create", "creating"), ("stop", "stopped"), ("snowman", "snowmen")]
)
def test_forms_of_a_word_are_told_by_its_stem_and_ending(one, other):
    assert is_form(one, other, ENGLISH)
    assert is_form(other, one, ENGLISH)


@pytest.mark.parametrize(
    ("one", "other"), [("second", "seconds"), ("princes", "princess"), ("new", "news"), ("as", "ass"), ("cat", "car")]
)
def test_other_words_are_no_forms(one, other):
    assert not is_form(one, other, ENGLISH)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("morning", "monring"),  # swapped
        ("pilot", "pillot"),  # doubled
        ("sentence", "sentnce"),  # missing
        ("snippet", "sniopet"),  # beside the right key
        ("important", "importent"),  # another vowel
        ("without", "withotu"),
    ],
)
def test_a_slip_makes_no_other_word(right, wrong):
    assert is_typo(right, wrong, ENGLISH)
    assert is_typo(wrong, right, ENGLISH)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("county", "country"),  # both are known
        ("complement", "compliment"),
        ("immorality", "immortality"),
        ("martin", "marvin"),
        ("xandor", "xander"),  # neither is
        ("seven", "sevens"),
        ("morning", "warning"),  # other first letters
    ],
)
def test_two_words_are_no_slips_of_each_other(one, other):
    assert not is_typo(one, other, ENGLISH)
