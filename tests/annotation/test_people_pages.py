import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App
from playwright.sync_api import Browser, Dialog, Request

from annotation.corrections import corrections
from annotation.desk import desk
from annotation.gold import Gold
from annotation.pages_cli import pages
from annotation.people_pages import PersonPage, disputes, person_pages
from annotation.practice import Practised, Wrong
from annotation.project_list import Project, ProjectList, read_projects
from pipeline.annotations import add_annotations, name_people
from schemas import Annotation, AnnotationError

ANN, BEN, LEAD = "ann@example.org", "ben@example.org", "lead@example.org"
NAMES = {ANN: "a1", BEN: "a2", LEAD: "a3"}
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
PROJECTS = ProjectList(
    url="http://127.0.0.1:8080/",
    projects=[
        Project(id=3, title="Round 1", left=143, drafts_by={ANN: [12]}, tasks_by_annotation={"1": 7}),
        Project(id=4, title="Twice", purpose="overlap", left=20),
        Project(id=5, title="Disputes", purpose="dispute", left=2),
        Project(id=6, title="Done", left=0),
    ],
)


def answer(n: int, who: str = ANN, verdict: str = "accept", response: str | None = None, **more: Any) -> Annotation:
    moment = f"2026-11-26T10:{n:02}:00Z"
    fields = {
        "key": f"ls:3:{n}", "example": "e", "annotator": who, "verdict": verdict, "response": response,
        "seen": {"prompt": [{"role": "user", "content": "When does the pool open?"}], "response": "In July."},
        "created_at": moment, "updated_at": moment, "lead_time_seconds": 60.0,
    }  # fmt: skip
    return Annotation.model_validate(fields | more)


def page_of(who: str, *answers: Annotation, practised: Practised | None = None) -> PersonPage:
    found = desk(answers, PROJECTS, "2026-11-20T00:00:00.000000Z", NOW)
    results = {who: practised} if practised else {}
    return next(page for page in person_pages(answers, PROJECTS, found, NAMES, results) if page.annotator == who)


def test_what_to_do_is_in_order_of_urgency_with_minutes() -> None:
    # A minute an answer: 20 items take 20 minutes, 143 take 143. Disputes are not for ann, who never settled one.
    page = page_of(ANN, answer(1))
    assert [(one.project.title, one.left, one.minutes) for one in page.to_do] == [
        ("Twice", 20, 20.0), ("Round 1", 143, 143.0),
    ]  # fmt: skip
    assert page.minutes == 163.0
    assert page.to_do[0].address == "http://127.0.0.1:8080/projects/4/data"
    assert page.drafts == ["http://127.0.0.1:8080/projects/3/data?task=12"]
    settler = page_of(LEAD, answer(1, LEAD, adjudicated=True))
    assert [one.project.title for one in settler.to_do] == ["Disputes", "Twice", "Round 1"]


def test_nobody_is_sent_to_a_language_they_do_not_read_nor_to_what_waits_for_the_lead() -> None:
    some = ProjectList(
        url=PROJECTS.url,
        projects=[
            Project(id=1, title="English", left=5),
            Project(id=2, title="French", language="fr", left=5),
            Project(id=3, title="For the lead", purpose="lead", left=5),
        ],
    )
    found = desk([], some, "2026-11-20T00:00:00.000000Z", NOW)
    ann, ben = person_pages([], some, found, {ANN: "a1", BEN: "a2"}, {}, reads={ANN: ["de", "en"]})
    assert [one.project.title for one in ann.to_do] == ["English"]
    assert [one.project.title for one in ben.to_do] == ["English", "French"]  # of ben nothing is written down


def test_a_newcomer_has_a_page_and_no_times_are_made_up() -> None:
    page = page_of(BEN)
    assert (page.answers, page.minutes, page.work) == ([], None, None)
    assert [one.minutes for one in page.to_do] == [None, None]


def test_answers_link_to_their_task_or_else_to_the_project() -> None:
    page = page_of(ANN, answer(1), answer(2), answer(3, key="ls:9:3"))
    assert [one.link for one in page.answers] == [
        "",  # of another server
        "http://127.0.0.1:8080/projects/3/data",
        "http://127.0.0.1:8080/projects/3/data?task=7",
    ]


def test_a_person_sees_what_an_adjudicator_changed_and_why() -> None:
    mine = answer(1, ANN, "edit", "In June.")
    final = answer(2, LEAD, "edit", "In May.", adjudicated=True, comment="The text says May.")
    agreeing = answer(3, BEN, "edit", "In May.\n")
    found = corrections([mine, final, agreeing])
    assert set(found) == {ANN}
    (one,) = found[ANN]
    assert (one.answer, one.final) == (mine, final)
    assert [(piece.kind, piece.text) for piece in one.pieces] == [
        ("same", "In "), ("gone", "June"), ("new", "May"), ("same", "."),
    ]  # fmt: skip


def test_only_a_real_difference_is_a_correction() -> None:
    # An edit to the text that stood, an unsure answer and an answer that somebody gave in practice change nothing.
    final = answer(9, LEAD, "accept", adjudicated=True)
    same = [answer(1, ANN), answer(2, BEN, "unsure"), answer(3, "cy", "reject", purpose="practice")]
    assert corrections([*same, final]) == {}
    assert set(corrections([*same, answer(4, "di", "reject"), final])) == {"di"}
    # Of one person's answers the latest counts, and of two adjudications too.
    late = answer(10, LEAD, "reject", adjudicated=True)
    assert set(corrections([answer(1, ANN), final, late])) == {ANN}


def test_disputes_list_everybody_and_the_newest_first() -> None:
    old = [answer(1, ANN, example="f"), answer(2, BEN, "reject", example="f")]
    new = [answer(3, ANN), answer(4, BEN, "reject")]
    assert [[one.answer.key for one in found.answers] for found in disputes([*old, *new], PROJECTS)] == [
        ["ls:3:3", "ls:3:4"], ["ls:3:1", "ls:3:2"],
    ]  # fmt: skip


def test_practice_is_shown_as_far_as_it_goes() -> None:
    item = Gold(
        id="g", template="t", prompt="p", response="r", verdict="reject", text=None, explanation="It is made up."
    )
    open_round = Practised(ANN, 3, 2, 10, None, None, (Wrong(item, answer(1)),))
    projects = [Project(id=7, title="Practice", purpose="practice", left=30), *PROJECTS.projects]
    some = ProjectList(url=PROJECTS.url, projects=projects)
    found = desk([], some, "2026-11-20T00:00:00.000000Z", NOW)
    page = person_pages([], some, found, {ANN: "a1"}, {ANN: open_round})[0]
    assert next((one.project.title, one.left) for one in page.to_do) == ("Practice", 7)
    done = Practised(ANN, 10, 9, 10, "2026-11-26T10:00:00Z", "2026-11-26T10:00:00Z", ())
    page = person_pages([], some, found, {ANN: "a1"}, {ANN: done})[0]
    assert "Practice" not in [one.project.title for one in page.to_do]


def test_a_damaged_project_list_is_told(tmp_path: Path) -> None:
    assert read_projects(tmp_path) == ProjectList()
    (tmp_path / "label-studio").mkdir()
    path = tmp_path / "label-studio" / "projects.json"
    path.write_text('{"url": "javascript:alert(1)", "projects": []}')
    with pytest.raises(AnnotationError, match="is no web address"):
        read_projects(tmp_path)
    path.write_text('{"projects": [{"id": "x"}]}')
    with pytest.raises(AnnotationError) as caught:
        read_projects(tmp_path)
    assert "projects.0.id" in str(caught.value)
    assert "run `tuneloop annotate pull`" in str(caught.value)


NAUGHTY = "<script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*191 }}"


def written(tmp_path: Path) -> Path:
    """A folder of pages in which every text is out to break them."""
    seen = {"prompt": [{"role": "user", "content": f"{NAUGHTY} {'w' * 500}"}], "response": NAUGHTY}
    mine = answer(1, ANN, "edit", "سلام " + NAUGHTY + "!", seen=seen, comment=NAUGHTY, error_types=[NAUGHTY])
    final = answer(2, LEAD, "edit", "fine", seen=seen, comment=NAUGHTY, adjudicated=True)
    other = [answer(3, ANN, example="f", comment=NAUGHTY), answer(4, BEN, "reject", example="f", seen=seen)]
    add_annotations(tmp_path, [mine, final, *other])
    name_people(tmp_path, ["new@example.org"])
    (tmp_path / "label-studio").mkdir()
    project = {"id": 3, "title": NAUGHTY, "left": 5}
    listed = {"url": "http://127.0.0.1:8080", "projects": [project]}
    (tmp_path / "label-studio" / "projects.json").write_text(json.dumps(listed))
    app = App(name="annotate")
    app.command(pages)
    app(["pages", "--data-root", str(tmp_path), "--since", "all"], exit_on_error=False, result_action="return_value")
    return tmp_path / "people"


def test_pages_are_for_their_owner_alone_and_every_text_is_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path)
    said = capsys.readouterr()
    assert said.out == f"{folder / 'index.html'}\n"
    assert "4 people's pages and the lead's" in said.err
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == ["a1.html", "a2.html", "a3.html", "a4.html", "index.html"]
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        text = path.read_text("utf-8")
        assert "<script" not in text
        assert "<img" not in text
        assert "1337" not in text
    ann = (folder / "a1.html").read_text("utf-8")
    assert LEAD not in ann  # an annotator is not told who settled it
    assert BEN not in ann
    lead = (folder / "index.html").read_text("utf-8")
    assert all(who in lead for who in (ANN, BEN, LEAD, "new@example.org"))


@pytest.mark.slow
def test_a_real_browser_shows_the_pages_without_running_anything(tmp_path: Path, chromium: Browser) -> None:
    folder = written(tmp_path)
    ran: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        ran.append(dialog.message)
        dialog.dismiss()

    def note(request: Request) -> None:
        if not request.url.startswith("file:"):
            ran.append(request.url)

    page = chromium.new_page(viewport={"width": 1366, "height": 768})
    page.on("dialog", dismiss)
    page.on("request", note)
    for name in ("index.html", "a1.html", "a4.html"):
        page.goto((folder / name).as_uri())
        # Nothing reaches beyond the right edge, however long a word is.
        assert page.evaluate("document.documentElement.scrollWidth") == 1366, name
    page.goto((folder / "a1.html").as_uri())
    assert page.locator("h2").first.inner_text() == "What to do now"
    assert page.get_by_role("link", name="open the project").count() == 3
    assert page.locator("ins", has_text="fine").count() == 1
    page.close()
    assert ran == []
