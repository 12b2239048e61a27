import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.benchmarks import Item, read_items
from pipeline.contamination import Contamination, Decontaminate
from pipeline.plain import normal

TOM = (
    "Tom keeps 3 cats and 14 mice in his grandmother's old barn behind the mill. "
    "Each mouse eats 2 grams of corn a day. How much corn do all mice eat in one week?"
)  # 15 + 9 + 10 words
HOW = "All mice eat 14 * 2 = 28 grams a day, so in a week they eat 7 * 28 = 196 grams. #### 196"
ITEMS = [
    Item("quiz.jsonl", 1, "What is 2+2?", "4"),
    Item("quiz.jsonl", 2, TOM, HOW),
    Item("quiz.jsonl", 3, "Name the three primary colours of light and their wavelengths", "red, green and blue"),
]


def hits(*rows, items=ITEMS, near=0.9, **setting):
    """Return how each row, a prompt or a prompt and a response, repeats an item."""
    pairs = [(row, "") if isinstance(row, str) else row for row in rows]
    question, answer = (normal(pa.array(column, pa.large_string())) for column in zip(*pairs, strict=True))
    found = Contamination.of(items, near, Decontaminate(**setting)).matches(np.arange(len(pairs)), question, answer)
    return {hit.row: hit.how for hit in found}


def hit(*row, **more):
    return hits(row if len(row) > 1 else row[0], **more).get(0)


def test_a_whole_prompt_that_equals_an_item_or_says_the_same_is_found_however_short():
    assert hit("what is  2+2?") == "the prompt equals item 1 of quiz.jsonl"
    assert hit("What is 2+2") == "the prompt says the same as item 1 of quiz.jsonl"
    assert hit("Name the three primary colors of light and their wavelength.") == (
        "the prompt says the same as item 3 of quiz.jsonl"
    )
    assert hit("What is 2+3?") is None
    assert hit("") is None


def test_an_item_inside_a_longer_prompt_is_found_whatever_stands_around_it():
    assert hit(f"Solve this, please. {TOM} Think step by step.") == "the prompt contains 100% of item 2 of quiz.jsonl"
    assert hit(TOM.upper().replace(".", "").replace("'", "’")) == "the prompt says the same as item 2 of quiz.jsonl"


def test_a_short_item_counts_as_the_whole_prompt_only():
    assert hit("Teacher: what is 2+2? Pupil: I do not know. Teacher: then what is 3+3?") is None
    inside = "Tell me: name the three primary colours of light and their wavelengths, in a table."
    assert hit(inside) == "the prompt contains 100% of item 3 of quiz.jsonl"
    assert hit("Name the three primary colours of your flag and their meaning") is None


def test_a_part_of_an_item_is_enough_where_it_is_long():
    words = TOM.split()
    assert hit(" ".join(words[:26])) == "the prompt contains 76% of item 2 of quiz.jsonl"  # 26 of 34
    assert hit(" ".join(words[:9])) is None


def test_other_numbers_make_another_question():
    other = TOM.replace("3 cats", "5 cats").replace("14 mice", "12 mice").replace("2 grams", "9 grams")
    assert hit(other) is None
    assert hit(other, "#### 756") is None
    # Cut short, it lacks numbers but has no others.
    assert hit(TOM.removesuffix(" How much corn do all mice eat in one week?")) is not None


def test_an_item_in_other_words_is_told_by_its_numbers_and_its_answer():
    reworded = (
        "In the barn of his grandmother behind the old mill, Tom has 14 mice and 3 cats. "
        "If each mouse needs 2 grams of corn daily, how much corn is it for all mice in one week?"
    )
    assert hit(reworded, "That makes 196") == (
        "the prompt is item 2 of quiz.jsonl in other words, and the response has its answer"
    )
    far = "Tom feeds 14 mice and 3 cats, 2 grams of corn for each mouse a day. What do the mice eat by Sunday?"
    assert hit(far, "196 grams") is not None
    assert hit(far, "200 grams") is None


def test_a_long_answer_counts_without_its_question_and_a_short_one_does_not():
    assert hit("Show me a sum.", HOW) is None  # 20 words and signs fewer than asked for
    assert hit("Show me a sum.", HOW, answer_words=20) == (
        "the response contains 100% of the answer to item 2 of quiz.jsonl"
    )
    assert hit(f"Is this right? {HOW}", "Yes", answer_words=20) == (
        "the prompt contains 100% of the answer to item 2 of quiz.jsonl"
    )
    assert hit("Name colours.", "red, green and blue") is None


def test_a_question_in_the_response_is_found():
    assert hit("Make up a word problem.", f"Sure! {TOM}") == "the response contains 100% of item 2 of quiz.jsonl"


def test_half_an_item_is_enough_with_its_answer():
    # 15 of 34 words.
    half = "Tom keeps 3 cats and 14 mice in his grandmother's old barn behind the mill and dreams of a tractor."
    assert hit(half, "Nice.") is None
    assert hit(half, "196") == "the prompt contains 44% of item 2 of quiz.jsonl, and the response its answer"


def test_an_answer_of_one_word_or_one_that_many_items_share_says_nothing():
    half = "Tom keeps 3 cats and 14 mice in his grandmother's old barn behind the mill and dreams of a tractor."
    items = [Item("quiz.jsonl", 1, TOM, "yes"), Item("quiz.jsonl", 2, "Is water wet?", "yes")]
    assert hit(half, "yes", items=items) is None
    assert hit(half, "Sunday", items=[Item("quiz.jsonl", 1, TOM, "Sunday")]) is None
    shared = [Item("quiz.jsonl", 1, TOM, "by next Sunday"), Item("quiz.jsonl", 2, "When?", "by next Sunday")]
    assert hit(half, "by next Sunday", items=shared[:1]) is not None
    assert hit(half, "by next Sunday", items=shared) is None


def test_a_row_with_several_views_has_one_hit_the_best_of_the_smallest_file():
    items = [Item("b.jsonl", 1, TOM), Item("a.jsonl", 9, TOM), Item("a.jsonl", 9, f"{TOM} Hurry!")]
    contamination = Contamination.of(items, 0.9, Decontaminate())
    question = normal(pa.array([f"Hello. {TOM}", TOM, "other"], pa.large_string()))
    answer = pa.array(["", "", ""], pa.large_string())
    (found,) = contamination.matches(np.array([5, 5, 6]), question, answer)
    assert (found.row, found.item.file, found.item.n, found.score) == (5, "a.jsonl", 9, 1.0)
    assert found.how == "the prompt equals item 9 of a.jsonl"


def test_nothing_is_found_without_rows_items_or_words():
    empty = pa.array([], pa.large_string())
    assert Contamination.of(ITEMS, 0.9, Decontaminate()).matches(np.zeros(0, np.int64), empty, empty) == []
    assert hits("anything", items=[]) == {}
    assert hits("anything", "?", items=[Item("quiz.jsonl", 1, "..."), Item("quiz.jsonl", 2, "")]) == {}


PIECES = st.sampled_from(
    [TOM, TOM[:90], TOM[60:], HOW, "What is 2+2?", "red, green and blue", "196", "4", "Tell me.", "3 cats and 14 mice"]
)
TEXTS = st.lists(PIECES, max_size=3).map(" ".join)


@settings(max_examples=50)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8), st.data())
def test_batch_borders_and_order_do_not_matter(rows, data):
    order = data.draw(st.permutations(range(len(rows))))
    border = data.draw(st.integers(0, len(rows)))
    whole = hits(*rows)
    pieces = [[rows[at] for at in part] for part in (order[:border], order[border:])]
    apart = [how for part in pieces for how in ([hits(*part).get(at) for at in range(len(part))] if part else [])]
    assert dict(zip(order, apart, strict=True)) == {at: whole.get(at) for at in range(len(rows))}


@pytest.mark.shared
def test_every_copy_of_a_real_benchmark_is_found_and_no_other_row(shared_data):
    items = read_items({"test": shared_data / "gsm8k" / "test.jsonl"})
    rows = json.loads((shared_data / "llm-adapters" / "ft-training_set" / "math_data.json").read_text("utf-8"))
    known = set(normal(pa.array([item.question for item in items], pa.large_string())).to_pylist())
    plain = normal(pa.array([row["instruction"] for row in rows], pa.large_string())).to_pylist()
    found = hits(*((row["instruction"], row["output"]) for row in rows), items=items)
    # The next best of the other rows has a score of 0.937 and other names and numbers.
    assert set(found) == {at for at, text in enumerate(plain) if text in known}
    assert len(found) == 1055
