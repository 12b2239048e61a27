"""A real Label Studio, begun once a run from a database that was made once, and a real Chromium."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests
from filelock import FileLock
from playwright.sync_api import Browser, Page

from annotation.connection import Connection
from annotation.server import Running, program, start, stop

WINDOW = {"width": 1366, "height": 768}
_NUMBERS = count(1)


@dataclass(frozen=True)
class LabelStudio:
    """A server that runs, and the folder it runs on."""

    data_root: Path
    running: Running

    @property
    def url(self) -> str:
        return self.running.url

    @property
    def connection(self) -> Connection:
        return Connection(self.running.url, self.running.token)

    def call(self, method: str, path: str, json: object = None) -> Any:
        """Return what the API answers; anything but success fails the test."""
        headers = {"Authorization": f"Token {self.running.token}"}
        answer = requests.request(method, f"{self.url}/api/{path}", headers=headers, json=json, timeout=120)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    def project(self, title: str, config: str, tasks: list[dict[str, Any]]) -> tuple[int, list[int]]:
        """Make a project with these tasks and return its id and theirs, in order."""
        project = self.call("POST", "projects/", {"title": title, "label_config": config})["id"]
        given = self.call("POST", f"projects/{project}/import?return_task_ids=true", tasks)
        return project, given["task_ids"]

    def task(self, task_id: int) -> dict[str, Any]:
        """Return a task as the server has it, with its annotations."""
        task: dict[str, Any] = self.call("GET", f"tasks/{task_id}/")
        return task


@dataclass(frozen=True)
class Screen:
    """A window with a person logged in."""

    page: Page
    server: LabelStudio
    alerts: list[str]

    def open(self, project: int) -> None:
        """Show the next task of a project, as an annotator gets it."""
        self.page.goto(f"{self.server.url}/projects/{project}/data?labeling=1")
        self.page.wait_for_selector(".tl", timeout=60_000)
        self.page.wait_for_selector("button:has-text('Submit')")
        self.page.wait_for_timeout(300)  # Label Studio draws once more after its texts are there

    def submit(self, task_id: int) -> dict[str, Any]:
        """Press Submit and return the task once the server has the answer."""
        self.page.click("button:has-text('Submit')")
        for _ in range(100):
            task = self.server.task(task_id)
            if task["annotations"]:
                return task
            self.page.wait_for_timeout(100)
        raise AssertionError("the answer never arrived")

    def picture(self, name: str) -> None:
        """Keep a picture in the folder that $TUNELOOP_SCREENSHOTS names, if it names one."""
        if folder := os.environ.get("TUNELOOP_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")


def _data_root_with_server(base: Path, own: Path) -> Path:
    """Return a folder whose server's database is there already: making one takes 40 s, copying it none."""
    made = base / "label-studio-made-once"
    with FileLock(base / "label-studio.lock"):
        if not (made / "whole").exists():
            shutil.rmtree(made, ignore_errors=True)
            start(made, 0)
            stop(made)
            (made / "whole").touch()
    shutil.copytree(made, own)
    return own


def _installed_base(factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all workers share; skip, saying so, where no server is installed and this is no CI."""
    if not (program().parent.parent / ".whole").exists() and not os.environ.get("CI"):
        pytest.skip("Label Studio is not installed: run `make annotate` once, it does so")
    base = factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture
def stopped_server(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Path]:
    """Yield a data root of the test's own whose server has its database and does not run; stopped afterwards too."""
    root = _data_root_with_server(_installed_base(tmp_path_factory), tmp_path / "data")
    try:
        yield root
    finally:
        stop(root)


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudio]:
    """Yield a server of this worker's own; skip, saying so, where none is installed and this is no CI."""
    # Numbered: the tests of the pages have a server of their own beside it.
    root = _data_root_with_server(_installed_base(tmp_path_factory), tmp_path_factory.mktemp("label-studio") / "data")
    try:
        yield LabelStudio(root, start(root, 0))
    finally:
        stop(root)


@pytest.fixture
def recipe_name() -> str:
    """Return a name that no other test's projects have."""
    return f"tiny-{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}-{next(_NUMBERS)}"


@pytest.fixture
def screen(label_studio: LabelStudio, chromium: Browser) -> Iterator[Screen]:
    """A window of 1366 x 768 with a person logged in; every alert that a page opens is kept."""
    session = requests.Session()
    form = session.get(f"{label_studio.url}/user/login/", timeout=60).text
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    assert found
    fields = {
        "csrfmiddlewaretoken": found[1],
        "email": label_studio.running.email,
        "password": label_studio.running.password,
    }
    session.post(f"{label_studio.url}/user/login/", data=fields, timeout=60)
    context = chromium.new_context(viewport={"width": WINDOW["width"], "height": WINDOW["height"]})
    for cookie in session.cookies:
        context.add_cookies([{"name": cookie.name, "value": str(cookie.value), "url": label_studio.url}])
    page, alerts = context.new_page(), []

    def note(dialog: Any) -> None:
        # Leaving a page with an answer half given also asks; only scripts in the data are alerts.
        if dialog.type != "beforeunload":
            alerts.append(dialog.message)
        dialog.accept()

    page.on("dialog", note)
    yield Screen(page, label_studio, alerts)
    context.close()
