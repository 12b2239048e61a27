"""The 515 strings of the Big List of Naughty Strings: on a real server and back, and on every screen without acting."""

import json
from typing import Any

import pytest

from annotation.export import read_tasks
from annotation.screen_task import screen_task_of
from annotation.screens import SCREENS, label_config
from annotation.task import seen_of
from annotation.verdict import same_text
from pipeline.screen import screen as screen_of_row
from schemas import Annotation, Message, Review, Seen

pytestmark = [pytest.mark.slow, pytest.mark.shared]


@pytest.fixture
def strings(shared_data: Any) -> list[str]:
    found: list[str] = json.loads((shared_data / "blns" / "blns.json").read_text("utf-8"))
    assert len(found) == 515
    return found


def row(prompt: str, response: str) -> dict[str, Any]:
    return {
        "id": "e1",
        "source": "notes",
        "template": "instruct",
        "prompt": [{"role": "user", "content": prompt}],
        "completion": [{"role": "assistant", "content": response}],
    }


def answer(key: str, response: str | None, comment: str, errors: list[str], prompt: str, shown: str) -> Annotation:
    at = f"2026-03-01T09:00:0{key}Z"
    seen = Seen(prompt=[Message(role="user", content=prompt)], response=shown)
    fields = {"key": key, "example": "e1", "annotator": f"p{key}", "created_at": at, "updated_at": at, "seen": seen}
    verdict = "edit" if response is not None else "accept"
    return Annotation.model_validate(
        {**fields, "verdict": verdict, "response": response, "comment": comment, "error_types": errors}
    )


def test_every_string_comes_back_from_the_server_letter_by_letter(label_studio: Any, strings: Any) -> None:
    review = Review(question="Right?", error_types=["wrong"], guideline="G")
    rows = [row(text, text) for text in strings]
    sent = [screen_task_of(one, review, kind="review", why=text) for one, text in zip(rows, strings, strict=True)]
    _, ids = label_studio.project("naughty", label_config("review"), sent)
    assert len(ids) == 515
    stored = [label_studio.task(id_) for id_ in ids]
    assert [task["data"] for task in stored] == [task["data"] for task in sent]
    shown = [screen_of_row(one["prompt"], one["completion"]) for one in rows]
    assert [seen_of(task["data"]) for task in stored] == shown


def test_an_answer_with_every_string_comes_back_letter_by_letter(label_studio: Any, strings: Any) -> None:
    task = screen_task_of(row("p", "r"), Review(question="Q", error_types=["e"], guideline="G"), kind="review")
    _, (id_,) = label_studio.project("naughty answers", label_config("review"), [task])
    for text in strings:
        results = [
            {"from_name": "verdict", "to_name": "messages", "type": "choices", "value": {"choices": ["edit"]}},
            {"from_name": "response", "to_name": "messages", "type": "textarea", "value": {"text": [text]}},
            {"from_name": "comment", "to_name": "messages", "type": "textarea", "value": {"text": [text]}},
        ]
        label_studio.call("POST", f"tasks/{id_}/annotations/", {"result": results})
    read = read_tasks([label_studio.task(id_)])
    assert not read.unreadable
    assert len(read.answers) == 515
    by_number = sorted(read.answers, key=lambda one: int(one.key.rpartition(":")[2]))
    for text, one in zip(strings, by_number, strict=True):
        assert one.response == (text if text.strip() else None)
        assert one.comment == text


@pytest.mark.parametrize("kind", SCREENS)
def test_nothing_in_the_data_is_executed_or_loaded_by_a_screen(screen: Any, strings: Any, kind: Any) -> None:
    everything = "\n".join(strings)
    tags = [text for text in strings if "<" in text][:20]
    review = Review(question=everything, error_types=tags, guideline=everything, labels=tags)
    other = "\n".join(reversed(strings))
    answers = [
        answer("1", None, everything, tags, everything, everything),
        answer("2", other, everything, tags, everything, everything),
        answer("3", "<img src=x onerror=alert(3)>", everything, [], everything, everything),
    ]
    given = row(everything, "" if kind == "write" else everything)
    task = screen_task_of(
        given, review, kind=kind, why=everything, model_answer=everything, second=other, answers=answers
    )
    project, (id_,) = screen.server.project(f"naughty {kind}", label_config(kind), [task])
    asked: list[str] = []
    screen.page.on("request", lambda request: asked.append(request.url))
    screen.open(project)
    for fold in screen.page.locator(".tl-folds .ant-collapse-header").all():
        fold.click()
    screen.page.wait_for_timeout(1_000)
    screen.picture(f"naughty-{kind}")
    assert screen.alerts == []
    here = (screen.server.url, "data:", "blob:")
    assert [url for url in asked if not url.startswith(here)] == []
    assert (
        screen.page.evaluate(
            "document.querySelectorAll('.tl img[src=x], .tl script, .tl iframe, .tl svg[onload]').length"
        )
        == 0
    )
    if kind == "dispute":
        marked = screen.page.locator(".tl-a .tl-marked").evaluate("e => e.textContent")
        assert same_text(marked, everything) or same_text(marked, other)
    if kind in ("review", "chat"):
        assert same_text(screen.page.input_value("textarea[name=response]"), everything)
        screen.page.keyboard.press("a")
        (one,) = read_tasks([screen.submit(id_)]).answers
        assert (one.verdict, one.contradiction) == ("accept", None)
        assert one.seen == Seen(prompt=[Message(role="user", content=everything)], response=everything)
