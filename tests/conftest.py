"""Settings all tests share, and a project small enough to know by heart."""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from pipeline.recipe import Recipe, load_recipe
from pipeline.run import Outcome, run_data
from tests.only_this_machine import only_this_machine

ROOT = Path(__file__).resolve().parent.parent

# Machines are shared and slow at times: how long an example takes says nothing about the code.
settings.register_profile("shared", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "shared")


CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """No test leaves this machine."""
    with only_this_machine():
        yield


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Yield the one Chromium of this worker, without a window, or skip, saying what is missing: two cannot be driven."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}; install Debian's package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu"],
        )
        yield browser
        browser.close()


def assert_gone(group: int) -> None:
    """Fail unless the last process of a group ends within moments; Python's own helper outlives its parent a little."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    pytest.fail(f"a process of group {group} is left")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real public data, or skip, saying so."""
    folder = Path(os.environ.get("TUNELOOP_SHARED", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set TUNELOOP_SHARED")
    return folder


QUESTIONS = [
    ("What is the capital of France?", "Paris"),
    ("what is the capital of France", "Paris"),  # the first, but for case and a mark
    ("Who wrote the play Hamlet?", "William Shakespeare"),
    ("How many legs does a spider have?", "eight"),
    ("How many legs does a spider have?", "six"),  # the same question, another answer
    ("Name the longest river in Africa.", "the Nile"),
    ("Which gas do plants take in?", "carbon dioxide"),
    ("", "nothing to answer"),  # no prompt
    ("Translate the word bread into German.", "Brot"),
]
NOTES = [
    ("The harbour of Lund opened a second pier on Monday after two years of work.", "Lund has a second pier."),
    ("A storm closed the mountain road between Aal and Berg until the weekend.", "A storm closed a road."),
    ("The city library lends bicycles from April, free for members under twelve.", "Library lends bicycles."),
    ("Farmers near Toft report the best cherry harvest in eleven summers.", "Good cherries near Toft."),
]
RECIPE = """
name = "tiny"
[[ingest.sources]]
name = "questions"
path = "questions.jsonl"
template = "instruct"
fields = { instruction = "q", response = "a" }
[[ingest.sources]]
name = "notes"
path = "notes.csv"
template = "summarize"
key = "id"
fields = { document = "text", summary = "short" }
[ingest]
max_bad_share = 0.5
[format]
tokenizer = "tokenizer"
[split]
shares = { train = 0.5, validation = 0.25, test = 0.25 }
"""


class Quiet:
    """A progress that nobody reads."""

    def begin(self, stage: str, parts: int, why: list[str]) -> None:
        """Say nothing."""

    def part(self, stage: str, done: int, of: int, rows: int) -> None:
        """Say nothing."""

    def end(self, outcome: Outcome) -> None:
        """Say nothing."""


@pytest.fixture
def quiet() -> Quiet:
    """Return a progress that nobody reads."""
    return Quiet()


@dataclass
class Project:
    """A folder with sources and a recipe, and what its last run did."""

    root: Path
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def recipe(self) -> Recipe:
        return load_recipe(self.root / "recipe.toml")

    def run(self, **options: object) -> dict[str, Outcome]:
        """Run `data` and return what became of each stage."""
        outcomes = run_data(self.recipe, self.data, Quiet(), root=self.root, **options)  # type: ignore[arg-type]
        self.outcomes = {outcome.stage: outcome for outcome in outcomes}
        return self.outcomes

    def ran(self, **options: object) -> list[str]:
        """Run `data` and return the names of the stages that had to work."""
        return [stage for stage, outcome in self.run(**options).items() if outcome.ran]

    def replace(self, name: str, old: str, new: str) -> None:
        """Change a file by hand, as a user would."""
        path = self.root / name
        text = path.read_text("utf-8")
        assert old in text, f"{old!r} is not in {name}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def rows(self, stage: str) -> list[dict[str, object]]:
        """Return what the last run of a stage kept."""
        record = self.outcomes[stage].record
        folder = self.data / stage / record.version
        return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]

    def dropped(self, stage: str) -> list[dict[str, object]]:
        """Return what the last run of a stage dropped."""
        files = self.outcomes[stage].record.dropped
        return [row for f in files for row in pq.read_table(self.data / stage / "dropped" / f.name).to_pylist()]

    def snapshot_of_files(self) -> dict[str, tuple[int, int]]:
        """Return every file of the store with its size and time of change."""
        return {
            str(path.relative_to(self.data)): (path.lstat().st_size, path.lstat().st_mtime_ns)
            for path in sorted(self.data.rglob("*"))
        }


def write_tokenizer(folder: Path) -> None:
    """Write a byte-level BPE of 300 tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([text for text, _ in QUESTIONS + NOTES], trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))


def write_project(root: Path, recipe: str = RECIPE) -> Project:
    """Write a project into a folder, made if need be: the tiny one's sources and tokenizer, and a recipe."""
    root.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"q": q, "a": a}) for q, a in QUESTIONS]
    (root / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    notes = ["id,text,short", *(f'n{n},"{text}",{short}' for n, (text, short) in enumerate(NOTES))]
    (root / "notes.csv").write_text("\n".join(notes) + "\n", encoding="utf-8")
    write_tokenizer(root / "tokenizer")
    (root / "recipe.toml").write_text(recipe, encoding="utf-8")
    return Project(root)


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[..., Project]:
    """Return a function that writes a project, by default the tiny one."""

    def make(recipe: str = RECIPE, name: str = "project") -> Project:
        assert not (tmp_path / name).exists()
        return write_project(tmp_path / name, recipe)

    return make


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    """Return the tiny project, not run yet."""
    return make_project()
