"""Every command that the pages tell people to type is run, page by page, top to bottom, in what a fresh clone has.

One thing is not as it ships: the sample recipe reads sixty rows of each file and trains for two steps. Each page
begins in a copy of the folder after `make data train`, with `my.toml`, a recipe of the reader's own, and with
`export.json`, in which two people have answered. What stands in the pages' invisible comments is told in `doc_blocks`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from annotation.server import program
from tests.annotation.conftest import label_studio  # noqa: F401 - a fixture
from tests.doc_blocks import Block, blocks_of

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
VENV = Path(sys.prefix)
LEAST_RUN = 0.8
# Long pages tell of training or of review, and run several minutes of commands on slow machines.
pytestmark = pytest.mark.slow

SMALL = """
[train]
base = "tiny"
base_text = "data/sample/little.txt"
base_steps = 10
method = "lora"
max_steps = 2
max_new_tokens = 8
[evaluate]
folds = 0
arms = ["majority", "nearest"]
"""


def shell(folder: Path, script: str, server: tuple[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run commands in a folder as somebody does who stands in a clone with its .venv on the path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LABEL_STUDIO_")}
    environment |= {
        "PATH": f"{VENV / 'bin'}:{environment['PATH']}",
        "PYTHONPATH": str(folder),
        "MAKEFLAGS": f"VENV={VENV} STAMP={folder / 'Makefile'}",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    if server:
        environment |= {"LABEL_STUDIO_URL": server[0], "LABEL_STUDIO_API_KEY": server[1]}
    # -x, so that a failure tells which of the commands it was.
    return subprocess.run(
        ["bash", "-ex", "-o", "pipefail", "-c", script],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def make_clone(folder: Path) -> None:
    """Copy what git has but the tests, and make the sample small."""
    keep = shutil.ignore_patterns(".*")
    for name in ("schemas", "pipeline", "annotation", "train", "docs", "locks", "data/sample"):
        # With times of change and compiled kernels, which would else be compiled anew.
        shutil.copytree(ROOT / name, folder / name, ignore=keep)
    for path in (*ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"):
        shutil.copy2(path, folder)
    recipe = folder / "pipeline" / "recipes" / "sample.toml"
    text = recipe.read_text("utf-8").partition("[train]")[0].replace("\ntemplate = ", "\nlimit = 60\ntemplate = ")
    recipe.write_text(text + SMALL, encoding="utf-8")
    documents = (folder / "data" / "sample" / "base.txt").read_text("utf-8")[:60_000]
    (folder / "data" / "sample" / "little.txt").write_text(documents, encoding="utf-8")
    (folder / "my.toml").write_text((text + SMALL).replace('"sample"', '"my"', 1), encoding="utf-8")


def write_answers(tasks: Path, export: Path) -> None:
    """Write what Label Studio exports once two people have answered, of whom one finds every fifth response wrong."""
    found = [task for task in json.loads(tasks.read_text("utf-8")) if task["data"]["response"]]
    for number, task in enumerate(found, 1):
        task["id"] = number
        task["annotations"] = [
            {
                "id": 2 * number + place, "completed_by": {"email": f"{who}@example.org"}, "lead_time": 20,
                "created_at": "2026-11-25T10:00:00Z", "updated_at": "2026-11-25T10:00:00Z", "was_cancelled": False,
                "result": [
                    {"from_name": name, "to_name": "messages", "type": "choices", "value": {"choices": [value]}}
                    for name, value in said.items()
                ],
            }
            for place, who in enumerate(("ann", "ben"))
            for said in [
                {"verdict": "reject", "error_types": "wrong name, number or date"}
                if who == "ben" and number % 5 == 0
                else {"verdict": "accept"}
            ]
        ]  # fmt: skip
    export.write_text(json.dumps(found), encoding="utf-8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone after the README's first command; not to be changed."""
    folder = tmp_path_factory.mktemp("docs") / "tuneloop"
    make_clone(folder)
    done = shell(folder, "make data && tuneloop annotate tasks --to tasks.json --limit 60")
    assert done.returncode == 0, done.stderr
    write_answers(folder / "tasks.json", folder / "export.json")
    done = shell(folder, "tuneloop annotate import export.json && make data train")
    assert done.returncode == 0, done.stderr
    done = shell(folder, "tuneloop data --recipe my.toml && tuneloop train --recipe my.toml")
    assert done.returncode == 0, done.stderr
    return folder


def server_for(blocks: list[Block], request: pytest.FixtureRequest) -> tuple[str, str] | None:
    """Return address and token of a Label Studio if one of the blocks needs it and it is installed."""
    installed = (program().parent.parent / ".whole").exists() or os.environ.get("CI")
    if not installed or not any(block.needs_server for block in blocks):
        return None
    studio = request.getfixturevalue("label_studio")
    return studio.url, studio.running.token


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_do_what_it_says(
    page: Path, trained: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    blocks = [block for block in blocks_of(page) if not block.why_not]
    if not any(not block.hidden for block in blocks):
        pytest.skip("no command to run")
    server = server_for(blocks, request)
    folder = tmp_path / "tuneloop"
    shutil.copytree(trained, folder, symlinks=True)
    stands_for: dict[str, str] = {}
    for block in blocks:
        if block.needs_server and server is None:
            continue
        script = block.script
        for text, value in stands_for.items():
            script = script.replace(text, value)
        done = shell(folder, script, server if block.needs_server else None)
        assert done.returncode == block.exit_code, (
            f"{page.name}:{block.line} ended with {done.returncode}\n{script}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
        if block.here:
            assert done.stdout.strip(), f"{page.name}:{block.line} printed nothing"
            stands_for[block.here] = done.stdout.strip()


def n_ours(block: Block) -> int:
    """Return how many of a block's commands are ours, not of Docker, systemd or another project."""
    return sum(bool(re.search(r"\b(make|tuneloop) ", line)) for line in block.commands)


def test_most_commands_are_run() -> None:
    shown = [(page.name, block) for page in PAGES for block in blocks_of(page) if not block.hidden]
    left = [(name, block) for name, block in shown if block.why_not]
    n, n_left = (sum(n_ours(block) for _, block in some) for some in (shown, left))
    n_all, n_all_left = (sum(len(block.commands) for _, block in some) for some in (shown, left))
    told = [f"{name}:{block.line} {len(block.commands)} not run: {block.why_not}" for name, block in left]
    sys.stdout.write(
        f"{n - n_left} of {n} commands of ours are run, {n_all - n_all_left} of {n_all} with those of others\n"
    )
    sys.stdout.write("\n".join(told) + "\n")
    assert n - n_left >= LEAST_RUN * n
