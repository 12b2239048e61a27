"""What the documents tell people to type exists: make targets, commands, options and files."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def commands(page: Path) -> list[str]:
    """Return the command lines of a page: indented or fenced lines and inline code that call make or tuneloop."""
    text = page.read_text("utf-8")
    lines = re.findall(r"^ {4,}((?:[A-Z]+=\S+ )*(?:make|tuneloop) [^\n#]*)", text, re.MULTILINE)
    return [line.strip() for line in [*lines, *re.findall(r"`((?:[A-Z]+=\S+ )*(?:make|tuneloop) [^`]*)`", text)]]


ALL = sorted({(page.name, line) for page in PAGES for line in commands(page)})


def test_the_pages_name_commands():
    assert len(ALL) > 10


@pytest.mark.parametrize(("page", "line"), [one for one in ALL if "make " in one[1][:40] and "tuneloop" not in one[1]])
def test_a_make_target_of_the_docs_exists(page, line):
    words = [word for word in shlex.split(line) if "=" not in word]
    assert words[0] == "make"
    assert set(words[1:]) <= TARGETS, f"{page}: {line}"


@pytest.mark.parametrize(("page", "line"), [one for one in ALL if "tuneloop " in one[1]])
def test_a_tuneloop_command_of_the_docs_exists_with_its_options(page, line):
    words = shlex.split(line[line.index("tuneloop ") + 9 :])
    names = [word for word in words if re.fullmatch(r"[a-z]+", word)]
    # These have commands of their own, and of those of `annotate` `people` has some again.
    groups = (["annotate"], ["source"], ["template"])
    depth = 3 if names[:2] == ["annotate", "people"] else 2 if names[:1] in groups else 1
    path = names[:depth]
    help_text = help_of(tuple(path))
    for option in (word for word in words if word.startswith("-") and word != "--help"):
        assert option.split("=")[0] in help_text, f"{page}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_linked_file_is_there(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


HELP: dict[tuple[str, ...], str] = {}


def help_of(path: tuple[str, ...]) -> str:
    if path not in HELP:
        words = [sys.executable, "-m", "pipeline", *path, "--help"]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        HELP[path] = done.stdout
    return HELP[path]
