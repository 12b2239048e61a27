import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from annotation.task import guideline_digest, harmless_markdown, plain_prompt, seen_of, task_of
from pipeline.screen import screen
from schemas import Review

CONFIG = Path(__file__).parents[2] / "annotation" / "review.xml"
REVIEW = Review(question="Is it right?", error_types=["wrong fact", "too long"], guideline="Right is *right*.")


def message(role: str, content: str, tool_calls: str | None = None) -> dict[str, Any]:
    return {"role": role, "content": content, "tool_calls": tool_calls}


def row(prompt: list[dict[str, Any]], completion: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "e1", "source": "sums", "template": "maths", "prompt": prompt, "completion": completion}


def test_a_task_carries_the_example_and_what_its_template_asks() -> None:
    task = task_of(row([message("user", "2 + 2?")], [message("assistant", "5")]), REVIEW, why="Look again.", round_="2")
    assert task["data"] == {
        "example_id": "e1",
        "source": "sums",
        "template": "maths",
        "screen": "review",
        "language": "en",
        "messages": [{"role": "user", "content": "2 + 2?", "speaker": "user"}],
        "prompt": "2 + 2?",
        "response": "5",
        "question": "Is it right?",
        "guideline": guideline_digest(REVIEW),
        "guideline_text": "Right is *right*.",
        "error_types": [{"value": "wrong fact"}, {"value": "too long"}],
        "why": "Look again.",
        "round": "2",
        "model_answer": "",
    }


def test_every_screen_says_of_a_row_that_a_model_wrote_that_one_did_and_says_it_once() -> None:
    drafted = row([message("user", "2 + 2?")], [message("assistant", "5")]) | {
        "marks": ["synthetic"], "meta": '{"synthetic": {"kind": "draft"}}',
    }  # fmt: skip
    said = "A model wrote this answer: it is used only if a person accepts or mends it."
    assert task_of(drafted, REVIEW)["data"]["why"] == said
    assert task_of(drafted, REVIEW, why="Look.")["data"]["why"] == f"{said} Look."
    assert task_of(drafted, REVIEW, why=f"{said} Look.")["data"]["why"] == f"{said} Look."
    why = task_of(drafted, REVIEW, why="Hinsehen.", language="de")["data"]["why"]
    assert why.startswith("Ein Modell hat diese Antwort geschrieben")
    assert why.endswith(" Hinsehen.")
    # The box begins with it, since it is the row's response.
    assert task_of(drafted, REVIEW)["data"]["response"] == "5"
    assert "model wrote" in task_of(drafted | {"meta": '{"synthetic": true}'}, REVIEW)["data"]["why"]


def test_every_variable_of_the_config_is_in_the_task_and_never_null() -> None:
    used = set(re.findall(r"\$(\w+)", CONFIG.read_text()))
    assert {"messages", "response", "error_types"} <= used
    for completion in ([], [message("assistant", "5")]):
        data = task_of(row([message("user", "2 + 2?")], completion), REVIEW)["data"]
        assert used <= set(data)
        assert None not in data.values()


def test_the_config_has_the_controls_that_the_import_reads() -> None:
    tags = {element.get("name"): element for element in ElementTree.parse(CONFIG).iter() if element.get("toName")}
    assert {name: element.tag for name, element in tags.items()} == {
        "response": "TextArea",
        "verdict": "Choices",
        "error_types": "Choices",
        "comment": "TextArea",
        "rating": "Rating",
    }
    assert [choice.get("value") for choice in tags["verdict"]] == ["accept", "edit", "reject", "unsure"]
    assert tags["verdict"].get("required") == "true"
    assert tags["response"].get("value") == "$response"  # the data's response, never a model's


def test_a_guideline_is_markdown_whose_tags_and_pictures_do_nothing() -> None:
    assert harmless_markdown("**3 < 4**, a <b>, </b>, <!-- c -->") == "**3 < 4**, a &lt;b>, &lt;/b>, &lt;!-- c -->"
    assert harmless_markdown("![map](http://a.org/m.png)") == "!\\[map](http://a.org/m.png)"
    task = task_of(row([], []), REVIEW.model_copy(update={"guideline": "<img src=x onerror=alert(1)>"}))
    assert task["data"]["guideline_text"] == "&lt;img src=x onerror=alert(1)>"


def test_a_changed_guideline_has_another_digest() -> None:
    assert guideline_digest(REVIEW) != guideline_digest(REVIEW.model_copy(update={"guideline": "Other."}))


def test_a_conversation_as_plain_text_names_its_speakers() -> None:
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    assert plain_prompt(messages) == "system: Be kind.\n\nuser: Hi"


def test_tasks_that_are_not_ours_show_nothing_that_we_could_know() -> None:
    assert seen_of({"messages": [], "response": "5"}) is None  # no example_id
    assert seen_of({"example_id": "e", "messages": [], "response": None}) is None
    assert seen_of({"example_id": "e", "messages": [{"role": "god", "content": ""}], "response": ""}) is None


texts = st.text(max_size=5)
calls = st.sampled_from([None, '[{"function": {"name": "f", "arguments": "{}"}}]'])
conversations = st.lists(
    st.builds(message, st.sampled_from(["system", "user", "assistant", "tool"]), texts, calls), max_size=4
)


@given(conversations, st.lists(st.builds(message, st.just("assistant"), texts, calls), max_size=2))
def test_what_was_seen_comes_back_from_the_task_letter_by_letter(
    prompt: list[dict[str, Any]], completion: list[dict[str, Any]]
) -> None:
    assert seen_of(task_of(row(prompt, completion), REVIEW)["data"]) == screen(prompt, completion)
