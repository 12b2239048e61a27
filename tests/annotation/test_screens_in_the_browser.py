"""Every screen in a real Label Studio in Chromium, 1366 x 768, measured by where things stand.

With $TUNELOOP_SCREENSHOTS set to a folder, a picture of each screen is kept there.
"""

from typing import Any

import pytest

from annotation.export import read_tasks
from annotation.reasons import in_language
from annotation.screen_task import screen_task_of
from annotation.screens import SCREENS, label_config, languages
from annotation.words import words
from schemas import Annotation, Message, Review, Seen

pytestmark = pytest.mark.slow

SENTENCE = "The harbour bridge closed on Monday after divers found cracks in two of its piers. "
SOURCE = (SENTENCE * 61)[:5_000]
LONG = "The bridge is closed for six weeks, and buses go by way of the old town. " * 40
REVIEW = Review(
    question="Does the summary say what matters in the text, and nothing that is not in it?",
    error_types=["says something the text does not", "leaves out the main point", "wrong name, number or date"],
    guideline="Read the **text** first, then the summary.\n\n- Is it true to the text?\n- Is the main point there?\n"
    * 9,
    labels=["billing", "delivery", "returns", "other"],
)
# What a person chooses with on each screen, and the keys that choose.
CHOICES = {"review": "aeru", "chat": "aeru", "write": "wru", "classify": "ru", "preference": "abtn", "dispute": "abwr"}
ARABIC = "مرحبا بالعالم، كيف الحال؟"
HEBREW = "שלום עולם, מה שלומך?"


def row(prompt: str, response: str) -> dict[str, Any]:
    completion = [{"role": "assistant", "content": response}] if response else []
    messages = [{"role": "user", "content": prompt}]
    return {"id": "e1", "source": "notes", "template": "summarize", "prompt": messages, "completion": completion}


def answer(number: int, verdict: str, response: str | None = None, **more: Any) -> Annotation:
    seen = Seen(prompt=[Message(role="user", content=SOURCE)], response=LONG)
    at = f"2026-03-0{number}T09:00:00Z"
    fields = {"key": str(number), "example": "e1", "annotator": f"p{number}", "created_at": at, "updated_at": at}
    return Annotation.model_validate({**fields, "seen": seen, "verdict": verdict, "response": response, **more})


ANSWERS = [
    answer(1, "accept", comment="As the text has it."),
    answer(2, "edit", LONG.replace("six", "eight", 1), error_types=["wrong name, number or date"], comment="It is 8."),
    answer(3, "reject", comment="Far too long."),
]


def task(kind: Any, language: str = "en", prompt: str = SOURCE, response: str = LONG, **more: Any) -> dict[str, Any]:
    besides: dict[str, dict[str, Any]] = {
        "preference": {"second": f"In short: {SENTENCE * 30}"},
        "dispute": {"answers": ANSWERS},
        "classify": {"model_answer": "other"},
    }
    given = besides.get(kind, {"model_answer": SENTENCE * 20})
    response = {"write": "", "classify": "billing"}.get(kind, response)
    why = in_language("Another example has the same prompt and a different response.", language)
    return screen_task_of(row(prompt, response), REVIEW, kind=kind, language=language, why=why, **{**given, **more})


def shown(screen: Any, kind: str, language: str = "en", **more: Any) -> int:
    """Show one task on a screen and return its id on the server."""
    tasks = [task(kind, language, **more)]
    project, ids = screen.server.project(f"{kind} {language}", label_config(kind, language), tasks)
    screen.open(project)
    return int(ids[0])


def box(screen: Any, selector: str) -> dict[str, float]:
    """Return where an element stands in the window."""
    found: dict[str, float] | None = screen.page.locator(selector).first.bounding_box()
    assert found is not None, f"{selector} is not shown"
    return found


def assert_in_sight(screen: Any, selector: str) -> None:
    where = box(screen, selector)
    assert where["width"] > 0
    assert where["height"] > 0
    assert 0 <= where["x"] <= 1366 - where["width"], f"{selector} at {where}"
    assert 0 <= where["y"] <= 768 - where["height"], f"{selector} at {where}"


def result(task: dict[str, Any]) -> dict[str, Any]:
    """Return control to value of the only answer."""
    (one,) = task["annotations"]
    return {item["from_name"]: item["value"] for item in one["result"]}


def read(task: dict[str, Any]) -> Annotation:
    found = read_tasks([task])
    assert not found.unreadable, found.unreadable
    (one,) = found.answers
    return one


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("kind", SCREENS)
def test_what_is_chosen_and_submit_are_in_sight_beside_a_source_of_5000_characters(
    screen: Any, kind: Any, language: Any
) -> None:
    shown(screen, kind, language)
    screen.picture(f"{kind}-{language}")
    assert len(SOURCE) == 5_000
    scrolls = "document.scrollingElement.scrollHeight > innerHeight"
    assert not screen.page.evaluate(scrolls), "the page itself scrolls"
    assert_in_sight(screen, "button:has-text('Submit')")
    for place in range(len(CHOICES[kind])):
        label = f".tl-choose .lsf-choice >> nth={place}"
        assert_in_sight(screen, label)
        assert box(screen, label)["y"] + box(screen, label)["height"] <= box(screen, "button:has-text('Submit')")["y"]
    # None is cut off at its right, and the words are those of the language.
    assert screen.page.evaluate(
        "[...document.querySelectorAll('.tl-choose')].every(e => e.scrollWidth <= e.clientWidth)"
    )
    assert words(language).conversation in screen.page.inner_text(".tl")
    assert words(language).speakers["user"] in screen.page.inner_text(".tl-shown")


@pytest.mark.parametrize("kind", SCREENS)
def test_the_source_scrolls_apart_from_what_stands_beside_it(screen: Any, kind: Any) -> None:
    shown(screen, kind)
    beside = {"classify": ".tl-labels", "preference": ".tl-a .tl-scroll", "dispute": ".tl-a .tl-scroll"}
    other = screen.page.locator(beside.get(kind, ".tl-box textarea"))
    source = screen.page.locator(".tl-shown")
    assert source.evaluate("e => e.scrollHeight > e.clientHeight + 50")
    before = box(screen, ".tl-choose")
    source.evaluate("e => { e.scrollTop = 200 }")
    assert (source.evaluate("e => e.scrollTop"), other.evaluate("e => e.scrollTop")) == (200, 0)
    if kind not in ("write", "classify"):  # nothing long stands beside these
        other.evaluate("e => { e.scrollTop = 100 }")
        assert (source.evaluate("e => e.scrollTop"), other.evaluate("e => e.scrollTop")) == (200, 100)
    assert box(screen, ".tl-choose") == before


def test_opened_from_the_data_manager_it_is_all_in_sight_too(screen: Any) -> None:
    project, (id_,) = screen.server.project("review en", label_config("review"), [task("review")])
    screen.page.goto(f"{screen.server.url}/projects/{project}/data?task={id_}")
    screen.page.wait_for_selector(".tl", timeout=60_000)
    screen.page.wait_for_timeout(500)
    screen.picture("review-en-data-manager")
    submit = box(screen, "button:has-text('Submit')")
    for selector in (".tl-choose .lsf-choice >> nth=3", ".tl-more .ant-rate"):
        assert_in_sight(screen, selector)
        assert box(screen, selector)["y"] + box(screen, selector)["height"] <= submit["y"]


def test_the_last_line_of_a_long_source_can_be_reached(screen: Any) -> None:
    shown(screen, "review", prompt=SOURCE + "\n\nThe very end.")
    ends = screen.page.locator(".tl-shown").evaluate(
        """e => { e.scrollTop = 1e6;
            return ["[class*=dialoguetext]", "self"].map(s => (e.querySelector(s) || e).getBoundingClientRect().bottom) }"""
    )
    text, pane = ends
    assert text <= pane < box(screen, "button:has-text('Submit')")["y"]


def test_with_everything_open_the_verdict_stays_in_sight(screen: Any) -> None:
    shown(screen, "review", "de")
    screen.page.click("text=Richtlinie")
    screen.page.click(f"text={words('de').model_answer}")
    screen.page.keyboard.press("e")
    screen.page.wait_for_selector("text=Was stimmt daran nicht?")
    screen.page.wait_for_timeout(400)  # the folds open slowly
    screen.picture("review-de-open")
    for place in range(4):
        assert_in_sight(screen, f".tl-choose .lsf-choice >> nth={place}")
    assert_in_sight(screen, "textarea[name=response]")
    assert box(screen, "textarea[name=response]")["height"] >= 80


@pytest.mark.parametrize("kind", ["review", "write", "chat"])
def test_typing_in_the_box_never_moves_the_verdict(screen: Any, kind: Any) -> None:
    task_id = shown(screen, kind, response="A bridge.")
    key = {"write": "w"}.get(kind, "e")
    screen.page.keyboard.press(key)
    typed = "are area aerure waur 123"  # every key that chooses outside the box
    screen.page.click("textarea[name=response]")
    screen.page.keyboard.press("Control+a")
    screen.page.keyboard.type(typed)
    screen.page.click("[name=comment]")
    screen.page.keyboard.type(typed)
    done = screen.submit(task_id)
    verdict = "write" if kind == "write" else "edit"
    assert result(done)["verdict"] == {"choices": [verdict]}
    assert (read(done).verdict, read(done).response, read(done).comment) == (verdict, typed, typed)
    assert read(done).error_types == []


@pytest.mark.parametrize(("key", "verdict"), [("a", "accept"), ("e", "edit"), ("r", "reject"), ("u", "unsure")])
def test_a_key_chooses_and_the_same_word_is_stored_in_every_language(screen: Any, key: Any, verdict: Any) -> None:
    task_id = shown(screen, "review", "de")
    screen.page.keyboard.press(key)
    assert result(screen.submit(task_id))["verdict"] == {"choices": [verdict]}


def test_an_untouched_box_keeps_the_response_and_counts_as_accepted(screen: Any) -> None:
    task_id = shown(screen, "review")
    screen.page.keyboard.press("a")
    answer = read(screen.submit(task_id))
    assert (answer.verdict, answer.response, answer.contradiction) == ("accept", None, None)
    assert answer.seen == Seen(prompt=[Message(role="user", content=SOURCE)], response=LONG)


def test_where_a_project_takes_no_empty_answers_submit_waits_for_a_choice(screen: Any) -> None:
    # On the classify screen either of two lists will do, which no rule of a labelling config can say.
    project, _ = screen.server.project("classify en", label_config("classify"), [task("classify")])
    screen.server.call("PATCH", f"projects/{project}/", {"enable_empty_annotation": False})
    for key in "1u":
        screen.open(project)
        submit = screen.page.locator("button:has-text('Submit')")
        assert submit.is_disabled()
        screen.page.keyboard.press(key)
        assert submit.is_enabled()


def test_without_a_verdict_nothing_is_sent(screen: Any) -> None:
    task_id = shown(screen, "review", "de")
    screen.page.click("button:has-text('Submit')")
    screen.page.wait_for_selector(f"text={words('de').verdict_missing}")
    assert screen.server.task(task_id)["annotations"] == []


def test_the_model_s_answer_is_folded_away_and_takes_no_room_where_there_is_none(screen: Any) -> None:
    shown(screen, "review", model_answer="A model wrote this.")
    assert not screen.page.get_by_text("A model wrote this.").is_visible()
    screen.page.click(f"text={words('en').model_answer}")
    screen.page.get_by_text("A model wrote this.").wait_for(state="visible")
    assert screen.page.input_value("textarea[name=response]") == LONG
    shown(screen, "review", model_answer="")
    assert not screen.page.get_by_text(words("en").model_answer).is_visible()


def test_a_label_is_chosen_from_those_of_the_data(screen: Any) -> None:
    task_id = shown(screen, "classify", "de")
    assert "Label in den Daten:" in screen.page.inner_text(".tl-data")
    assert "billing" in screen.page.inner_text(".tl-data")
    screen.page.keyboard.press("2")  # delivery
    answer = read(screen.submit(task_id))
    assert (answer.verdict, answer.response) == ("edit", "delivery")


def test_the_better_answer_is_told_with_both_texts(screen: Any) -> None:
    task_id = shown(screen, "preference", response="Short.", second="Shorter.")
    screen.page.keyboard.press("b")
    done = screen.submit(task_id)
    answer, data = read(done), done["data"]
    assert (answer.verdict, answer.preferred, answer.adjudicated) == ("prefer", "b", False)
    assert {data["answer_a"], data["answer_b"]} == {"Short.", "Shorter."}
    assert (answer.seen.response, answer.seen.other) == (data["answer_a"], data["answer_b"])


def test_who_settles_a_dispute_sees_both_sides_unnamed_and_their_difference(screen: Any) -> None:
    task_id = shown(screen, "dispute", response=LONG, answers=ANSWERS[:2])
    text = screen.page.inner_text(".tl")
    assert "accepted the response as it stands" in text
    assert "edited the response" in text
    assert "remark: It is 8." in text
    assert "wrong with it: wrong name, number or date" in text
    assert not any(name in text for name in ("p1", "p2", "p3"))
    assert sorted(screen.page.locator(".tl-marked mark").all_inner_texts()) == ["eight", "six"]
    assert not screen.page.locator("textarea[name=response]").is_visible()
    screen.page.keyboard.press("w")
    screen.page.fill("textarea[name=response]", "The bridge is closed.")
    screen.page.fill("textarea[name=comment]", "Both say too much.")
    screen.picture("dispute-en-write")
    for place in range(4):
        assert_in_sight(screen, f".tl-choose .lsf-choice >> nth={place}")
    answer = read(screen.submit(task_id))
    assert (answer.verdict, answer.response, answer.comment) == ("edit", "The bridge is closed.", "Both say too much.")
    assert answer.adjudicated


def test_a_box_that_was_closed_again_settles_nothing(screen: Any) -> None:
    task_id = shown(screen, "dispute", answers=ANSWERS[:2])
    side = "a" if task("dispute", answers=ANSWERS[:2])["data"]["a"]["verdict"] == "edit" else "b"
    screen.page.keyboard.press("w")
    screen.page.fill("textarea[name=response]", "Never mind.")
    screen.page.click(f".tl-choose .lsf-choice >> nth={'ab'.index(side)}")
    answer = read(screen.submit(task_id))
    assert (answer.verdict, answer.response, answer.contradiction) == ("edit", ANSWERS[1].response, None)


# Where the letters stand, not what a style says: a range over the text has the box of the text alone.
ROOM_AROUND = """(node, line) => {
    const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    for (let n = walker.nextNode(); n; n = walker.nextNode()) {
        const at = n.data.indexOf(line);
        if (at < 0) continue;
        const range = document.createRange();
        range.setStart(n, at); range.setEnd(n, at + line.length);
        const r = range.getBoundingClientRect(), p = node.getBoundingClientRect();
        return [r.left - p.left, p.right - r.right];
    }
}"""


@pytest.mark.parametrize("text", [ARABIC, HEBREW])
def test_text_from_right_to_left_starts_at_the_right(screen: Any, text: Any) -> None:
    shown(screen, "review", prompt=f"Translate.\n{text}", response=text)
    screen.picture(f"review-right-to-left-{'arabic' if text == ARABIC else 'hebrew'}")
    conversation = screen.page.locator(".tl-shown [class*=dialoguetext]").first
    left, right = conversation.evaluate(ROOM_AROUND, text)
    assert left > right + 100
    left, right = conversation.evaluate(ROOM_AROUND, "Translate.")
    assert right > left + 100
    style = "e => [getComputedStyle(e).unicodeBidi, getComputedStyle(e).textAlign]"
    assert screen.page.locator("textarea[name=response]").evaluate(style) == ["plaintext", "start"]


@pytest.mark.parametrize("kind", ["preference", "dispute"])
def test_answers_side_by_side_start_at_the_right_too(screen: Any, kind: Any) -> None:
    # Of one word each: no mark divides the line, so its letters are one piece of text.
    words: dict[str, Any] = {
        "second": HEBREW.split()[0],
        "answers": [answer(1, "accept"), answer(2, "edit", HEBREW.split()[0])],
    }
    arabic = ARABIC.split()[0]
    shown(screen, kind, response=arabic, **words)
    screen.picture(f"{kind}-right-to-left")
    sides = [screen.page.locator(f".tl-{side} .tl-scroll") for side in "ab"]
    rooms = [side.evaluate(ROOM_AROUND, text) for side in sides for text in (arabic, words["second"])]
    found = [room for room in rooms if room]
    assert len(found) == 2
    assert all(left > right + 100 for left, right in found)
