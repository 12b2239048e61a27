"""Three people and a lead in a real Label Studio, in a real browser, from an empty store to settled data.

With $TUNELOOP_SCREENSHOTS set to a folder, pictures of what they saw are kept there.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from annotation.connection import TOKEN, URL
from annotation.people import add_person
from annotation.projects import Project, find_projects
from pipeline.annotations import annotation_files, pseudonyms
from pipeline.cli import run
from tests.annotation.conftest import WINDOW, LabelStudio
from tests.conftest import RECIPE
from tests.conftest import Project as Folder

pytestmark = pytest.mark.slow

EVERYTHING_TWICE = RECIPE.replace('name = "tiny"', 'name = "NAME"') + "[review]\noverlap = 1.0\nrandom_share = 0.0\n"
PASSWORD = "only-for-tests-9"


@contextmanager
def signed_up(chromium: Browser, link: str, email: str) -> Iterator[Page]:
    """Give a window in which a person has just signed up by their invitation."""
    context = chromium.new_context(viewport={"width": WINDOW["width"], "height": WINDOW["height"]})
    page = context.new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(link)
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_function("!location.pathname.includes('signup')", timeout=60_000)
    yield page
    context.close()


def logged_in(chromium: Browser, url: str, email: str, password: str) -> Page:
    """Return a window in which a person has logged in."""
    page = chromium.new_context(viewport={"width": WINDOW["width"], "height": WINDOW["height"]}).new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{url}/user/login/")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_load_state("networkidle")
    return page


def next_task(page: Page, url: str, project: int) -> str:
    """Show a person's next task and return what stands in the box."""
    page.goto(f"{url}/projects/{project}/data?labeling=1")
    page.wait_for_selector(".tl", timeout=60_000)
    page.wait_for_selector("button:has-text('Submit')")
    page.wait_for_timeout(300)
    box = page.locator("textarea[name=response]")
    return box.input_value() if box.count() else ""


def submit(page: Page, key: str, text: str | None = None) -> None:
    """Answer the task that is shown: press a key, write a text, press Submit."""
    page.keyboard.press(key)
    if text is not None:
        page.fill("textarea[name=response]", text)
    with page.expect_response(lambda answer: "/annotations" in answer.url and answer.request.method == "POST"):
        page.click("button:has-text('Submit')")
    page.wait_for_timeout(200)


def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("TUNELOOP_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"journey-{name}.png")


def test_three_people_answer_a_lead_settles_and_make_data_shows_it(
    label_studio: LabelStudio,
    chromium: Browser,
    make_project: Callable[..., Folder],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    recipe_name: str,
) -> None:
    folder = make_project(EVERYTHING_TWICE.replace("NAME", recipe_name))
    folder.run()
    monkeypatch.chdir(folder.root)
    monkeypatch.setenv(URL, label_studio.url)
    monkeypatch.setenv(TOKEN, label_studio.running.token)
    options = ["--recipe", "recipe.toml"]
    connection = label_studio.connection

    def project_for(purpose: str) -> Project:
        return next(one for slot, one in find_projects(connection, recipe_name).items() if slot.purpose == purpose)

    # The lead sends what waits and invites three people, who sign up in their browsers.
    assert run(["annotate", "push", *options]) == 0
    twice = project_for("overlap")
    assert twice.n_tasks >= 3
    emails = [f"{name}-{recipe_name}@example.org" for name in ("ann", "ben", "cy")]
    links = [add_person(connection, folder.data, email, ["en"]) for email in emails]
    with (
        signed_up(chromium, links[0], emails[0]) as ann,
        signed_up(chromium, links[1], emails[1]) as ben,
        signed_up(chromium, links[2], emails[2]) as cy,
    ):
        # ann accepts the first and the second; ben mends the first and rejects the second: both are disputed.
        first = next_task(ann, label_studio.url, twice.id)
        assert first
        picture(ann, "review")
        submit(ann, "a")
        second = next_task(ann, label_studio.url, twice.id)
        assert second
        submit(ann, "a")
        assert next_task(ben, label_studio.url, twice.id) == first
        submit(ben, "e", "a better answer")
        assert next_task(ben, label_studio.url, twice.id) == second
        submit(ben, "r")
        # cy gets neither of these, which two people have answered, and is unsure of the third.
        third = next_task(cy, label_studio.url, twice.id)
        assert third not in (first, second)
        submit(cy, "u")

    # The answers come in, the disputes go to the lead, unnamed and side by side.
    assert run(["annotate", "pull", *options]) == 0
    assert "5 answers" in capsys.readouterr().err
    folder.run()
    counts = folder.outcomes["annotate"].record.counts
    assert (counts["disputed"], counts["unsure"]) == (2, 1)
    assert run(["annotate", "push", *options]) == 0
    disputes = project_for("dispute")
    assert (disputes.n_tasks, project_for("lead").n_tasks) == (2, 1)
    account = label_studio.running
    lead = logged_in(chromium, label_studio.url, account.email, account.password)
    for _ in range(2):
        next_task(lead, label_studio.url, disputes.id)
        picture(lead, "dispute")
        shown = lead.inner_text(".tl")
        assert not any(email in shown for email in emails)
        if "a better answer" in shown:
            # Which of the two is A, a digest decides; the key picks the side that shows the mended text.
            submit(lead, "a" if "a better answer" in lead.inner_text(".tl-a") else "b")
        else:
            submit(lead, "r")
    lead.context.close()

    # `make data` now has it, and `explain` says who and when.
    assert run(["annotate", "pull", *options]) == 0
    folder.run()
    rows = [row for row in folder.rows("annotate") if row["status"] == "edited"]
    assert [row["completion"][-1]["content"] for row in rows] == ["a better answer"]
    assert [row["reason"] for row in folder.dropped("annotate")].count("rejected") == 1
    capsys.readouterr()
    assert run(["explain", str(rows[0]["id"]), *options]) == 0
    told = capsys.readouterr().out
    names = pseudonyms(annotation_files(folder.data).values())
    for who in (emails[0], emails[1], account.email):
        assert names[who] in told
        assert who not in told
    assert "accept" in told
    assert "2026-" in told or "20" in told
