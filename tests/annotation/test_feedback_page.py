"""The page for annotators: what it says, whom it names (nobody), and that no text in it is ever markup."""

import json
import stat
from typing import Any

import pytest
from cyclopts import App
from playwright.sync_api import Browser, Dialog, Request

from annotation.feedback import Feedback, Pick
from annotation.feedback_record import note_sent
from annotation.pages_cli import pages
from pipeline.annotations import add_annotations
from pipeline.screen import screen
from schemas import Annotation
from tests.annotation.finished_run import answered, finish, report
from tests.annotation.test_feedback import row, score, split
from tests.conftest import Project

NAUGHTY = "<script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*191 }} سلام 今日は"
AT = "2026-11-27T09:00:00Z"


@pytest.fixture
def run_on(project: Project) -> Project:
    return trained_on_naughty_texts(project)


def trained_on_naughty_texts(project: Project) -> Project:
    """Return the project after a training run whose texts are out to break a page, with one row sent and answered."""
    project.run()
    root = project.data
    asked = row("a", answer=NAUGHTY, prompt=[{"role": "user", "content": f"{NAUGHTY} {'w' * 900}"}])
    seen, other = row("b", answer="7"), row("v", "validation", answer=NAUGHTY, status="accepted")
    hidden = row("t", "test", answer="a secret of the test side", prompt=[{"role": "user", "content": "hidden?"}])
    right = row("x", "validation", answer="as the model says", status="accepted")
    rows = [asked, seen, other, hidden, right, row("w", "validation", answer="9")]
    # The newest version of the split that the page reads is this one.
    split(root, rows, number=2)
    scores = [
        *score(asked, 9.0),
        *score(seen, 1.0),
        *answered(other, 0, 0.2, NAUGHTY),
        *answered(hidden, 0, 0, "the model on a test row"),
        *answered(right, 0, 1),
        *answered(rows[-1], 0, 0, NAUGHTY),
    ]
    finish(root, scores, report({NAUGHTY: (0.25, 0.75)}, n=354, n_reviewed=20))
    sent = [(one, Pick(one["id"], "ranked", "A sum in the answer does not compute.")) for one in (asked, seen)]
    note_sent(root, "tiny", "aa11", Feedback(sent, 2, {}, 0, {}), AT, {"a": (3, 7), "b": (3, 8)})
    folder = root / "label-studio"
    listed = {"url": "http://127.0.0.1:8080", "projects": [{"id": 3, "title": NAUGHTY, "left": 1}]}
    (folder / "projects.json").write_text(json.dumps(listed))
    fields: dict[str, Any] = {
        "key": "ls:3:1", "example": "b", "seen": screen(seen["prompt"], seen["completion"]), "verdict": "reject",
        "annotator": "ann@example.org", "round": "aa11", "created_at": AT, "updated_at": AT,
    }  # fmt: skip
    real = project.rows("annotate")[0]
    about_real = fields | {
        "key": "ls:3:2", "example": real["id"], "error_types": [NAUGHTY], "comment": NAUGHTY,
        "seen": screen(real["prompt"], real["completion"]), "round": "1",
    }  # fmt: skip
    add_annotations(root, [Annotation.model_validate(one) for one in (fields, about_real)])
    return project


def written(project: Project) -> str:
    app = App(name="annotate")
    app.command(pages)
    words = ["pages", "--data-root", str(project.data), "--recipe", str(project.root / "recipe.toml"), "--since", "all"]
    app(words, exit_on_error=False, result_action="return_value")
    return (project.data / "people" / "feedback.html").read_text("utf-8")


def test_the_page_says_what_was_learned_what_came_back_and_what_is_next(
    run_on: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    text = written(run_on)
    assert "feedback.html" in capsys.readouterr().err
    plain = " ".join(text.split())
    assert "People have checked 20 of the 354 test examples (5 %)" in plain
    assert (
        "Of 2 validation examples that people have checked, the model answers 1 as you do; before training it was 0."
        in plain
    )
    assert '<td class="n">25</td><td class="n">75</td>' in plain
    # Two ranked rows were sent, and the one that was answered was wrong.
    assert (
        '<td class="n">2</td><td class="n">1</td><td class="n">0</td><td class="n">0</td><td class="n">1</td>' in plain
    )
    assert "1 example answered; rejected 1" in plain
    assert 'href="http://127.0.0.1:8080/projects/3/data?task=7"' in text  # a waits
    assert "task=8" not in text  # b was answered
    assert "look for yourself first" in text
    people = run_on.data / "people"
    assert stat.S_IMODE((people / "feedback.html").stat().st_mode) == 0o600
    for name in ("index.html", "a1.html"):
        other = (people / name).read_text("utf-8")
        assert 'href="feedback.html"' in other
        assert "People have checked none of the 1 test examples" in other


def test_no_test_row_and_no_name_stands_on_it_and_no_text_is_markup(run_on: Project) -> None:
    text = written(run_on)
    for hidden in ("a secret of the test side", "hidden?", "the model on a test row", "ann@example.org"):
        assert hidden not in text
    assert "as the model says" in text  # what is looked for would be found
    assert "&lt;script&gt;" in text
    for never in ("<script", "<img", "1337"):
        assert never not in text


def test_a_run_that_cannot_be_read_keeps_nobody_from_their_pages(
    run_on: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (run_on.data / "runs" / "aa11" / "report.json").unlink()
    app = App(name="annotate")
    app.command(pages)
    words = ["pages", "--data-root", str(run_on.data), "--recipe", str(run_on.root / "recipe.toml")]
    app(words, exit_on_error=False, result_action="return_value")
    assert "no page about what a model learned: not the report of a run" in capsys.readouterr().err
    assert (run_on.data / "people" / "index.html").is_file()
    assert not (run_on.data / "people" / "feedback.html").exists()


@pytest.mark.slow
def test_a_real_browser_shows_it_on_a_phone_without_running_anything(run_on: Project, chromium: Browser) -> None:
    written(run_on)
    ran: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        ran.append(dialog.message)
        dialog.dismiss()

    def note(request: Request) -> None:
        if not request.url.startswith("file:"):
            ran.append(request.url)

    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.on("dialog", dismiss)
    page.on("request", note)
    page.on("console", lambda message: ran.append(message.text))
    page.goto((run_on.data / "people" / "feedback.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("h1").inner_text() == "What the model learned from you"
    assert not page.locator("details .text").first.is_visible()
    page.close()
    assert ran == []
