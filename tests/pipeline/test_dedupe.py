import json
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.annotations import add_annotations
from pipeline.dedupe import Dedupe
from pipeline.digest import value_digest
from pipeline.snapshot import PartWriter, Snapshot
from pipeline.stage import Inputs, Place, Slice
from schemas import Annotation, ConfigError, Ingested, Manifest, Seen, Template, arrow_schema

# Two tasks with one template each, one more template of the first task, and chat.
SIDES = {
    "ask": [["question", "prompt"], ["context", "prompt"], ["answer", "response"]],
    "ask-again": [["question", "prompt"], ["answer", "response"]],
    "sum": [["document", "prompt"], ["answer", "response"]],
    "chat": [],
}
TASKS = {"ask": "qa", "ask-again": "qa", "sum": "summarize", "chat": "chat"}
# 103 characters: long enough not to be the same by accident.
STORY = "Because the wheels keep turning, a bicycle corrects every small fall by steering into it again and again."


@dataclass
class Done:
    kept: dict[str, dict]
    dropped: dict[str, dict]
    counts: dict[str, int]
    notes: dict[str, object]

    def reasons(self):
        return {origin: row["reason"] for origin, row in self.dropped.items()}


def row(n, question="", answer="", *, template="ask", source="first", marks=(), turns=(), row_id=None, **fields):
    fields = {"question": question, "answer": answer, **fields} if template.startswith("ask") else {
        "answer": answer, **fields} if template == "sum" else {}  # fmt: skip
    named = [{"name": name, "value": value} for name, value in sorted(fields.items())]
    turns = [
        {"role": role, "content": content, "name": None, "tool_calls": None, "tool_call_id": None, "weight": None}
        for role, content in turns
    ]
    return {
        "id": row_id or value_digest([template, named, [[turn["role"], turn["content"]] for turn in turns]]),
        "source": source,
        "origin": f"{source}.jsonl:{n}",
        "task": TASKS[template],
        "template": template,
        "fields": named,
        "turns": turns,
        "license": None,
        "meta": "{}",
        "marks": list(marks),
    }


def snapshot(folder, rows, part_rows):
    schema, files = arrow_schema(Ingested), []
    for start in range(0, max(len(rows), 1), part_rows):
        writer = PartWriter(folder / f"part-{len(files):05d}.parquet", schema)
        writer.write(pa.RecordBatch.from_pylist(rows[start : start + part_rows], schema))
        files.append(writer.close())
    columns = {field.name: str(field.type) for field in schema}
    return Snapshot(folder, Manifest(stage="ingest", version="0", rows=len(rows), columns=columns, files=files))


def dedupe(
    rows,
    *,
    sources=("first", "second"),
    annotated=(),
    documents=None,
    benchmark=None,
    part_rows=1000,
    cache=None,
    turned_down=(),
    **setting,
):
    with TemporaryDirectory() as name:
        folder = Path(name)
        parent = snapshot(folder, rows, part_rows)
        files = {}
        if benchmark is not None:
            (folder / "quiz.jsonl").write_text("".join(json.dumps(item) + "\n" for item in benchmark), "utf-8")
            files, setting = {"quiz.jsonl": folder / "quiz.jsonl"}, setting | {"benchmarks": ["quiz.jsonl"]}
        stage = Dedupe(**setting)
        values = {
            "annotated": sorted(annotated), "sources": list(sources), "sides": SIDES, "documents": documents or {},
            "turned_down": sorted(turned_down),
        }  # fmt: skip
        inputs = Inputs(files, values)
        state = stage.prepare({"ingest": parent}, inputs, folder, cache)
        with pa.memory_map(str(state.rows)) as file:
            learnt = pa.ipc.open_file(file).read_all().combine_chunks()
            kept, dropped, start = [], [], 0
            for batch in parent.batches():
                beside = learnt.slice(start, batch.num_rows).combine_chunks().to_batches()
                start += batch.num_rows
                if beside:
                    mapped = stage.map(batch, Slice(beside[0], {}, inputs))
                    kept += mapped.kept.to_pylist()
                    dropped += mapped.dropped.to_pylist()
    assert len(kept) + len(dropped) == len(rows)
    by_place = [{(one["template"], one["origin"]): one for one in side} for side in (kept, dropped)]
    several = len({one["template"] for one in rows}) > 1
    named = [{" ".join(key) if several else key[1]: one for key, one in side.items()} for side in by_place]
    return Done(*named, dict(state.counts), dict(state.notes))


def test_a_row_with_the_same_prompt_and_response_goes_and_names_its_partner():
    first = row(1, "Name a fruit.", "Apple")
    done = dedupe([first, row(2, "name a  FRUIT.", "apple")])

    gone = done.dropped["first.jsonl:2"]
    assert list(done.kept) == ["first.jsonl:1"]
    assert (gone["reason"], gone["detail"], gone["score"]) == ("exact_duplicate", "same prompt and response", 1.0)
    assert (gone["partner_id"], gone["partner_origin"]) == (first["id"], "first.jsonl:1")
    assert done.counts == {"clusters": 1, "conflict": 0, "boilerplate": 0}


def test_a_near_duplicate_goes_with_its_score_and_a_sentence_that_says_what_differs():
    done = dedupe([
        row(1, "explain how self-driving cars work.", "They use sensors."),
        row(2, "explain how a self-driving car works.", "They use sensors"),
    ])  # fmt: skip

    (gone,) = done.dropped.values()
    assert gone["reason"] == "near_duplicate"
    assert gone["detail"] in (
        "the prompt differs in 'car' / 'cars', 'work' / 'works'; "
        "the response differs only in case, punctuation or spacing",
    )
    # Of 35 + 37 characters 4 differ in the prompt, of 17 + 16 one in the response: the lower score counts.
    assert gone["score"] == pytest.approx(1 - 4 / 72)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("calculate the sum of 2+2", "calculate the sum of 8+5"),
        ("name two causes of the American Revolutionary War", "state the cause of the American Revolutionary War"),
        ("sort the list in ascending order", "sort the list in descending order"),
        (
            "find the most common noun in this passage. The rain came down all night and the river rose.",
            "describe the style of writing in this passage. The rain came down all night and the river rose.",
        ),
        ("Is the shop open on Monday or is it not open?", "Is the shop open on Sunday or is it not open?"),
        ("你好，请介绍一下北京的历史和文化", "你好，请介绍一下南京的历史和文化"),
        ("😀", "😢"),
        ("a", "b"),
    ],
)
@pytest.mark.parametrize("near", [0.5, 0.9])
def test_prompts_that_ask_for_something_else_stay_apart(one, other, near):
    done = dedupe([row(1, one, "the same answer"), row(2, other, "the same answer")], near=near)

    assert not done.dropped
    assert done.kept["first.jsonl:1"]["group"] != done.kept["first.jsonl:2"]["group"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("你好，请介绍一下北京的历史！", "你好 请介绍一下北京的历史"),
        ("Étude de l'été", "ÉTUDE de l'e\u0301te\u0301"),
        ("😀", " 😀 "),
        ("a", "A"),
        ("a\0b", "A\0b"),
    ],
)
def test_prompts_in_every_script_are_the_same_when_only_their_form_differs(one, other):
    assert len(dedupe([row(1, one, "x"), row(2, other, "x")], near=0.5).dropped) == 1


def test_an_answer_that_differs_in_a_full_stop_alone_is_the_same_answer_however_short():
    done = dedupe(
        [
            row(1, "Is snow white?", "Yes."),
            row(2, "Is snow white?", "yes"),
            row(3, "Is it?", "?"),
            row(4, "Is it?", "!"),
        ]
    )

    (gone,) = done.dropped.values()
    assert gone["detail"] == "the response differs only in case, punctuation or spacing"
    assert gone["score"] == pytest.approx(1 - 1 / 7)  # "yes." and "yes"
    assert done.kept["first.jsonl:3"]["marks"] == ["conflict"]  # bare marks may be answers


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\w+\d", r"\W+\D"),
        ("SGVsbG8h", "SgVsbG8h"),
        ("if rain:\n    stay(1)\n    sleep(2)", "if rain:\n    stay(1)\nsleep(2)"),
    ],
)
def test_code_that_differs_in_capitals_or_indents_is_another_answer(one, other):
    done = dedupe([row(1, "Which one is it?", one), row(2, "Which one is it?", other), row(3, "Which is it?", one)])

    assert not done.dropped
    assert done.kept["first.jsonl:1"]["marks"] == done.kept["first.jsonl:2"]["marks"] == ["conflict"]
    assert dedupe([row(1, f"Explain {one}", "Yes."), row(2, f"Explain {other}", "Yes.")]).dropped == {}
    same = dedupe([row(1, f"Explain this: {one}", "Yes."), row(2, f"explain  this: {one} ", "yes.")])
    assert [*same.reasons().values()] == ["near_duplicate"]


def test_the_same_prompt_with_another_response_stays_is_marked_and_shares_a_group():
    done = dedupe(
        [row(1, "How many legs?", "six", marks=["mojibake"]), row(2, "how many legs", "eight"), row(3, "x", "y")]
    )

    assert not done.dropped
    assert done.kept["first.jsonl:1"]["marks"] == ["mojibake", "conflict"]
    assert done.kept["first.jsonl:2"]["marks"] == ["conflict"]
    assert done.kept["first.jsonl:3"]["marks"] == []
    groups = [done.kept[f"first.jsonl:{n}"]["group"] for n in (1, 2, 3)]
    assert groups[0] == groups[1] == min(done.kept[f"first.jsonl:{n}"]["id"] for n in (1, 2))
    assert groups[2] == done.kept["first.jsonl:3"]["id"]
    assert done.counts["conflict"] == 2


def test_a_mark_that_is_there_already_is_not_set_twice():
    done = dedupe([row(1, "How many legs?", "six", marks=["conflict"]), row(2, "How many legs?", "eight")])

    assert done.kept["first.jsonl:1"]["marks"] == ["conflict"]


def test_two_answers_of_one_source_row_are_no_conflict():
    done = dedupe([row(1, "How many legs?", "six"), row(1, "How many legs?", "eight", template="ask-again")])

    assert all(one["marks"] == [] for one in done.kept.values())


def test_a_long_response_under_different_prompts_is_marked_boilerplate_and_a_short_one_is_not():
    done = dedupe([
        row(1, "Why does a bicycle stay up?", STORY), row(2, "What is a gyroscope?", STORY),
        row(3, "Is snow white?", "yes"), row(4, "Is water wet?", "yes"),
    ])  # fmt: skip

    assert not done.dropped
    assert [done.kept[f"first.jsonl:{n}"]["marks"] for n in (1, 2, 3, 4)] == [["boilerplate"], ["boilerplate"], [], []]


def test_every_prompt_field_must_be_the_same():
    text = "The harbour of the old town lies under a steep hill and boats come home with fish."
    done = dedupe([
        row(1, "Name the noun.", "hill", context=text),
        row(2, "Name the verb.", "hill", context=text),
        row(3, "name the noun", "hill", context=text.replace("a steep", "steep")),
        row(4, "name the noun", "hill"),  # has no context
    ])  # fmt: skip

    assert done.reasons() == {"first.jsonl:3": "near_duplicate"}
    assert done.dropped["first.jsonl:3"]["partner_origin"] == "first.jsonl:1"


def test_rows_of_different_tasks_are_not_compared():
    rows = [row(1, "some text here", "x"), row(2, answer="x", template="sum", document="some text here")]

    assert not dedupe(rows).dropped


SLIPS = [("kitchen", "kithen"), ("problem", "probem"), ("company", "comany"), ("example", "exaple")]


def with_slips(n):
    """Four words in 60 letters, the first n of them with a letter missing; not told from their words alone."""
    words = [wrong if at < n else right for at, (right, wrong) in enumerate(SLIPS)]
    return f"how do the {words[0]} the {words[1]} the {words[2]} the {words[3]} look"


def test_a_chain_of_near_rows_does_not_merge_its_ends():
    # Each differs from the next by one of some 60 letters, a score of 0.99; the first from the last by 4: 0.965.
    done = dedupe([row(n, with_slips(n), "fine") for n in range(5)], near=0.98)

    for gone in done.dropped.values():
        assert gone["partner_origin"] in done.kept
        assert gone["score"] >= 0.98
    assert 2 <= len(done.kept) < 5
    assert len({one["group"] for one in done.kept.values()}) == 1


def test_forms_of_the_same_words_need_no_score():
    # 4 of 85 letters differ: a score of 0.953.
    rows = [
        row(1, "how do the cat the dog the cow the pig eat", "hay"),
        row(2, "how do the cats the dogs the cows the pigs eat", "hay"),
    ]
    done = dedupe(rows, near=0.99)

    assert done.reasons() in ({"first.jsonl:1": "near_duplicate"}, {"first.jsonl:2": "near_duplicate"})


def test_a_contraction_is_what_it_stands_for():
    rows = [row(1, "What's a cow?", "An animal."), row(2, "What is a cow?", "An animal.")]

    assert [*dedupe(rows).reasons().values()] == ["near_duplicate"]
    assert not dedupe([row(1, "I can't swim, why?", "Ask."), row(2, "I can swim, why?", "Ask.")]).dropped


def test_the_reviewed_row_stays():
    reviewed = row(2, "name a fruit", "apple")
    done = dedupe([row(1, "Name a fruit!", "Apple."), reviewed], annotated=[reviewed["id"]])

    assert list(done.kept) == ["first.jsonl:2"]


@pytest.mark.parametrize("sources", [("first", "second"), ("second", "first")])
def test_the_row_of_the_source_that_stands_first_in_the_recipe_stays(sources):
    rows = [row(1, "Name a fruit.", "Apple"), row(1, "name a fruit", "apple", source="second")]

    assert list(dedupe(rows, sources=sources).kept) == [f"{sources[0]}.jsonl:1"]


def test_of_equal_rows_the_one_on_the_first_line_stays():
    assert list(dedupe([row(n, "Name a fruit.", "Apple") for n in (10, 9, 100)]).kept) == ["first.jsonl:9"]


def test_a_row_without_response_goes_where_the_prompt_is_answered_and_not_otherwise():
    rows = [
        row(1, "Name a fruit."), row(2, "name a fruit.", "Apple"), row(3, "name fruit"),
        row(4, "Name a stone."), row(5, "Name the  stone."),
    ]  # fmt: skip
    done = dedupe(rows, near=0.8)

    assert done.reasons() == {
        "first.jsonl:1": "exact_duplicate", "first.jsonl:3": "near_duplicate", "first.jsonl:5": "near_duplicate",
    } or done.reasons() == {
        "first.jsonl:1": "exact_duplicate", "first.jsonl:3": "near_duplicate", "first.jsonl:4": "near_duplicate",
    }  # fmt: skip
    assert done.dropped["first.jsonl:1"]["detail"] == "same prompt, and this row has no response"
    assert done.kept["first.jsonl:2"]["marks"] == []  # no response is no conflict


def test_a_row_without_response_waits_again_when_people_have_rejected_its_draft():
    asked, drafted = row(1, "Name a fruit."), row(1, "Name a fruit.", "Stone", source="second", marks=["synthetic"])
    assert dedupe([asked, drafted]).reasons() == {"first.jsonl:1": "exact_duplicate"}
    done = dedupe([asked, drafted], annotated=[drafted["id"]], turned_down=[drafted["id"]])
    assert done.reasons() == {}
    assert done.kept["first.jsonl:1"]["marks"] == []  # no conflict: it has no response


def test_several_rows_without_response_all_go_to_the_answered_one():
    done = dedupe([row(1, "Name a fruit."), row(2, "Name a fruit."), row(3, "Name a fruit.", "Apple")])

    assert {(one["partner_origin"], one["detail"]) for one in done.dropped.values()} == {
        ("first.jsonl:3", "same prompt, and this row has no response")
    }


def test_rows_without_response_that_only_a_chain_joins_to_an_answer_are_duplicates_of_each_other():
    rows = [row(n + 1, with_slips(n), f"answer number {n}") for n in range(3)]
    # The best answered row of the chain is the first: its source comes first.
    rows[1:] = [one | {"source": "second"} for one in rows[1:]]
    done = dedupe([*rows, row(4, with_slips(3)), row(5, with_slips(3))], near=0.98)

    assert done.reasons() == {"first.jsonl:5": "exact_duplicate"}
    assert done.dropped["first.jsonl:5"]["partner_origin"] == "first.jsonl:4"


def test_a_row_without_response_stays_when_people_have_answered_it():
    waiting = row(1, "Name a fruit.")
    done = dedupe([waiting, row(2, "Name a fruit.", "Apple")], annotated=[waiting["id"]])

    assert not done.dropped


def test_rows_without_prompt_are_no_cluster():
    done = dedupe([row(n, blank, STORY) for n, blank in enumerate(["", " ", "\n\t", "\u3000"])])

    assert not done.dropped
    assert len({one["group"] for one in done.kept.values()}) == 4


def test_rows_with_one_id_are_duplicates_whatever_they_say():
    done = dedupe([row(1, "Old text", "x", row_id="a" * 32), row(2, "New text", "y", row_id="a" * 32)])

    (gone,) = done.dropped.values()
    assert (gone["reason"], gone["detail"], gone["partner_id"]) == ("exact_duplicate", "same id", "a" * 32)


def test_one_source_row_under_two_templates_is_no_duplicate_of_itself_and_one_group():
    rows = [row(n, "Name a fruit.", "Apple", template=template) for n in (1, 2) for template in ("ask", "ask-again")]
    done = dedupe(rows)

    assert sorted(done.kept) == ["ask first.jsonl:1", "ask-again first.jsonl:1"]
    assert len({one["group"] for one in done.kept.values()}) == 1
    # Each dropped row names the partner people would see in its place: the one with its own template.
    assert {one["template"]: one["partner_id"] for one in done.dropped.values()} == {
        one["template"]: one["id"] for one in done.kept.values()
    }


def test_one_source_row_under_templates_of_two_tasks_is_one_group_and_no_boilerplate():
    done = dedupe([row(1, "Why does it not fall?", STORY), row(1, answer=STORY, template="sum", document="Long text.")])

    assert len({one["group"] for one in done.kept.values()}) == 1
    two = dedupe([row(1, "Why does it not fall?", STORY), row(1, "What keeps it up?", STORY, template="ask-again")])
    assert [one["marks"] for one in two.kept.values()] == [[], []]


def test_rows_that_share_a_document_or_a_first_turn_are_one_group():
    rows = [
        row(1, "Who came?", "Ann", context="Ann [2] came."), row(2, "Who left?", "Ann", context="ANN [2]  came."),
        row(3, "Who came?", "Bob", context="Bob came."),
        row(4, answer="Ann came.", template="sum", document="Ann [2] came."),
        row(5, template="chat", turns=[("user", "Hello there"), ("assistant", "Hi"), ("user", "Bye")]),
        row(6, template="chat", turns=[("user", "hello there"), ("assistant", "Yes?"), ("user", "Help")]),
    ]  # fmt: skip
    done = dedupe(rows, documents={"ask": ["context"], "sum": ["document"]})
    group = {int(key.rsplit(":", 1)[1]): one["group"] for key, one in done.kept.items()}

    assert not done.dropped
    assert group[1] == group[2] == group[4]
    assert group[5] == group[6]
    assert len(set(group.values())) == 3


def test_equal_prompts_are_one_group_whatever_the_task_and_the_fields_names():
    rows = [
        row(1, "Who [now] came?", "Ann"),
        row(2, template="chat", turns=[("user", "who [NOW] came?"), ("assistant", "Bob"), ("user", "And then?")]),
        row(3, answer="They ask for a name.", template="sum", document="Who [now]  came?"),
        row(4, "Who [now] came?", "Ann", context="Ann came."),
    ]
    group = [one["group"] for one in dedupe(rows).kept.values()]

    assert group[0] == group[1] == group[2] != group[3]


def test_a_conversation_is_its_user_turns_and_its_assistant_turns():
    first = [
        ("system", "Be kind."),
        ("user", "Hello there"),
        ("assistant", "Hi."),
        ("user", "Bye"),
        ("assistant", "Bye."),
    ]
    same = [("user", "hello there!"), ("assistant", "hi"), ("user", "bye"), ("assistant", "bye")]
    other = [("user", "Hello there"), ("assistant", "Hi."), ("user", "Sing"), ("assistant", "Bye.")]
    done = dedupe([row(n, template="chat", turns=turns) for n, turns in enumerate((first, same, other))], near=0.8)

    assert done.reasons() == {"first.jsonl:1": "near_duplicate"}


def test_a_conversation_that_waits_for_its_answer_goes_where_it_has_one_and_is_no_conflict():
    before = [("user", "Hi"), ("assistant", "Welcome!"), ("user", "What is on the third floor?")]
    waits, done = row(1, template="chat", turns=before), [*before, ("assistant", "The kitchen.")]
    found = dedupe([waits, row(2, template="chat", turns=done)])
    assert found.reasons() == {"first.jsonl:1": "exact_duplicate"}
    assert found.kept["first.jsonl:2"]["marks"] == []
    assert dedupe([waits]).reasons() == {}


def test_conversations_that_call_different_tools_have_different_responses():
    rows = [row(n, template="chat", turns=[("user", "Is it warm?"), ("assistant", "")]) for n in (1, 2)]
    rows[0]["turns"][1]["tool_calls"] = '[{"name": "weather", "arguments": {}}]'
    rows[1]["turns"][1]["tool_calls"] = '[{"name": "heating", "arguments": {}}]'
    rows[1]["id"] = "b" * 32

    assert not dedupe(rows).dropped


def test_a_few_words_of_a_long_prompt_may_differ_under_an_equal_long_response():
    text = "The harbour of the old town lies under a steep hill and the boats come home with fresh fish. " * 5
    other = text.replace("fresh", "good", 1)

    done = dedupe([row(1, text, STORY), row(2, other, STORY)])
    assert done.reasons() == {"first.jsonl:2": "near_duplicate"} or done.reasons() == {
        "first.jsonl:1": "near_duplicate"
    }
    assert next(iter(done.dropped.values()))["detail"] == "the prompt differs in 1 of some 95 words"
    assert not dedupe([row(1, text, "yes"), row(2, other, "yes")]).dropped  # "yes" may be equal by accident
    assert not dedupe([row(1, text, STORY), row(2, text.replace("old", "9", 1), STORY)]).dropped


def test_rows_that_repeat_a_benchmark_go_with_their_duplicates_and_name_the_item():
    rows = [
        row(1, "What is 6 times 7?", "42"), row(2, "what is 6 times 7", "forty-two"),  # equal, and near
        row(3, "What is 6 times 8?", "48"),
        row(4, "Which of them?", "b", context="Pick the tallest tree of the three in the picture below."),
        row(5, template="chat", turns=[("user", "Write a poem."), ("assistant", "Roses"), ("user", "Longer")]),
        row(6, "What is 6 times 7?", "42"),
    ]  # fmt: skip
    quiz = [
        {"question": "What is 6 times 7?"}, {"question": "Which of them?\nPick the tallest tree of the three in the picture below."},
        {"turns": ["Write a poem.", "In French."]},
    ]  # fmt: skip
    done = dedupe(rows, benchmark=quiz)

    assert set(done.kept) == {"ask first.jsonl:3"}
    assert {one["reason"] for one in done.dropped.values()} == {"benchmark"}
    first = done.dropped["ask first.jsonl:1"]
    assert first["detail"] == "the prompt equals item 1 of quiz.jsonl"
    assert (first["partner_id"], first["partner_origin"], first["score"]) == (None, "quiz.jsonl:1", 1.0)
    assert done.dropped["ask first.jsonl:2"]["detail"] == "the prompt says the same as item 1 of quiz.jsonl"
    assert done.dropped["ask first.jsonl:4"]["partner_origin"] == "quiz.jsonl:2"  # fields joined
    assert done.dropped["chat first.jsonl:5"]["partner_origin"] == "quiz.jsonl:3"  # the first turn


def test_a_duplicate_of_a_row_that_repeats_a_benchmark_says_so():
    # The second is too far from the item, and near to the first.
    rows = [row(1, "how do the cats the dog eat", "x"), row(2, "how do the cats the dogs eat it", "y")]
    done = dedupe(
        [*rows, row(3, "how do the cats the dogs eat", "z")],
        benchmark=[{"question": "how do the cat the dog eat"}],
        near=0.97,
    )

    assert done.dropped["first.jsonl:3"]["detail"] == (
        "duplicate of first.jsonl:1, of which the prompt says the same as item 1 of quiz.jsonl"
    )
    assert set(done.kept) == {"first.jsonl:2"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a", "b"),
        ("?", "!"),
        ("\0", "\0\0"),
        ("\u0301", "\u0308"),  # lone combining characters
        ("\U0001f600", "\U0001f603"),
        ("\U0001f44d\U0001f3fb", "\U0001f44d\U0001f3ff"),  # skin tones
        ("\u200b", "\u200b\u200b"),
        ("一", "二"),
    ],
)
def test_short_and_strange_prompts_are_duplicates_of_their_equals_alone(one, other):
    rows = [row(1, one, "yes, it is"), row(2, other, "yes, it is"), row(3, one, "yes, it is")]

    assert dedupe(rows).reasons() == {"first.jsonl:3": "exact_duplicate"}


def test_two_thousand_equal_rows_leave_one():
    done = dedupe([row(n, "Name a fruit.", "Apple") for n in range(1, 2001)], part_rows=700)

    assert list(done.kept) == ["first.jsonl:1"]
    assert Counter(done.reasons().values()) == {"exact_duplicate": 1999}


def test_five_thousand_rows_of_one_template_stay_apart():
    words = [
        a + b
        for a in ["amber", "birch", "cedar", "delta", "fjord", "grove", "heath", "inlet", "jetty", "kiosk"]
        for b in "bdfgklm"
    ]
    pairs = [(a, b) for a in words for b in words if a != b]
    rows = [
        row(n, f"Write one short sentence with the words {a} and {b} for a child.", f"{a}, {b}")
        for n, (a, b) in enumerate(random.Random(1).choices(pairs, k=5000))
    ]  # fmt: skip
    distinct = len({one["fields"][1]["value"] for one in rows})
    done = dedupe(rows)

    assert len(done.kept) == distinct < 5000
    assert set(done.reasons().values()) == {"exact_duplicate"}


def test_a_text_of_a_megabyte_and_its_near_twin_are_one():
    text = "The boats of the old harbour come home. " * 25_000

    assert len(dedupe([row(1, text, "x"), row(2, text + "It rains.", "x"), row(3, text + "!", "x")]).dropped) == 1


def test_nothing_comes_of_nothing():
    done = dedupe([])

    assert (done.kept, done.dropped) == ({}, {})


def test_with_near_at_one_only_equal_texts_are_duplicates():
    rows = [row(1, "Name a fruit.", "Apple"), row(2, "name a fruit", "apple"), row(3, "NAME A FRUIT.", "apple")]

    assert dedupe(rows, near=1).reasons() == {"first.jsonl:3": "exact_duplicate"}


PROMPTS = st.sampled_from([
    "", " ", "How do cars work?", "how do the cars work", "How does a car work?", "How do 2 cars work?", "😀", "a",
    "Which car is the best of all the cars?", "Which car is the best of all cars?", "Which car is the worst of all cars?",
])  # fmt: skip
ANSWERS = st.sampled_from(["", "They burn fuel.", "they burn  fuel", "No idea.", STORY, STORY + "!"])
ROWS = st.lists(st.tuples(PROMPTS, ANSWERS, st.sampled_from(["first", "second"])), max_size=12)


def made(drawn):
    return [row(n, prompt, answer, source=source) for n, (prompt, answer, source) in enumerate(drawn)]


@settings(max_examples=60, deadline=None)
@given(ROWS, st.randoms(use_true_random=False), st.integers(1, 5))
def test_order_and_parts_change_nothing(drawn, draw, part_rows):
    rows = made(drawn)
    done = dedupe(rows, near=0.8)
    shuffled = draw.sample(rows, len(rows))
    again = dedupe(shuffled, near=0.8, part_rows=part_rows)

    assert again.kept == done.kept
    assert again.reasons() == done.reasons()
    assert {origin: one["partner_origin"] for origin, one in again.dropped.items()} == {
        origin: one["partner_origin"] for origin, one in done.dropped.items()
    }


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_dedupe_finds_nothing_in_its_own_output_and_partners_stay(drawn):
    rows = made(drawn)
    done = dedupe(rows, near=0.8)
    left = [one for one in rows if one["origin"] in done.kept]

    assert not dedupe(left, near=0.8).dropped
    for gone in done.dropped.values():
        assert gone["partner_origin"] in done.kept
        assert 0.8 <= gone["score"] <= 1


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 60), st.integers(1, 5))
def test_a_run_on_more_rows_that_knows_the_earlier_one_equals_a_run_from_scratch(drawn, n_old, part_rows):
    rows = made(drawn)
    n_old = n_old // part_rows * part_rows  # whole parts, so that old ones are met again
    with TemporaryDirectory() as name:
        cache = Path(name) / "tiny"
        for some in (rows[:n_old], rows):
            done = dedupe(some, near=0.8, part_rows=part_rows, cache=cache)

    alone = dedupe(rows, near=0.8)
    assert (done.kept, done.dropped, done.counts) == (alone.kept, alone.dropped, alone.counts)


def test_only_new_parts_and_their_texts_are_looked_at_again(tmp_path):
    rows = [row(n, f"What is a {word}?", word) for n, word in enumerate(["cat", "dog", "owl", "cat", "emu"])]
    first = dedupe(rows[:4], part_rows=2, cache=tmp_path / "tiny")
    again = dedupe(rows, part_rows=2, cache=tmp_path / "tiny")

    assert first.notes == {"index": {"parts_built": 2, "new_texts": 3, "from_scratch": "it is not there"}}
    assert again.notes == {"index": {"parts_built": 1, "new_texts": 1, "asked_again": 0}}


def test_a_source_that_is_gone_leaves_nothing_behind(tmp_path):
    rows = [row(1, "What is a cat?", "An animal."), row(2, "what is a cat", "An animal"), row(3, "Why?", "Because.")]
    dedupe(rows, part_rows=1, cache=tmp_path / "tiny")
    fewer = dedupe(rows[1:], part_rows=1, cache=tmp_path / "tiny")

    assert not fewer.dropped
    assert fewer.notes["index"]["from_scratch"] == "some texts have gone"


@pytest.mark.parametrize("fault", ["cut", "flip", "foreign", "garbage"])
def test_a_damaged_or_foreign_index_is_built_anew_and_said(tmp_path, fault):
    rows = [row(1, "What is a cat?", "An animal."), row(2, "what is a cat", "An animal")]
    whole = dedupe(rows, cache=tmp_path / "tiny")
    for path in [*tmp_path.rglob("*.arrays"), *tmp_path.rglob("*.head")]:
        data = path.read_bytes()
        if path.suffix == ".arrays" and fault in ("cut", "flip"):
            path.write_bytes(data[: len(data) // 2] if fault == "cut" else bytes([data[0] ^ 1]) + data[1:])
        elif path.suffix == ".head" and fault in ("foreign", "garbage"):
            path.write_bytes(data.replace(b'"made_by": "', b'"made_by": "x') if fault == "foreign" else b"\0")
    again = dedupe(rows, cache=tmp_path / "tiny")

    assert (again.kept, again.dropped) == (whole.kept, whole.dropped)
    assert again.notes["index"]["parts_built"] == 1
    (said,) = again.notes["index_rebuilt"]
    assert {"cut": "bytes instead of", "flip": "damaged", "foreign": "other code", "garbage": "header"}[fault] in said


def test_segments_of_two_parts_that_changed_places_are_built_anew_and_said(tmp_path):
    rows = [row(1, "What is a cat?", "An animal."), row(2, "Name a fruit.", "Apple")]
    whole = dedupe(rows, cache=tmp_path / "tiny", part_rows=1)
    for suffix in (".arrays", ".head"):
        one, other = sorted((tmp_path / "segments").glob(f"*{suffix}"))
        kept = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(kept)
    again = dedupe(rows, cache=tmp_path / "tiny", part_rows=1)

    assert (again.kept, again.dropped) == (whole.kept, whole.dropped)
    assert all(said.endswith("it was made from another part") for said in again.notes["index_rebuilt"])
    assert again.notes["index"]["parts_built"] == 2


def test_a_field_that_changes_sides_makes_its_segments_anew(tmp_path, monkeypatch):
    rows = [row(1, "What is a cat?", "An animal.", context="Zoo"), row(2, "What is a cat?", "A pet.", context="Zoo")]
    dedupe(rows, cache=tmp_path / "tiny")
    monkeypatch.setitem(SIDES, "ask", [["question", "prompt"], ["answer", "prompt"], ["context", "response"]])
    again = dedupe(rows, cache=tmp_path / "tiny")

    assert again.counts["conflict"] == 0  # other prompts now
    assert "stand on other sides" in again.notes["index_rebuilt"][0]


def test_rows_that_ask_what_a_protected_source_asks_go_whatever_they_answer():
    rows = [
        row(1, "Name a fruit.", "Apple"),
        row(2, "What is a cat?", "An animal."),
        row(1, "name a fruit", "Pear", source="second"),
        row(2, "Name a nut.", "Hazel", source="second"),
        row(3, "name a nut", "Hazel", source="second"),
    ]
    done = dedupe(rows, protect=["second"])

    assert set(done.kept) == {"first.jsonl:2", "second.jsonl:1", "second.jsonl:2"}
    gone = done.dropped["first.jsonl:1"]
    assert (gone["reason"], gone["partner_origin"]) == ("protected", "second.jsonl:1")
    assert gone["detail"] == "the prompt differs only in case, punctuation or spacing, and second is protected"
    assert done.reasons()["second.jsonl:3"] == "near_duplicate"  # among themselves as ever


def test_a_row_of_a_protected_source_is_never_the_one_that_goes():
    rows = [row(1, "Name a fruit.", "Apple"), row(1, "Name a fruit.", "Apple", source="second")]

    assert dedupe(rows, protect=["second"]).reasons() == {"first.jsonl:1": "protected"}
    assert dedupe(rows).reasons() == {"second.jsonl:1": "exact_duplicate"}


def template_of(name, fields):
    review = {"question": "Right?", "error_types": ["wrong"], "guideline": "Be fair."}
    shown = {"prompts": {"plain": "{{ question }}"}, "response": "{{ answer }}"} if fields else {"chat": True}
    return Template.model_validate({
        "name": name, "task": "qa", "about": "Questions.", "license": "CC0-1.0", "metrics": ["exact_match"],
        "review": review, "examples": [{}, {}], "fields": fields, **shown,
    })  # fmt: skip


def place_at(folder, *used):
    fields = {
        "context": {"side": "prompt", "about": "A text.", "document": True, "optional": True},
        "question": {"side": "prompt", "about": "A question."},
        "answer": {"side": "response", "about": "An answer."},
    }
    templates = {"ask": (template_of("ask", fields), folder), "chat": (template_of("chat", {}), folder)}
    return Place(
        recipe="r", root=folder, data_root=folder / "data", templates=templates, sources=("b", "a"),
        used_templates=used, tokenizer=folder, records={},
    )  # fmt: skip


def test_inputs_are_benchmarks_word_lists_reviewed_ids_sources_and_sides_of_templates_in_use(tmp_path):
    (tmp_path / "quiz.jsonl").write_text('{"question": "q"}\n', "utf-8")
    answer = Annotation(
        key="k", example="e" * 32, seen=Seen(prompt=[], response=""), annotator="x", verdict="accept",
        created_at="2026-01-01T00:00:00Z", updated_at="2026-01-01T00:00:00Z",
    )  # fmt: skip
    add_annotations(tmp_path / "data", [answer])
    inputs = Dedupe(benchmarks=["quiz.jsonl"]).inputs(place_at(tmp_path, "ask"))

    assert inputs.files["quiz.jsonl"] == tmp_path / "quiz.jsonl"
    assert "words/en.yaml" in inputs.files
    assert inputs.values == {
        "annotated": ["e" * 32],
        "sources": ["b", "a"],
        "sides": {"ask": [["context", "prompt"], ["question", "prompt"], ["answer", "response"]]},
        "documents": {"ask": ["context"]},
    }


def test_benchmarks_that_are_not_there_are_told_all_at_once_with_the_nearest_name(tmp_path):
    (tmp_path / "quiz.jsonl").write_text("{}\n", "utf-8")

    with pytest.raises(ConfigError) as caught:
        Dedupe(benchmarks=["quizz.jsonl", "no/such.csv"]).inputs(place_at(tmp_path, "chat"))
    message = str(caught.value)
    assert "no file quizz.jsonl" in message
    assert f"dedupe.benchmarks: {tmp_path / 'quizz.jsonl'}" in message
    assert "did you mean 'quiz.jsonl'?" in message
    assert "no file no/such.csv" in message


def test_a_protected_source_that_is_none_is_told_with_the_nearest_name(tmp_path):
    with pytest.raises(ConfigError, match=r"(?s)no source 'aa'.*dedupe.protect.*did you mean 'a'") as caught:
        Dedupe(protect=["aa"]).inputs(place_at(tmp_path, "chat"))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("setting", [{"near": 0.4}, {"near": 1.1}, {"boilerplate_chars": 0}, {"nearly": 0.9}])
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ValidationError):
        Dedupe(**setting)
