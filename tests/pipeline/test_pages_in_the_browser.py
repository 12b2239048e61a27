"""The data report and the pages to browse in a real browser, filled with strings that like to misbehave."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from pipeline.cli import run

pytestmark = [pytest.mark.slow, pytest.mark.shared]
RECIPE = """
name = "naughty"
[[ingest.sources]]
name = "asked"
path = "asked.jsonl"
template = "instruct"
fields = { instruction = "q", response = "a" }
keep = ["language"]
[[ingest.sources]]
name = "raw"
path = "raw.jsonl"
template = "instruct"
fields = { instruction = "q", response = "a" }
[ingest]
max_bad_share = 1.0
[format]
tokenizer = "tokenizer"
"""
ALERT = "<script>alert(1)</script><img src=x onerror=alert(2)><a href='javascript:alert(3)'>x</a>"


def look(browser: Browser, page: Path, width: int) -> tuple[str, list[str]]:
    """Return the text on a page, and everything that happened which should not."""
    trouble: list[str] = []
    window = browser.new_page(viewport={"width": width, "height": 900})
    window.on("console", lambda message: trouble.append(f"console: {message.text}"))
    window.on("pageerror", lambda error: trouble.append(f"error: {error}"))
    window.on("dialog", lambda dialog: (trouble.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    window.on("request", lambda asked: trouble.append(asked.url) if asked.url != page.as_uri() else None)
    window.goto(page.as_uri())
    scripts = window.locator("script, iframe, img, form, link, object").count()
    trouble += [f"{scripts} elements that act"] if scripts else []
    wide = window.evaluate("document.documentElement.scrollWidth")
    trouble += [f"{wide} wide in a window of {width}"] if wide > width else []
    text = window.locator("main").inner_text()
    window.close()
    return text, trouble


def test_naughty_strings_are_shown_and_nothing_runs_loads_or_overflows(
    make_project, monkeypatch, shared_data, chromium
):
    strings = json.loads((shared_data / "blns" / "blns.json").read_text("utf-8"))
    rows = [{"q": f"{n}: {text}", "a": text or "nothing", "language": text} for n, text in enumerate(strings)]
    rows += [
        {"q": f"Is {'w' * 3000} one word?", "a": "yes"},
        {"q": f"is {'w' * 3000} one word", "a": "yes"},
    ]
    rows.append({"q": f"What does {ALERT} do?", "a": ALERT})
    project = make_project(RECIPE)
    (project.root / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    bad = [json.dumps({"q": "", "a": text}, ensure_ascii=False) for text in strings]
    (project.root / "raw.jsonl").write_text("\n".join([*bad, json.dumps({"q": "Fine?", "a": "Fine."})]) + "\n", "utf-8")
    monkeypatch.chdir(project.root)
    project.run()
    assert run(["report", "--recipe", "recipe.toml", "--to", "data.html"]) == 0
    assert run(["browse", "--recipe", "recipe.toml", "--to", "rows", "-n", "0"]) == 0
    shown = [
        "data.html",
        "rows/index.html",
        "rows/all.0001.html",
        "rows/all.0011.html",
        "rows/reason-1-ingest-empty-prompt.0001.html",
    ]
    for name in shown:
        for width in (400, 1200):
            assert look(chromium, project.root / name, width)[1] == [], f"{name} at {width}"
    texts = [look(chromium, path, 1200) for path in sorted((project.root / "rows").glob("all.*.html"))]
    assert [trouble for _, trouble in texts if trouble] == []
    everything = "".join(text for text, _ in texts)
    assert all(f"{n}: {strings[n]}" in everything for n in range(40, 60))
    assert "1,034 rows" in look(chromium, project.root / "rows/index.html", 1200)[0]
    assert ALERT in everything


def test_the_bait_is_one(tmp_path, chromium):
    (tmp_path / "bait.html").write_text(f"<main>{ALERT}</main>")
    assert "dialog: 1" in look(chromium, tmp_path / "bait.html", 400)[1]
