import numpy as np
import pyarrow as pa

from pipeline.leaks import find_leaks
from pipeline.prompts import Prompts, raw_prompts


def chunked(*texts: str) -> pa.ChunkedArray:
    return pa.chunked_array([list(texts)])


def leaks_of(texts, groups, sides, **options):
    return find_leaks(Prompts.of([texts]), groups, np.array(sides, np.int8), 0.85, **options)


def test_of_two_look_alikes_the_one_on_the_lesser_side_goes():
    texts = chunked("explain how self-driving cars work", "Explain how self-driving cars work.", "name a river")
    leaks = leaks_of(texts, chunked("a", "b", "c"), [0, 2, 0])
    assert leaks.partner.tolist() == [1, -1, -1]
    assert leaks.score[0] > 0.85
    assert leaks.sentence(0) == "differs only in case, punctuation or spacing"


def test_look_alikes_on_one_side_stay():
    texts = chunked("explain how self-driving cars work", "Explain how self-driving cars work.")
    leaks = leaks_of(texts, chunked("a", "b"), [1, 1])
    assert leaks.partner.tolist() == [-1, -1]


def test_another_number_is_another_question():
    texts = chunked("calculate the sum of 2 and 2 and 3", "calculate the sum of 2 and 2 and 8")
    leaks = leaks_of(texts, chunked("a", "b"), [0, 2])
    assert leaks.partner.tolist() == [-1, -1]


def test_a_group_on_two_sides_loses_its_lesser_members():
    texts = chunked("a river", "a mountain", "a lake")
    leaks = leaks_of(texts, chunked("g", "g", "g"), [0, 2, 1])
    assert leaks.partner.tolist() == [1, -1, 1]
    assert [leaks.sentence(row) for row in leaks.rows] == ["same group", "same group"]


def test_a_leak_is_found_among_a_thousand_rows_of_its_own_side():
    same = ["please open the door now"] * 1000
    texts = chunked(*same, "Please open the door now")
    leaks = leaks_of(texts, chunked(*map(str, range(1001))), [0] * 1000 + [2])
    assert (leaks.partner[:1000] == 1000).all()
    assert leaks.sentence(0) == "the same prompt"


def test_a_row_that_is_out_neither_leaks_nor_makes_leak():
    texts = chunked("open the door", "open the door", "open the door")
    gone = np.array([False, False, True])
    assert leaks_of(texts, chunked("a", "b", "b"), [0, 0, 2], gone=gone).rows.tolist() == []
    assert leaks_of(texts, chunked("a", "b", "b"), [0, 2, 0], gone=gone).rows.tolist() == [0]


def test_of_equal_partners_the_one_of_smallest_rank_is_named():
    texts = chunked("open the door", "open the door", "open the door")
    leaks = leaks_of(texts, chunked("a", "b", "c"), [0, 2, 2], rank=np.array([5, 9, 7], np.uint64))
    assert leaks.partner.tolist() == [2, -1, -1]


def test_rows_without_a_prompt_do_not_resemble_each_other():
    assert leaks_of(chunked("", ""), chunked("a", "b"), [0, 2]).rows.tolist() == []


def test_an_equal_prompt_leaks_however_its_template_cuts_it_into_fields():
    fields = [chunked("Translate into German:", "Translate into German: bread"), chunked("bread", "")]
    assert find_leaks(Prompts.of(fields), chunked("a", "b"), np.array([0, 2], np.int8), 0.85).partner.tolist() == [
        1,
        -1,
    ]


def test_a_look_alike_is_found_beside_the_same_text_cut_into_other_fields():
    """Rows 0 and 1 are equal as a whole; only row 1 has the fields that row 2 resembles."""
    fields = [
        chunked("Translate this into German: good bread", "Translate this into German:", "Translate this into German:"),
        chunked("", "good bread", "Good bread."),
    ]
    leaks = find_leaks(Prompts.of(fields), chunked("a", "b", "c"), np.array([0, 0, 2], np.int8), 0.85)
    assert leaks.partner.tolist() == [-1, 2, -1]


def test_a_long_passage_shared_with_another_question_is_no_leak():
    passage = "The harbour of Lund opened a second pier on Monday after two years of work. " * 4
    fields = [chunked(passage, passage), chunked("When did it open?", "Where is it?")]
    leaks = find_leaks(Prompts.of(fields), chunked("a", "b"), np.array([0, 2], np.int8), 0.85)
    assert leaks.partner.tolist() == [-1, -1]
    same = [fields[0], chunked("When did it open?", "when did it open")]
    assert find_leaks(Prompts.of(same), chunked("a", "b"), np.array([0, 2], np.int8), 0.85).partner.tolist() == [1, -1]


def test_the_prompt_side_is_the_prompt_fields_or_the_user_turns():
    turn = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "bye"},
    ]
    batch = pa.record_batch(
        {
            "template": ["qa", "chat", "qa"],
            "fields": [
                [{"name": "answer", "value": "42"}, {"name": "question", "value": "why?"}],
                [],
                [{"name": "question", "value": "who?"}],
            ],
            "turns": pa.array([[], turn, []], pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        }
    )
    (texts,) = raw_prompts(batch, {"qa": ["question"], "chat": []})
    assert texts.to_pylist() == ["why?", "hi\nbye", "who?"]


def test_a_prompt_leaks_whatever_field_its_template_has_it_in():
    first = chunked("Name a river in Peru.", "", "open the door", "a lake")
    second = chunked("", "name a river in peru", "in Rome", "")
    leaks = find_leaks(Prompts.of([first, second]), chunked("a", "b", "c", "d"), np.array([0, 2, 0, 2], np.int8), 0.85)
    assert leaks.partner.tolist() == [1, -1, -1, -1]


def test_fields_in_one_and_in_two_are_one_prompt():
    first = chunked("Translate. Good day", "Translate.", "Good day")
    second = chunked("", "Good day", "Translate.")
    leaks = find_leaks(Prompts.of([first, second]), chunked("a", "b", "c"), np.array([0, 2, 2], np.int8), 0.99)
    assert leaks.partner.tolist() == [1, -1, -1]
    assert leaks.sentence(0) == "the same prompt"
