import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.difference import FEW_WORDS, OTHER, SAME, likeness_of, likenesses, same_meaning
from pipeline.numerals import digits

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
        ("Could you please name a prime number above fifty?", "Name a prime number above fifty, thank you"),
        ("Good morning! Tell me how it works", "How it works"),
        ("find a big city in the north", "find a large city in the north"),
        ("creating a list of the errors", "generate a list of the mistakes"),  # synonyms have forms
        ("Explain this query to me", "explain the query to me"),
        ("describe a typical monring in it", "describe a typical morning in it"),
        ("is the jacket easy to ckean", "is the jacket easy to clean"),  # a key beside the right one
        ("it is withotu any sugar in it", "it is without any sugar in it"),  # a negation is still one
        ("write a a letter to the boss", "write a letter to the boss"),
        ("In 18 words, describe the town of Athens", "describe the town of Athens in 18 words"),
        ("Without using a compass, how can I find it", "how can I find it without using a compass"),
        ("travel from Paris to Rome with a dog", "travel to Rome from Paris with a dog"),
        ("Compare cats and dogs as pets", "compare dogs and cats as pets"),
        ("Für Lukas suche ein Rezept mit Milch", "suche ein Rezept mit Milch für Lukas"),
        ("Erkläre das Thema für die Schüler", "Erklären Sie das Thema für die Schüler"),
        ("Warum zieht ein Zugvogel in den Süden", "Warum ziehen Zugvögel in den Süden"),
        ("Expliquez le rôle des abeilles dans la nature", "Explique le rôle des abeilles dans la nature"),
        ("请介绍一下这个城市", "介绍一下这个城市。谢谢！"),
        ("写一首关于爱的的诗", "写一首关于爱的诗"),
        ("给他用法语写一封信", "用法语给他写一封信"),
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
        ("give a synonym for big in this", "give a synonym for large in this", "'big' against 'large'"),
        ('the word is "big" to me', 'the word is "large" to me', "'big' against 'large'"),
        ("convert dollars to euros for me", "convert euros to dollars for me", "another word"),
        ("Is the beer from Paris for Rome", "Is the beer from Rome for Paris", "another word"),
        ("the shop is closed, not in may", "the shop is closed in may", "'not'"),
        ("few people like it", "a few people like it", "'nothing' against 'a'"),
        ("walk 5 miles on the road", "walk 5 milles on the track", "another word"),
        ("set this up: item = items[0]", "set this up: items = items[0]", "'item' against 'items'"),
        ("is immorality good for you", "is immortality good for you", "'immorality' against 'immortality'"),
        ("the county of the man", "the country of the man", "'county' against 'country'"),
        ("Der Hund und das Haus beißt den Mann", "Den Hund und das Haus beißt der Mann", "'der' against 'den'"),
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
    assert same_meaning("how do cars work", "how does a car work") == (True, "differs in 'car' / 'cars'")
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


def test_many_pairs_are_judged_as_one_by_one():
    pairs = [("name a fruit", "name a city"), ("Name a fruit!", "name a fruit"), ("a big city", "a large city of it")]
    pairs += [(LONG, LONG.replace("fresh", "good", 1)), ("", ""), ("?", "!"), ("add 2", "add 3"), ("é", "e")]
    left, right = (pa.array(side, pa.large_string()) for side in zip(*pairs, strict=True))

    assert likenesses(left, right).tolist() == [likeness_of(one, other) for one, other in pairs]
    assert likenesses(left[2:], right[2:]).tolist() == likenesses(left, right)[2:].tolist()
    assert likenesses(left[:0], right[:0]).tolist() == []


WORDY = st.lists(
    st.sampled_from(
        [
            "the",
            "a",
            "this",
            "dog",
            "dogs",
            "bites",
            "man",
            "please",
            "find",
            "large",
            "big",
            "city",
            "in",
            "on",
            "for",
            "paris",
            "rome",
            "2",
            "two",
            "not",
            "e-mail",
            "email",
            "morning",
            "monring",
            "it's",
            "its",
            ":",
            ",",
            ".",
            "!",
            "?",
            "+",
            "(",
            "foo()",
            "x_y",
            "你好",
            "写",
            "of",
            "how",
            "to",
            "is",
            "größe",
            "ſ",
            "ß",
            "K",
            "said",
            "said",
            "selfdriving",
            "self-driving",
        ]
    ),
    max_size=9,
).map(" ".join)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(WORDY | TEXTS, WORDY | TEXTS), min_size=1, max_size=12))
def test_no_pair_is_judged_otherwise_among_many(pairs):
    pairs += [(one, other + " " + one) for one, other in pairs]
    left, right = (pa.array(side, pa.large_string()) for side in zip(*pairs, strict=True))

    assert likenesses(left, right).tolist() == [likeness_of(one, other) for one, other in pairs]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        # synonyms and spellings
        ("list the cheapest hotels in the city", "list the least expensive hotels in the city"),
        ("how does a physician treat the flu", "how does a doctor treat influenza"),
        ("Summarise the theory of colour", "summarize the theory of color"),
        ("What is the travelled way to the centre", "what is the traveled way to the center"),
        ("Nenne die Vorteile von einem Fahrrad und wie", "Nenne die Vorzüge von einem Velo und wie"),
        ("Quels sont les objectifs de la réunion ?", "Quels sont les buts de la rencontre"),
        ("请描述这部电影的主角", "请描写这部影片的主人公"),
        # politeness
        ("Hi there, could you please kindly explain how a plane flies? Thanks a lot!", "Explain how a plane flies"),
        ("I was wondering if you could write a letter to the boss", "Write a letter to the boss"),
        ("Would you mind explaining the rule to me", "Explain the rule to me"),
        ("It would be great if you could list the planets, if you don't mind", "List the planets"),
        ("Give me a recipe for a cake with apples", "Give a recipe for a cake with apples"),
        ("Explain to me how a car works", "Explain how a car works"),
        ("Könntest du mir bitte einen Brief an den Chef schreiben?", "Schreibe einen Brief an den Chef."),
        ("Kannst du den folgenden Text zusammenfassen?", "Fasse den folgenden Text zusammen."),
        ("Ich möchte, dass du die Geschichte der Stadt beschreibst.", "Beschreibe die Geschichte der Stadt"),
        ("Deine Aufgabe ist es, die Idee der Freiheit zu erklären", "Erkläre die Idee der Freiheit"),
        ("Schreib mir einen Brief an den Chef", "Schreibe einen Brief an den Chef"),
        ("Pourriez-vous écrire une lettre à la mairie ?", "Écrivez une lettre à la mairie."),
        ("Peux-tu m'expliquer le rôle des abeilles dans la nature ?", "Explique le rôle des abeilles dans la nature"),
        ("请您帮我写一首关于春天的诗，谢谢！", "写一首关于春天的诗"),
        ("你能帮我写一首关于春天的诗吗？", "写一首关于春天的诗"),
        # slips
        ("what is the importan part of it", "what is the important part of it"),
        ("the morninf is in the city", "the morning is in the city"),
        ("waht is the capital of the country", "what is the capital of the country"),
        ("Erkläre den Wettrebericht und die Lage", "Erkläre den Wetterbericht und die Lage"),
        ("Warum koennen die Vögel fliegen", "Warum können die Vögel fliegen"),
        ("Quel est le probleme de la societe dans le pays", "Quel est le problème de la société dans le pays"),
        ("Finde eine Überschrift für desen Bericht", "Finde eine Überschrift für diesen Bericht"),
        ("请解是光合作用", "请解释光合作用"),
        # verbs that ask for the same
        ("Make up a name for the shop", "Create a name for the shop"),
        ("Compose a poem about the sea", "Write a poem about the sea"),
        ("Name three rivers in the country", "List three rivers in the country"),
        ("Show me how to open the door", "How do I open the door"),
        ("Decide whether the answer is right", "Check if the answer is right"),
        ("Erstelle einen Steckbrief über die Stadt", "Verfasse einen Steckbrief über die Stadt"),
        ("Débute un conte avec le mot", "Commence un conte avec le mot"),
        ("Tell me its tone in the end", "Tell me the tone in the end"),
        # order
        ("Briefly describe the city of Athens", "Describe the city of Athens briefly"),
        ("What is the weather like today in the city", "Today what is the weather like in the city"),
        ("Tell me about cats and dogs in the house", "Tell me about dogs and cats in the house"),
        ("In einem Satz erkläre die Idee der Freiheit", "Erkläre in einem Satz die Idee der Freiheit"),
        ("What's the capital of the country", "What is the capital of the country"),
        ("Don't name the king", "Do not name the king"),
        ("I can\u2019t open the door", "I cannot open the door"),
        ("Give a definite answer to the question", "Give a definate answer to the question"),
    ],
)
def test_the_rules_hold_beyond_the_lists(left, right):
    assert same_meaning(left, right)[0]
    assert same_meaning(right, left)[0]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("convert the price from dollars to euros", "convert the price from euros to dollars"),
        ("Eat before you sleep in the bed", "Sleep before you eat in the bed"),
        ("travel from Paris to Rome", "travel from Rome to Paris"),
        ("Subtract apples and pears from the list", "Subtract pears and apples from the list"),
        ("Append hello and world in this", "Append world and hello in this"),
        ("Tell me about red cars and bikes", "Tell me about red bikes and cars"),
        ("Tell me about cats and dogs that bark", "Tell me about dogs and cats that bark"),
        ("translate and summarize the text", "summarize and translate the text"),
        ("Quickly explain what is not clear", "explain what is not quickly clear"),
        ("Only explain the rule to the man", "explain the rule only to the man"),
        ("Supply the list of the men", "the list of the men supply"),
        ("the angel is in the room", "the angle is in the room"),
        ("is it quiet in here", "is it quite in here"),
        ("a letter form the boss", "a letter from the boss"),
        ("who is Marten to you", "who is Martin to you"),
        ("who is Christin to you", "who is Christina to you"),
        ("tell me of the trial", "tell me of the trail"),
        ("is the prize in the box", "is the price in the box"),
        ("how long is an hour to you", "how long is a tour to you"),
        ("Is the bottle filled with it", "Is the bottle filed with it"),
        ("how does a mother help", "how does a father help"),
        ("what is the speed of the car", "what is the weight of the car"),
        ("compare the length of it to this", "compare the height of it to this"),
        ("name a lake in the country", "name a river in the country"),
        ("Where did the king live", "where did the queen live"),
        ("can a man see you", "see you"),
        ("Call me a taxi to the town", "Call him a taxi to the town"),
        ("Compare me to others in the town", "compare others in the town"),
        ("Kannst du sagen, ob der Hund den Mann beißt", "Sag, ob den Hund der Mann beißt"),
        ("Das ist schon gut und wahr", "Das ist schön gut und wahr"),
        ("Wie ist die Nacht und warum", "Wie ist die Macht und warum"),
        ("Où est la pêche dans le pays", "Où est le péché dans le pays"),
        ("le poisson est dans la mer", "le poison est dans la mer"),
        ("写一首关于春天的诗", "写一首关于秋天的诗"),
        ("What does a baker make in the town", "What does a baker write in the town"),
        ("Who can write to the boss", "Who can create to the boss"),
        ("How do you work in the night", "How do I work in the night"),
        ("Is it possible to freeze the rice", "Freeze the rice"),
        ("Is it OK to freeze the rice", "Freeze the rice"),
        ("Compare the cats with the dogs", "Contrast the cats with the dogs"),
        ("Find the sum of the list", "Find the average of the list"),
        ("Tell me its colour in the end", "Tell me her colour in the end"),
        ("What is its colour in the end", "What is colour in the end"),
        ("Give a definition of the legend", "Give a definition of the myth"),
        ("这是食用的油", "这是使用的油"),
        ("把美元换成欧元", "把欧元换成美元"),
        ("What's the capital of the country", "What was the capital of the country"),
        ("Don't name the king", "Do name the king"),
        ("I can't open the door", "I can open the door"),
        ("Describe its colour in the end", "Describe it is colour in the end"),
        ("Explain what nitrates do in the water", "Explain what nitrites do in the water"),
        ("Who was Andersen in the story", "Who was Anderson in the story"),
    ],
)
def test_the_rules_go_no_further(left, right):
    assert not same_meaning(left, right)[0]
    assert not same_meaning(right, left)[0]


@pytest.mark.parametrize(
    ("left", "right", "is_same"),
    [
        ("Use wolfram(query).\nCalculate the root", "use wolfram(query).\n compute the root", True),
        ("Explain x = 5 to me please", "explain  x = 5 to me", True),
        ("Give an antonym of 'Generous'.", "give an antonym of 'generous'", True),
        ("def scale(x, k):\n    return x * k", "def scale(x, k):  \r\n    return x * k\n", True),
        ("Use wolfram(Query) now", "Use wolfram(query) now", False),
        ("Open os.Path now", "open os.path now", False),
        ("Run `Make` now", "run `make` now", False),
        ("What is \\Delta here", "what is \\delta here", False),
        ("Write send_mail now", "write Send_mail now", False),
        ("for x in y:\n    a(x)\n    b()", "for x in y:\n    a(x)\nb()", False),
    ],
)
def test_in_code_capitals_and_indents_count(left, right, is_same):
    assert same_meaning(left, right)[0] is is_same
    assert same_meaning(right, left)[0] is is_same
